"""Restore a set, with or without a catalog: the repository is enough."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_backup.actions.restore.carry_out import RestoreResult, carry_out
from airflow_backup.actions.restore.chain import chosen_chain, engine_for, knowing
from airflow_backup.actions.restore.plan import (
    ASSUMED_RATE,
    RestorePlan,
    bytes_written,
    rate_of,
)
from airflow_backup.actions.restore.swap import Swap
from airflow_backup.actions.restore.target import ServerTarget, Target, TargetState, look_at
from airflow_backup.actions.sets.piece_sizes import misfits
from airflow_backup.actions.sets.repository import id_of, saying_when_gone
from airflow_backup.actions.sets.stored_set import StoredSet
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.core.connections import Connections, from_environment
from airflow_backup.core.errors import ConfigError, VerifyError
from airflow_backup.core.format.age import Identity
from airflow_backup.core.format.manifest import set_prefix
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import Kind
from airflow_backup.engines.capabilities import Loader, PartChecker, Resumer
from airflow_backup.engines.protocol import Engine, EngineContext, SetReader
from airflow_backup.engines.registry import Registry
from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.storage.folder import FolderStorage
from airflow_backup.storage.open import open_storage
from airflow_backup.storage.protocol import Storage

if TYPE_CHECKING:
    from airflow_backup.catalog import Catalog


def restore(
    trust: Trust,
    *,
    repository: str,
    target: Target,
    connections: Connections,
    clock: Callable[[], datetime],
    connection: str | None = None,
    set_id: str | None = None,
    at: datetime | None = None,
    only: Sequence[str] = (),
    keys: Sequence[Identity] = (),
    source: EngineOptions | None = None,
    reporter: Reporter | None = None,
    engines: Registry | None = None,
    catalog: Catalog | None = None,
    replace: bool = False,
    actor: str = "airflow-backup",
) -> RestoreResult:
    """
    Restore a set of the schedule of ``trust``, its newest one without ``set_id`` and ``at``, into an empty folder.

    ``at`` is the moment to come back to, as near as sets and archived logs come to it.
    ``only`` names parts of it, such as files and folders of a file tree; ``keys`` open an
    encrypted one. ``source`` are the options that the schedule has, with its programs. ``replace`` puts the restored
    folder in the place of one that is not empty, which is kept beside it.

    The sizes of all pieces are compared with the manifests first, and every frame is checked
    before its bytes are used: nothing damaged is ever written.
    """
    storage = open_storage(repository, connections, connection=connection)
    what = plan(
        storage,
        trust,
        target=target,
        set_id=set_id,
        at=at,
        only=only,
        keys=keys,
        catalog=catalog,
        engines=engines,
        connections=connections,
        replace=replace,
        source=source,
    )
    context = EngineContext(
        connections=connections, reporter=reporter or Reporter(), clock=clock, source=source
    )
    return carry_out(what, context, engines=engines, catalog=catalog, actor=actor)


def plan(
    storage: Storage,
    trust: Trust,
    *,
    target: Target,
    set_id: str | None = None,
    at: datetime | None = None,
    only: Sequence[str] = (),
    keys: Sequence[Identity] = (),
    catalog: Catalog | None = None,
    engines: Registry | None = None,
    connections: Connections = from_environment,
    replace: bool = False,
    source: EngineOptions | None = None,
) -> RestorePlan:
    """
    Say what a restore would do; raise where nothing can be restored at all.

    With a catalog, sets that failed a verification are not chosen.
    """
    schedule_id, trust = trust.schedule_id, knowing(trust, catalog)
    here = id_of(storage)
    with saying_when_gone(storage, here):
        chain, gaps = chosen_chain(storage, trust, set_id=set_id, at=at, keys=keys, catalog=catalog)
        for each in chain:
            _check_presence(storage, each)
    last = chain[-1].manifest
    engine = engine_for(last, trust, engines)
    context = EngineContext(connections=connections, source=source)
    _check_engine(engine, chain, target, only, context)
    until, needed = stop_at(chain, at), bytes_written(chain)
    to_read = sum(each.manifest.totals.bytes_stored for each in chain)
    rate = rate_of(schedule_id, catalog)
    what = RestorePlan(
        schedule_id=schedule_id,
        engine=last.engine,
        target=target,
        asked_at=at,
        consistent_at=until or last.consistent_at,
        until=until,
        storage=storage,
        repository_id=here,
        chain=chain,
        only=tuple(only),
        bytes_to_read=to_read,
        bytes_to_write=needed,
        seconds=to_read / (rate or ASSUMED_RATE),
        measured=rate is not None,
        gaps=gaps,
        warnings=_doubts(chain, catalog),
    )
    precious = {"the repository": storage.root} if isinstance(storage, FolderStorage) else {}
    found = _look(what, needed=needed, replace=replace, precious=precious)
    if found.resumes and not isinstance(engine, Resumer):
        why = f"'{target}' holds an unfinished restore, and the {engine.name} engine cannot go on with it"
        found = TargetState(found.holds, refused=why, hint="remove it, or --replace")
    return dataclasses.replace(
        what,
        holds=found.holds,
        resumes=found.resumes,
        replaces=found.replaces,
        refused=found.refused,
        hint=found.hint,
        warnings=(*what.warnings, *found.warnings),
    )


def _look(
    what: RestorePlan, *, needed: int, replace: bool, precious: Mapping[str, Path]
) -> TargetState:
    if not isinstance(what.target, ServerTarget):
        interrupted = Swap(what.target, what.marker()).look()
        if interrupted is not None:
            return interrupted
    return look_at(what.target, what.marker(), needed=needed, replace=replace, precious=precious)


def _check_engine(
    engine: Engine[Any],
    chain: Sequence[StoredSet],
    target: Target,
    only: Sequence[str],
    context: EngineContext,
) -> None:
    """Raise what the engine would raise, before anything is written: a dry run tells the same."""
    if isinstance(target, ServerTarget) and not isinstance(engine, Loader):
        raise ConfigError(
            f"the {engine.name} engine restores into folders only", hint="--to FOLDER"
        )
    for each in chain:
        each.check_keys()
    if not only:
        return
    if not isinstance(engine, PartChecker):
        raise ConfigError(
            f"the {engine.name} engine restores all of a set", hint="leave the paths out"
        )
    engine.check_parts(chain, only, context)


def _doubts(chain: Sequence[StoredSet], catalog: Catalog | None) -> tuple[str, ...]:
    if catalog is None:
        return ()
    doubts = []
    for each in chain:
        row = catalog.sets.get(each.manifest.set_id)
        if row is None:
            continue
        if row.state != "good":
            doubts.append(f"set '{row.set_id}' is {row.state}")
    return tuple(doubts)


def stop_at(chain: Sequence[SetReader], at: datetime | None) -> datetime | None:
    """Return where to stop in the archived logs at the end of ``chain``; None when there are none."""
    last = chain[-1].manifest
    if last.kind is not Kind.ARCHIVE_LOG:
        return None
    return last.consistent_at if at is None else min(at, last.consistent_at)


def _check_presence(storage: Storage, each: StoredSet) -> None:
    """Raise VerifyError when a piece is missing or has another size than the manifest says."""
    manifest = each.manifest
    for piece, size in misfits(storage, manifest):
        if size is None:
            raise VerifyError(
                f"set '{manifest.set_id}' has lost its piece '{piece.name}'",
                hint="restore an earlier set",
            )
        name = set_prefix(manifest.schedule_id, manifest.set_id) + piece.name
        raise VerifyError(
            f"'{name}' has {size} bytes, and its manifest says {piece.size}",
            hint="restore an earlier set",
        )
