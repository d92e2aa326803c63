"""What failed attempts left in a repository: found, and removed when nobody can need it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime

from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import BackupError, NotFound
from airflow_backup.core.format.manifest import MANIFEST_NAME, set_prefix
from airflow_backup.core.ids import SCHEDULE_ID, SET_ID, set_id
from airflow_backup.storage.protocol import Storage, Stored


def remove_leftovers(
    storage: Storage, catalog: Catalog, *, before: datetime, dry_run: bool = False
) -> tuple[str, ...]:
    """
    Remove unfinished sets, pieces of no manifest and unfinished writes; return their names.

    What was written after ``before`` stays, and so does what belongs to an attempt that began
    after it and is still active. One that stands still for longer counts as dead; should it live
    all the same, it finds out that its pieces are gone before its set counts.
    """
    active = _active_sets(catalog, since=before)
    removed: list[str] = []
    for schedule_id in storage.folders():
        if not SCHEDULE_ID.fullmatch(schedule_id):
            continue
        for folder in list(storage.folders(f"{schedule_id}/sets/")):
            if SET_ID.fullmatch(folder) and folder not in active:
                row = catalog.sets.get(folder)
                trust = Trust(schedule_id, known={} if row is None else {folder: row})
                removed += _clean(storage, trust, folder, before, dry_run=dry_run)
    return tuple(removed)


def _active_sets(catalog: Catalog, *, since: datetime) -> set[str]:
    return {
        set_id(execution.schedule_id, execution.run_id, execution.run_at)
        for execution in catalog.executions.active()
        if any(each.started_at >= since for each in catalog.executions.attempts(execution))
    }


def _clean(
    storage: Storage, trust: Trust, folder: str, before: datetime, *, dry_run: bool
) -> list[str]:
    prefix = set_prefix(trust.schedule_id, folder)
    partial = list(storage.leftovers(prefix))
    unnamed = list(_unnamed(storage, trust, folder))
    if any(each.modified >= before for each in (*partial, *unnamed)):
        return []
    if not dry_run:
        for each in partial:
            storage.sweep(each.name)
        for each in unnamed:
            with contextlib.suppress(NotFound):
                storage.delete(each.name)
    return [each.name for each in (*partial, *unnamed)]


def _unnamed(storage: Storage, trust: Trust, folder: str) -> Iterator[Stored]:
    """Yield the objects of a set that its manifest does not name; all when it has none."""
    prefix = set_prefix(trust.schedule_id, folder)
    named = {prefix + MANIFEST_NAME}
    try:
        manifest = trust.read(storage, folder).manifest
        named |= {prefix + piece.name for piece in manifest.pieces}
    except NotFound:
        pass
    except BackupError:
        return  # who knows what belongs to a set whose manifest cannot be read, or is not ours
    for stored in storage.list(prefix):
        if stored.name not in named:
            yield stored
