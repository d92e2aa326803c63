"""Engine airflow: Airflow itself, its database, configuration and the files of its DAGs."""
