"""The database that indexes repositories, executions and what is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_backup.catalog.catalog import Catalog

__all__ = ["Catalog"]


def __getattr__(name: str) -> Any:
    """Import the database's library when the catalog is opened: a restore without one starts faster."""
    if name != "Catalog":
        raise AttributeError(name)
    from airflow_backup.catalog.catalog import Catalog

    return Catalog
