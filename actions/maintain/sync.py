"""Rebuild what the catalog knows of a repository from the manifests that lie there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeVar

from airflow_backup.actions.maintain.leftovers import remove_leftovers
from airflow_backup.actions.sets.repository import check
from airflow_backup.actions.sets.trust import Described, StoredManifest, Trust
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import SetRow
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import FormatError, NotFound, VerifyError
from airflow_backup.core.format.manifest import manifest_name
from airflow_backup.storage.protocol import Storage

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_THREADS = 8
_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """What was found; ``problems`` names the manifests that cannot be read, and why."""

    recorded: int
    lost: int
    """Sets that were stored and that the repository does not hold any more."""

    unfinished: tuple[str, ...]
    """Set folders without a manifest: attempts that failed, or still run."""

    removed: tuple[str, ...] = ()
    """What failed attempts left and is removed now, or would be in a dry run."""

    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "recorded": self.recorded,
            "lost": self.lost,
            "unfinished": list(self.unfinished),
            "removed": list(self.removed),
            "problems": list(self.problems),
        }


def sync(
    storage: Storage,
    repository: str,
    catalog: Catalog,
    *,
    schedules: Mapping[str, Described] = MappingProxyType({}),
    leftovers_before: datetime | None = None,
    dry_run: bool = False,
    clock: Callable[[], datetime] = utc_now,
) -> SyncResult:
    """
    Record every set of the repository, and note as lost those that it no longer holds.

    ``schedules`` say whose signature the sets of each must have; by their ids.

    RepositoryMissing, and nothing is forgotten, when what is there is not the repository that is known.

    A manifest that cannot be read is a problem in the result, and its set is not forgotten.
    Leftovers whose last byte was written before ``leftovers_before`` are removed, never those of
    a run that is still active. A dry run changes nothing and returns what it would do.
    """
    marker = check(storage, repository, catalog)
    if marker is not None and not dry_run:
        catalog.repositories.record(repository, marker)
    recorded = lost = 0
    unfinished: list[str] = []
    problems: list[str] = []
    for schedule_id in sorted({*catalog.sets.schedules_in(repository), *storage.folders()}):
        present: set[str] = set()
        # Read before the repository is: a set that a run stores meanwhile is not gone.
        rows = [row for row in catalog.sets.of(schedule_id) if row.repository == repository]
        known = {row.set_id: row for row in rows}
        trust = _trust(schedules.get(schedule_id), schedule_id, known)
        for batch in _batches(_read_all(storage, trust)):
            good = [each for _, each in batch if isinstance(each, StoredManifest)]
            if not dry_run:
                _record(good, known, storage, repository, catalog)
            recorded += sum(each.manifest.set_id not in known for each in good)
            present.update(set_id for set_id, each in batch if each is not None)
            unfinished += [f"{schedule_id}/sets/{name}" for name, each in batch if each is None]
            problems += [each for _, each in batch if isinstance(each, str)]
        gone = [set_id for set_id in known if set_id not in present]
        lost += len(gone)
        if gone:
            check(storage, repository, catalog)  # the disk may have gone since we began
        if not dry_run:
            for ids in _batches(iter(gone)):
                catalog.sets.lose(*ids, at=clock())
    for problem in problems:
        logger.error("%s", problem)
    removed: tuple[str, ...] = ()
    if leftovers_before is not None:
        removed = remove_leftovers(storage, catalog, before=leftovers_before, dry_run=dry_run)
    return SyncResult(
        recorded=recorded,
        lost=lost,
        unfinished=tuple(unfinished),
        removed=removed,
        problems=tuple(problems),
    )


def _trust(schedule: Described | None, schedule_id: str, known: Mapping[str, SetRow]) -> Trust:
    """Return what a set must be to be recorded; its engine may be the one that the schedule had before."""
    if schedule is None:
        return Trust(schedule_id, known=known)
    return replace(Trust.of(schedule, known.values()), engine=None)


def _record(
    good: Sequence[StoredManifest],
    known: Mapping[str, SetRow],
    storage: Storage,
    repository: str,
    catalog: Catalog,
) -> None:
    """Record sets; those that a prune removed between our reading and our writing are forgotten again."""
    if not good:
        return
    catalog.sets.record_many([(each.manifest, each.hash) for each in good], repository)
    for each in good:
        set_id = each.manifest.set_id
        if set_id not in known:
            try:
                storage.stat(manifest_name(each.manifest.schedule_id, set_id))
            except NotFound:
                catalog.sets.forget(set_id)


def _read_all(storage: Storage, trust: Trust) -> Iterator[tuple[str, StoredManifest | str | None]]:
    def read(set_id: str) -> StoredManifest | str | None:
        try:
            return trust.read(storage, set_id)
        except NotFound:
            return None
        except (VerifyError, FormatError) as error:
            return error.message

    with ThreadPoolExecutor(_THREADS) as workers:
        for ids in _batches(storage.folders(f"{trust.schedule_id}/sets/")):
            yield from zip(ids, workers.map(read, ids), strict=True)


def _batches(given: Iterator[_T]) -> Iterator[list[_T]]:
    while batch := list(islice(given, _BATCH)):
        yield batch
