"""The verbs as Airflow tasks, sensors and triggers."""
