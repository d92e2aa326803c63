"""The door from a shell; works when Airflow does not."""
