"""Backups as code on Apache Airflow."""

__version__ = "0.1.0"
