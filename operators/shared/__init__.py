"""What the operators share: Airflow's settings and context, fences, placement, the definition in force."""
