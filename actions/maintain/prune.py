"""Remove the sets that a schedule no longer keeps: storage first, the catalog's row only after."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from airflow_backup.actions.sets.heads import newest_head
from airflow_backup.actions.sets.repository import check
from airflow_backup.actions.sets.trust import Described, Trust
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import SetRow
from airflow_backup.catalog.rules.retention import Verdict, decide
from airflow_backup.core.connections import Connections
from airflow_backup.core.errors import FormatError, NotFound, Refused, StorageDenied, VerifyError
from airflow_backup.core.format.manifest import Manifest, manifest_name, set_prefix
from airflow_backup.engines.capabilities import Outside
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.registry import registry
from airflow_backup.schedules.model.policies import Retention
from airflow_backup.storage.open import open_storage
from airflow_backup.storage.protocol import Storage


class Kept(Described, Protocol):
    """What pruning needs to know of a schedule."""

    @property
    def repository(self) -> str: ...
    @property
    def connection(self) -> str | None: ...
    @property
    def retention(self) -> Retention | None: ...
    @property
    def timezone(self) -> str: ...


@dataclass(frozen=True)
class PruneResult:
    """The verdict on every set, and how many bytes went, or would go."""

    verdicts: Sequence[Verdict]
    removed: Sequence[str]
    bytes_removed: int
    is_dry_run: bool
    refused: Mapping[str, str] = field(default_factory=dict)
    """Sets that the storage does not give up, and why: they stay as they are."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "dry_run": self.is_dry_run,
            "removed": list(self.removed),
            "bytes_removed": self.bytes_removed,
            "refused": dict(self.refused),
            "sets": [
                {
                    "set_id": verdict.set.set_id,
                    "kept": verdict.kept,
                    "reasons": list(verdict.reasons),
                    "bytes_stored": verdict.set.bytes_stored,
                }
                for verdict in self.verdicts
            ],
        }


def prune(
    schedule: Kept,
    *,
    catalog: Catalog,
    connections: Connections,
    clock: Callable[[], datetime],
    actor: str,
    policy: Retention | None = None,
    dry_run: bool = False,
) -> PruneResult:
    """
    Judge the sets of a schedule and remove those that nothing keeps.

    ``policy`` instead of the schedule's own shows what a change would do. Children go before parents. A set is
    marked before anything of it is deleted, and its manifest goes first: whatever ends this half-way leaves no set
    that looks whole, and the next prune goes on. Refused while a backup of the schedule runs, and when the clock
    cannot be trusted.
    """
    rules = policy or schedule.retention
    rows = [row for row in catalog.sets.of(schedule.id) if row.repository == schedule.repository]
    trust = Trust.of(schedule, rows)

    def open_it() -> Storage:
        return open_storage(schedule.repository, connections, connection=schedule.connection)

    begun = [row for row in rows if row.state == "deleting"]
    verdicts = (
        decide(
            [row for row in rows if row.state != "deleting"],
            rules,
            now=clock(),
            timezone=schedule.timezone,
            held=_named_by_the_head(open_it(), trust) if trust.signers else {},
        )
        if rules is not None
        else []
    )
    doomed = {verdict.set.set_id for verdict in verdicts if not verdict.kept}
    going = [*begun, *(row for row in rows if row.set_id in doomed)]
    refused: dict[str, str] = {}
    going.sort(key=lambda row: (row.consistent_at, row.set_id), reverse=True)
    if going and not dry_run:
        _check_idle(schedule.id, catalog)
        storage = open_it()
        check(storage, schedule.repository, catalog)
        context = EngineContext(connections=connections, clock=clock, source=schedule.source)
        elsewhere = _Elsewhere(storage, trust, context)
        refused = _remove_all(going, storage, catalog, elsewhere, clock=clock, actor=actor)
        elsewhere.compact()
        going = [row for row in going if row.set_id not in refused]
    return PruneResult(
        verdicts,
        [row.set_id for row in going],
        sum(row.bytes_stored for row in going),
        dry_run,
        refused,
    )


