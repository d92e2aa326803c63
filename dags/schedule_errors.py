"""What is wrong with the schedules, among Airflow's import errors; holds no DAG, so none is stopped by it."""

from airflow_backup.dags import report_errors

report_errors(globals())
