"""An Airflow DAG for every schedule in the schedules file beside this one."""

from airflow_backup.dags import generate

generate(globals())
