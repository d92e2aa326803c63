"""Which set an incremental builds upon, and why a run takes a full set instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_backup.actions.backup.host import check_same_host
from airflow_backup.actions.backup.result import Job
from airflow_backup.actions.sets.encryption import encryption_of
from airflow_backup.actions.sets.piece_sizes import misfits
from airflow_backup.actions.sets.stored_set import StoredSet, open_set
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import SetRow
from airflow_backup.core.errors import FormatError, NotFound, ParentUnusable, Refused, VerifyError
from airflow_backup.core.format.manifest import Manifest, digest_of_options
from airflow_backup.core.words import Kind
from airflow_backup.core.worker import Worker
from airflow_backup.engines.capabilities import SelfContained
from airflow_backup.engines.protocol import Engine
from airflow_backup.storage.protocol import Storage


@dataclass(frozen=True, slots=True)
class ParentChoice:
    """What a run stores: a kind, the set below it, and the reason when it is not what was asked."""

    kind: Kind
    parent: ParentSet | None = None
    reason: str | None = None


class ParentSet:
    """A set that is built upon; what is wrong with it is raised as ParentUnusable."""

    def __init__(self, stored: StoredSet) -> None:
        self.manifest: Manifest = stored.manifest
        self._stored = stored

    def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield raw bytes."""
        try:
            yield from self._stored.blocks(stream, begin, end)
        except (NotFound, VerifyError) as error:
            raise ParentUnusable(error.message, hint=error.hint) from error


def choose_parent(
    job: Job,
    kind: Kind,
    engine: Engine[Any],
    storage: Storage,
    catalog: Catalog,
    *,
    worker: Worker | None = None,
) -> ParentChoice:
    """
    Choose the parent: the last full set for a differential, the last set that is no archived log
    for an incremental, the last set of any kind for an archived log.

    Without one that can be built upon, the run is promoted to a full set.
    """
    if kind is Kind.FULL or (isinstance(engine, SelfContained) and engine.stands_alone):
        return ParentChoice(Kind.FULL)  # every set of such an engine restores without others
    try:
        parent = _parent(job, kind, engine, storage, catalog)
        check_same_host(parent.manifest, job, worker)
        return ParentChoice(kind, parent)
    except ParentUnusable as error:
        return promoted(kind, error)


def promoted(kind: Kind, error: ParentUnusable) -> ParentChoice:
    """Return the choice of a full set in place of ``kind``."""
    return ParentChoice(Kind.FULL, reason=f"full instead of {kind}: {error.message}")


def _parent(
    job: Job, kind: Kind, engine: Engine[Any], storage: Storage, catalog: Catalog
) -> ParentSet:
    newest = _newest(job, kind, catalog)
    if newest is None:
        raise ParentUnusable("there is no set yet")
    _check_state(newest)
    wanted = newest if kind is not Kind.DIFFERENTIAL else _last_full(job, catalog)
    chain = catalog.sets.chain(wanted.set_id)
    if not chain:
        raise ParentUnusable(f"set '{wanted.set_id}' was removed meanwhile")
    if chain[0].kind is not Kind.FULL:
        raise ParentUnusable(f"set '{chain[0].set_id}' has lost its parent '{chain[0].parent}'")
    for row in chain:
        _check_state(row)
        if row.repository != job.repository:
            raise ParentUnusable(f"set '{row.set_id}' lies in another repository")
    # Of hundreds of logs only the last is looked at; a verification looks at all.
    looked_at = [row for row in chain if row.kind is not Kind.ARCHIVE_LOG or row is chain[-1]]
    opened = list(_opened(looked_at, storage, job))
    for stored in opened:
        _check_same_source(stored.manifest, job, engine)
    return ParentSet(opened[-1])


def newest_log(job: Job, storage: Storage, catalog: Catalog) -> Manifest | None:
    """Return the manifest of the schedule's newest archived log, which the next one continues."""
    row = catalog.sets.latest_log(job.id)
    if row is None or row.repository != job.repository:
        return None
    try:
        return open_set(storage, Trust.of(job, [row]), row.set_id).manifest
    except (NotFound, VerifyError, FormatError, Refused):
        return None  # the next one begins at its parent then, and the gap shows in recovery chains


def _newest(job: Job, kind: Kind, catalog: Catalog) -> SetRow | None:
    if kind is not Kind.ARCHIVE_LOG:
        return catalog.sets.newest_but_logs(job.id)
    found = catalog.sets.of(job.id, limit=1)
    return found[0] if found else None


def _last_full(job: Job, catalog: Catalog) -> SetRow:
    found = catalog.sets.latest_full(job.id)
    if found is None:
        raise ParentUnusable("there is no full set")
    return found


def _check_state(row: SetRow) -> None:
    if row.state != "good":
        raise ParentUnusable(f"set '{row.set_id}' is {row.state}")


def _opened(chain: Sequence[SetRow], storage: Storage, job: Job) -> Iterator[StoredSet]:
    encryption = encryption_of(job.encryption)
    keys = [] if encryption is None else [encryption.index_identity]
    trust = Trust.of(job, chain)
    for row in chain:
        try:
            stored = open_set(storage, trust, row.set_id, keys=keys)
        except NotFound as error:
            raise ParentUnusable(f"set '{row.set_id}' is not stored any more") from error
        except (VerifyError, FormatError, Refused) as error:
            raise ParentUnusable(error.message) from error
        for piece, _ in misfits(storage, stored.manifest):
            raise ParentUnusable(f"set '{row.set_id}' has lost its piece '{piece.name}'")
        yield stored


def _check_same_source(manifest: Manifest, job: Job, engine: Engine[Any]) -> None:
    if manifest.engine_version != engine.version:
        raise ParentUnusable(
            f"set '{manifest.set_id}' has the layout {manifest.engine_version}, "
            f"and this release writes {engine.version}"
        )
    encryption = encryption_of(job.encryption)
    if manifest.encryption != (None if encryption is None else encryption.described()):
        raise ParentUnusable(f"the encryption changed since set '{manifest.set_id}'")
    if manifest.source != digest_of_options(job.source):
        raise ParentUnusable(f"the source's options changed since set '{manifest.set_id}'")
