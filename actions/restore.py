"""Restore a set, with or without a catalog: the repository is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path as Folder
from typing import Any

from airflow_backup.actions.choose import path_at
from airflow_backup.actions.stored_set import StoredSet, open_set
from airflow_backup.catalog.recovery import Path
from airflow_backup.core.age import Identity
from airflow_backup.core.connections import Connections
from airflow_backup.core.errors import FormatError, NotFound, VerifyError
from airflow_backup.core.manifest import MANIFEST_NAME, set_prefix
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import Kind
from airflow_backup.engines.protocol import RestoreReport, SetReader, Surroundings
from airflow_backup.engines.registry import Registry, registry
from airflow_backup.storage.open import open_storage
from airflow_backup.storage.protocol import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreResult:
    """Which sets were restored where, and what came of it."""

    schedule_id: str
    set_ids: tuple[str, ...]
    target: Folder
    consistent_at: datetime
    report: RestoreReport

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "schedule_id": self.schedule_id,
            "set_ids": list(self.set_ids),
            "target": str(self.target),
            "consistent_at": self.consistent_at.isoformat(),
            "files": self.report.files,
            "bytes_written": self.report.bytes_written,
            "warnings": list(self.report.warnings),
        }


def restore(
    schedule_id: str,
    *,
    repository: str,
    target: Folder,
    connections: Connections,
    clock: Callable[[], datetime],
    connection: str | None = None,
    set_id: str | None = None,
    at: datetime | None = None,
    only: Sequence[str] = (),
    keys: Sequence[Identity] = (),
    reporter: Reporter | None = None,
    engines: Registry | None = None,
) -> RestoreResult:
    """
    Restore a set of a schedule, its newest one without ``set_id`` and ``at``, into an empty folder.

    ``at`` is the moment to come back to, as near as sets and archived logs come to it.
    ``only`` names parts of it, such as files and folders of a file tree; ``keys`` open an
    encrypted one.

    The sizes of all pieces are compared with the manifest first, and every frame is checked
    before its bytes are used: nothing damaged is ever written.
    """
    storage = open_storage(repository, connections, connection=connection)
    path = (
        path_to(storage, schedule_id, set_id or newest_set(storage, schedule_id), keys)
        if at is None
        else open_path(storage, path_at(storage, schedule_id, at), keys)
    )
    for each in path:
        check_pieces(storage, each)
    last = path[-1].manifest
    engine = (engines or registry()).get(last.engine)
    if last.engine_version != engine.version:
        raise FormatError(
            f"set '{last.set_id}' has the layout {last.engine_version} of the {engine.name} engine, "
            f"and this release reads {engine.version}",
            hint="which release wrote it? install that one or a newer one",
        )
    around = Surroundings(connections=connections, reporter=reporter or Reporter(), clock=clock)
    until = stop_at(path, at)
    report = engine.restore(path, target, around, only=only, until=until)
    return RestoreResult(
        schedule_id=schedule_id,
        set_ids=tuple(each.manifest.set_id for each in path),
        target=target,
        consistent_at=until or last.consistent_at,
        report=report,
    )


def path_to(
    storage: Storage, schedule_id: str, set_id: str, keys: Sequence[Identity] = ()
) -> list[StoredSet]:
    """Return the sets that restore ``set_id``, the full one first."""
    path = [open_set(storage, schedule_id, set_id, keys=keys)]
    while (parent := path[0].manifest.parent) is not None:
        if any(parent == each.manifest.set_id for each in path):
            raise VerifyError(f"the chain of set '{set_id}' goes in a circle")
        path.insert(0, open_set(storage, schedule_id, parent, keys=keys))
    return path


def open_path(storage: Storage, path: Path, keys: Sequence[Identity] = ()) -> list[StoredSet]:
    """Open the sets of a recovery path."""
    return [open_set(storage, row.schedule_id, row.set_id, keys=keys) for row in path.sets]


def stop_at(path: Sequence[SetReader], at: datetime | None) -> datetime | None:
    """Return where to stop in the archived logs at the end of ``path``; None when there are none."""
    last = path[-1].manifest
    if last.kind is not Kind.ARCHIVE_LOG:
        return None
    return last.consistent_at if at is None else min(at, last.consistent_at)


def newest_set(storage: Storage, schedule_id: str) -> str:
    """Return the id of the newest set that has a manifest."""
    folders = sorted(storage.folders(f"{schedule_id}/sets/"), reverse=True)
    for set_id in folders:
        try:
            storage.stat(set_prefix(schedule_id, set_id) + MANIFEST_NAME)
        except NotFound:
            continue  # an attempt that did not finish
        return set_id
    raise NotFound(
        f"no set of '{schedule_id}' in {storage.url}",
        hint=f"there are sets of: {', '.join(storage.folders()) or 'nothing'}",
    )


def check_pieces(storage: Storage, each: StoredSet) -> None:
    """Raise VerifyError when a piece is missing or has another size than the manifest says."""
    manifest = each.manifest
    prefix = set_prefix(manifest.schedule_id, manifest.set_id)
    for piece in manifest.pieces:
        try:
            size = storage.stat(prefix + piece.name).size
        except NotFound as error:
            raise VerifyError(
                f"set '{manifest.set_id}' has lost its piece '{piece.name}'",
                hint="restore an earlier set",
            ) from error
        if size != piece.size:
            raise VerifyError(
                f"'{prefix}{piece.name}' has {size} bytes, and its manifest says {piece.size}",
                hint="restore an earlier set",
            )
