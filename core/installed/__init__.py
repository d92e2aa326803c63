"""What is installed beside this package: engines of other packages, and Airflow."""
