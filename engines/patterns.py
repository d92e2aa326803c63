"""The patterns of ``include`` and ``exclude``, which schedules are checked against too: see core/patterns.py."""

from airflow_backup.core.patterns import Patterns

__all__ = ["Patterns"]
