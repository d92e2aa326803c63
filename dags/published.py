"""Tells the catalog what is deployed, so that the page and the API need no access to the DAG files."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime

from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import BackupError
from airflow_backup.operators.shared.airflow_settings import catalog_url
from airflow_backup.operators.shared.placement import stamp
from airflow_backup.schedules.loading.index import CatalogSchedules, Index, LastGood

log = logging.getLogger(__name__)


def publish(index: Index) -> bool:
    """Store what is deployed; return False when the catalog is out of reach, to try again at the next parse."""
    try:
        with Catalog.open(catalog_url()) as catalog:
            catalog.deployed.replace(index.origin, list(index.entries.values()))
            catalog.load_errors.replace(index.origin, index.problems)
    except BackupError as error:
        log.error("the catalog does not know what is deployed: %s", error)
        return False
    return True


def note_read(index: Index, *, at: datetime) -> None:
    """Tell the catalog that its definitions are those of the files as they were at ``at``."""
    try:
        with Catalog.open(catalog_url()) as catalog:
            catalog.deployed.note_read(
                index.origin, also=index.also, at=at, unprotected=index.unprotected
            )
    except BackupError as error:
        log.error("the catalog does not know when the schedules were read: %s", error)


def known_definitions(origin: str) -> LastGood:
    """Return the last good definitions of an origin, for a machine that has no index yet."""
    try:
        with Catalog.open(catalog_url()) as catalog:
            deployed = catalog.deployed.definitions(origin)
    except BackupError as error:
        log.error("the last good schedules cannot be read: %s", error)
        return LastGood({}, {})
    found = LastGood({}, {})
    for each in deployed:
        found.by(each.file)[each.id] = dict(each.definition)
    return found


@dataclass(frozen=True)
class Known:
    """What the catalog says: the schedules made in it, and how many it knows as deployed from an origin."""

    from_catalog: CatalogSchedules
    deployed: int


def ask_catalog(origin: str) -> Known | None:
    """Ask for what was made on the page or through the API; None when nobody can tell."""
    try:
        with Catalog.open(catalog_url()) as catalog:
            newest, count = catalog.schedules.all(), catalog.deployed.count(origin)
    except BackupError as error:
        log.error("the catalog cannot be read: %s", error)
        return None
    versions = [(item.id, item.version) for item in newest]
    mark = hashlib.sha256(f"{versions} {stamp()}".encode()).hexdigest()
    return Known(CatalogSchedules(mark, tuple(item.definition for item in newest)), count)
