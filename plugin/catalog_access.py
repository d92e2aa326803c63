"""The catalog as the API server sees it: opened when first needed, once for the process."""

from __future__ import annotations

from threading import Lock
from typing import Annotated

from fastapi import Depends

from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import CatalogError, NotFound
from airflow_backup.operators.airflow_settings import catalog_url


class Shelf:
    """Holds the one open catalog; a failure to open it is not kept, so the next request tries again."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._catalog: Catalog | None = None

    def catalog(self) -> Catalog:
        """Return the catalog, opened if need be."""
        with self._lock:
            if self._catalog is None:
                self._catalog = Catalog.open(_address())
            return self._catalog

    def close(self) -> None:
        """Close the catalog; the next request opens it anew."""
        with self._lock:
            if self._catalog is not None:
                self._catalog.close()
                self._catalog = None


def _address() -> str:
    try:
        return catalog_url()
    except NotFound as error:
        # To whoever asks, it is the catalog that is missing, not what they asked for.
        raise CatalogError(error.message, hint=error.hint) from error


shelf = Shelf()

CatalogDep = Annotated[Catalog, Depends(shelf.catalog)]
