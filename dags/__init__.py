"""
Schedules become DAGs. Two files in the DAG folder do it::

    from airflow_backup.dags import generate       # backup_dags.py: an Airflow DAG for every schedule
    generate(globals())

    from airflow_backup.dags import report_errors   # schedule_errors.py: what is wrong, among Airflow's import errors
    report_errors(globals())
"""

from __future__ import annotations

from airflow_backup.dags.generate import generate, report_errors

__all__ = ["generate", "report_errors"]
