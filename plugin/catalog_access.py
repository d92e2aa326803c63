"""The catalog as the API server sees it: opened when first needed, one engine for the process."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Annotated

from airflow.configuration import AIRFLOW_HOME, conf
from fastapi import Depends

from airflow_backup.catalog import Catalog

_lock = Lock()
_opened: Catalog | None = None


def catalog() -> Catalog:
    """Return the catalog; a failure to open it is not remembered, so the next request tries again."""
    global _opened
    with _lock:
        if _opened is None:
            _opened = Catalog.open(catalog_url())
        return _opened


def catalog_url() -> str:
    """Name the database: that of ``[backup] catalog_conn_id``, else a file in ``$AIRFLOW_HOME``."""
    connection_id = conf.get("backup", "catalog_conn_id", fallback="")
    if not connection_id:
        return f"sqlite:///{Path(AIRFLOW_HOME, 'airflow_backup.db')}"
    raise NotImplementedError


CatalogDep = Annotated[Catalog, Depends(catalog)]