def _remove_all(
    going: Sequence[SetRow],
    storage: Storage,
    catalog: Catalog,
    elsewhere: _Elsewhere,
    *,
    clock: Callable[[], datetime],
    actor: str,
) -> dict[str, str]:
    """Remove sets, children before parents; return those that the storage does not give up, and why."""
    refused: dict[str, str] = {}
    needed: dict[str, str] = {}
    for row in going:
        if row.set_id in needed:
            refused[row.set_id] = f"needed by {needed[row.set_id]}"
        else:
            catalog.sets.mark(row.set_id, "deleting")
            _check_still_idle(row, catalog)
            try:
                elsewhere.forget(row)
                _remove(row, storage, catalog, at=clock(), actor=actor)
            except (StorageDenied, Refused, VerifyError, FormatError) as error:
                # object lock, no right to delete, or a set that somebody changed: a person must look at it
                refused[row.set_id] = error.message
                _give_back(row, storage, catalog)
        if row.set_id in refused and row.parent is not None:
            needed[row.parent] = row.set_id
    return refused


def _give_back(row: SetRow, storage: Storage, catalog: Catalog) -> None:
    """A set whose manifest is still there is as good as it was."""
    with contextlib.suppress(NotFound):
        storage.stat(manifest_name(row.schedule_id, row.set_id))
        catalog.sets.mark(row.set_id, "good" if row.state == "deleting" else row.state)


def _check_idle(schedule_id: str, catalog: Catalog) -> None:
    for execution in catalog.executions.active():
        if execution.schedule_id == schedule_id:
            raise Refused(
                f"a backup of '{schedule_id}' is running: {execution.run_id}",
                hint="it may build on a set that would go; prune when it is over",
            )


def _check_still_idle(row: SetRow, catalog: Catalog) -> None:
    """
    Take the mark back, and stop, when a backup began meanwhile.

    A backup writes down that it runs, then looks for a set to build upon; we mark a set, then look for what
    runs. So one of the two always sees the other, and nothing is ever built upon a set that goes.
    """
    try:
        _check_idle(row.schedule_id, catalog)
    except Refused:
        if row.state != "deleting":
            catalog.sets.mark(row.set_id, row.state)
        raise


def _remove(row: SetRow, storage: Storage, catalog: Catalog, *, at: datetime, actor: str) -> None:
    with contextlib.suppress(NotFound):  # it went in an earlier attempt
        storage.delete(manifest_name(row.schedule_id, row.set_id))
    for piece in list(storage.list(set_prefix(row.schedule_id, row.set_id))):
        with contextlib.suppress(NotFound):
            storage.delete(piece.name)
    check(storage, row.repository, catalog)  # nothing is there, also where its disk has just gone
    catalog.sets.forget(row.set_id)
    catalog.events.append(
        at=at, actor=actor, action="prune", subject=row.set_id, detail={"bytes": row.bytes_stored}
    )


def _named_by_the_head(storage: Storage, trust: Trust) -> Mapping[str, str]:
    """Return why the newest signed set stays: without it, what is left looks like an older state."""
    head = newest_head(storage, trust)
    return {} if head is None else {head.set_id: "the newest signed set"}


class _Elsewhere:
    """Lets engines that store in a place of their own (restic) forget there what goes here."""

    def __init__(self, storage: Storage, trust: Trust, context: EngineContext) -> None:
        # Those whose hash the catalog knows were signed when they were recorded.
        self._storage, self._context = storage, context
        self._trust = replace(trust, signers=())
        self._forgotten: dict[str, Manifest] = {}

    def forget(self, row: SetRow) -> None:
        """
        Forget first: a set whose manifest is gone could not be found there any more.

        Tampered where the manifest is not what the catalog knows, Refused where it is of another engine: what it
        says leads to what is removed elsewhere.
        """
        engine = self._engine(row.engine)
        trust = self._trust if engine is not None else replace(self._trust, engine=None)
        try:
            manifest = trust.read(self._storage, row.set_id).manifest
        except NotFound:
            return  # an earlier attempt came further than this
        if engine is None:
            return
        engine.forget(manifest, self._context)
        self._forgotten[row.engine] = manifest

    def compact(self) -> None:
        """Give back the room of what was forgotten."""
        for name, manifest in self._forgotten.items():
            if (engine := self._engine(name)) is not None:
                engine.compact(manifest, self._context)

    def _engine(self, name: str) -> Outside | None:
        engine = registry().get(name)
        return engine if isinstance(engine, Outside) else None
