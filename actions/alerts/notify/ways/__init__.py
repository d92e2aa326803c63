"""The ways to people that need no Airflow: mail, a webhook, what Apprise knows."""
