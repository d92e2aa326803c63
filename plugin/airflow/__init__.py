"""All that touches Airflow's own database and internals."""
