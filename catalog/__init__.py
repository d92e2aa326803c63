"""The database that indexes repositories, executions and what is deployed."""

from __future__ import annotations

from airflow_backup.catalog.catalog import Catalog

__all__ = ["Catalog"]
