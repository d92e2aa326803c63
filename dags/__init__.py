"""
Schedules become DAGs. Two files in the DAG folder do it::

    from airflow_backup.dags import generate       # backup_dags.py: an Airflow DAG for every schedule
    generate(globals())

    from airflow_backup.dags import report_errors   # schedule_errors.py: what is wrong, among Airflow's import errors
    report_errors(globals())
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from airflow_backup.core.installed.airflow_release import require

__all__ = ["generate", "report_errors"]

# The scheduler imports this room for its timetable alone; what builds DAGs is imported where DAGs are built.


def generate(namespace: MutableMapping[str, Any]) -> None:
    """Put a DAG for every schedule into ``namespace``, the ``globals()`` of the calling file."""
    require("generate()")
    from airflow_backup.dags.generator import publish_dags

    publish_dags(namespace)


def report_errors(namespace: MutableMapping[str, Any]) -> None:
    """Raise ConfigError with every problem of the schedules, for Airflow's list of import errors."""
    require("report_errors()")
    from airflow_backup.dags.generator import raise_problems

    raise_problems(namespace)
