"""The catalog as the API server sees it: opened when first needed, once for the process."""

from __future__ import annotations

from threading import Lock
from typing import Annotated

from fastapi import Depends

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.database import Database
from airflow_backup.core.errors import CatalogError, NotFound
from airflow_backup.operators.shared.airflow_settings import catalog_url
from airflow_backup.plugin.services.trends import Trends


class CatalogHandle:
    """Holds the one open catalog; a failure to open it is not kept, so the next request tries again."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._catalog: Catalog | None = None
        self._trends: Trends | None = None

    def catalog(self) -> Catalog:
        """Return the catalog, opened if need be."""
        with self._lock:
            return self._opened()

    def trends(self) -> Trends:
        """Return the figures over the catalog's executions."""
        with self._lock:
            self._opened()  # it makes the tables where there are none
            if self._trends is None:
                self._trends = Trends(Database(_address()))
            return self._trends

    def close(self) -> None:
        """Close the catalog; the next request opens it anew."""
        with self._lock:
            for open_one in (self._catalog, self._trends):
                if open_one is not None:
                    open_one.close()
            self._catalog = self._trends = None

    def _opened(self) -> Catalog:
        if self._catalog is None:
            self._catalog = Catalog.open(_address())
        return self._catalog


def _address() -> str:
    try:
        return catalog_url()
    except NotFound as error:
        # To whoever asks, it is the catalog that is missing, not what they asked for.
        raise CatalogError(error.message, hint=error.hint) from error


catalog_handle = CatalogHandle()

CatalogDep = Annotated[Catalog, Depends(catalog_handle.catalog)]
TrendsDep = Annotated[Trends, Depends(catalog_handle.trends)]
