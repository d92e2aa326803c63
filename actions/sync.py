"""Rebuild what the catalog knows of a repository from the manifests that lie there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import FormatError, NotFound, VerifyError
from airflow_backup.core.manifest import Manifest, hash_of, manifest_name, read_manifest
from airflow_backup.storage.protocol import Storage

logger = logging.getLogger(__name__)

_THREADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """What was found; ``problems`` names the manifests that cannot be read, and why."""

    recorded: int
    forgotten: int
    unfinished: tuple[str, ...]
    """Set folders without a manifest: attempts that failed, or still run."""

    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "recorded": self.recorded,
            "forgotten": self.forgotten,
            "unfinished": list(self.unfinished),
            "problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True)
class _Found:
    manifest: Manifest
    hash: str


def sync(storage: Storage, repository: str, catalog: Catalog) -> SyncResult:
    """
    Record every set of the repository, and forget those that it no longer holds.

    A manifest that cannot be read is a problem in the result, and its set is not forgotten.
    """
    recorded = forgotten = 0
    unfinished: list[str] = []
    problems: list[str] = []
    for schedule_id in storage.folders():
        present: set[str] = set()
        for set_id, found in _read_all(storage, schedule_id):
            present.add(set_id)
            if isinstance(found, _Found):
                catalog.sets.record(found.manifest, repository, manifest_hash=found.hash)
                recorded += 1
            elif found is None:
                present.discard(set_id)
                unfinished.append(f"{schedule_id}/sets/{set_id}")
            else:
                problems.append(found)
        for row in catalog.sets.of(schedule_id):
            if row.repository == repository and row.set_id not in present:
                catalog.sets.forget(row.set_id)
                forgotten += 1
    for problem in problems:
        logger.error("%s", problem)
    return SyncResult(
        recorded=recorded,
        forgotten=forgotten,
        unfinished=tuple(unfinished),
        problems=tuple(problems),
    )


def _read_all(storage: Storage, schedule_id: str) -> Iterator[tuple[str, _Found | str | None]]:
    ids = list(storage.folders(f"{schedule_id}/sets/"))

    def read(set_id: str) -> _Found | str | None:
        name = manifest_name(schedule_id, set_id)
        try:
            data = storage.read(name)
            manifest = read_manifest(data, name=name)
        except NotFound:
            return None
        except (VerifyError, FormatError) as error:
            return error.message
        if (manifest.schedule_id, manifest.set_id) != (schedule_id, set_id):
            return f"'{name}' is the manifest of set '{manifest.set_id}'"
        return _Found(manifest, hash_of(data))

    with ThreadPoolExecutor(_THREADS) as workers:
        yield from zip(ids, workers.map(read, ids), strict=True)
