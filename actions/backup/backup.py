"""Take one backup: from a schedule and a run to a set that is stored, proven whole and known."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_backup.actions.backup.attempt import Attempt
from airflow_backup.actions.backup.control import Control, Limits
from airflow_backup.actions.backup.dry_run import problems_of
from airflow_backup.actions.backup.failed import note_failure
from airflow_backup.actions.backup.host import check_host, with_host
from airflow_backup.actions.backup.limits.throttle import standing_back
from airflow_backup.actions.backup.parent import ParentChoice, choose_parent, newest_log, promoted
from airflow_backup.actions.backup.result import BackupResult, Job, Run, result_of
from airflow_backup.actions.backup.signer import signer_of
from airflow_backup.actions.sets import repository
from airflow_backup.actions.sets.trust import StoredManifest
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import AttemptRow, Outcome
from airflow_backup.core.connections import Connections
from airflow_backup.core.errors import CatalogError, ParentUnusable
from airflow_backup.core.format.manifest import Previous
from airflow_backup.core.memory import keep_freed_memory
from airflow_backup.core.progress import CONFIRMING
from airflow_backup.core.words import ExecutionStatus, Kind
from airflow_backup.engines.capabilities import EntryCounter
from airflow_backup.engines.protocol import Engine, EngineContext
from airflow_backup.engines.registry import Registry, registry
from airflow_backup.storage.open import open_storage

__all__ = ["BackupResult", "Job", "Run", "backup"]

logger = logging.getLogger(__name__)


def backup(
    schedule: Job,
    run: Run,
    *,
    catalog: Catalog,
    connections: Connections,
    clock: Callable[[], datetime],
    kind: Kind | None = None,
    control: Control | None = None,
    engines: Registry | None = None,
    allowed_commands: Sequence[str] = (),
    source_roots: Sequence[str] | None = None,
) -> BackupResult:
    """
    Store the set of ``run`` and note it in the catalog.

    ``control`` is told progress, and stops or pauses the run. ``allowed_commands`` are the programs that an
    administrator lets schedules run, ``source_roots`` the folders within which local sources must lie (None:
    anywhere).

    Every failure is noted with the execution and raised. A failure before the manifest leaves
    no set. After the manifest the set is safe, and when only the catalog fails, the retry of
    the same run finds the set and takes it over.
    """
    keep_freed_memory()
    begun = time.monotonic()
    row = catalog.executions.begin(
        schedule.id,
        run.id,
        run_at=run.at,
        trigger=run.trigger,
        at=clock(),
        attempt=run.attempt,
        kind=kind or schedule.kind or Kind.FULL,
        note=run.note,
        queued_at=run.queued_at,
        definition=run.definition,
        definition_version=run.definition_version,
        worker=run.worker,
    )
    wanted = kind or schedule.kind or Kind.FULL
    control = control or Control(limits=Limits(), clock=clock)
    context = EngineContext(
        connections=connections,
        reporter=control.reporter,
        clock=clock,
        schedule_id=schedule.id,
        kind=wanted,
        allowed_commands=allowed_commands,
        source_roots=source_roots,
        upload_limit=schedule.throttle.rates_at(clock(), timezone=schedule.timezone).upload,
        reading_is_limited=schedule.throttle.limits_reading,
    )
    taken: _Taken | None = None
    try:
        with control, standing_back(schedule.throttle):
            check_host(schedule, run.worker)
            storage = open_storage(schedule.repository, connections, connection=schedule.connection)
            repository.check(storage, schedule.repository, catalog)
            attempt = Attempt(schedule, run, storage, number=row.number)
            taken = _store(attempt, schedule, wanted, catalog, context, engines or registry())
            reason = _reason(taken, engines or registry())
            _record(catalog, schedule, taken, row, reason=reason, clock=clock)
    except BaseException as error:
        why = control.why(error) if taken is None else error  # a set that is stored is not unmade
        why = with_host(why, schedule, run.worker)
        again = run.is_tried_again(why)
        note_failure(catalog, row, why, at=clock(), is_tried_again=again)
        if why is error:
            raise
        raise why from error
    return result_of(
        taken.stored.manifest,
        repository=schedule.repository,
        duration=time.monotonic() - begun,
        adopted=taken.adopted,
        reason=reason,
    )


@dataclass(frozen=True, slots=True)
class _Taken:
    """A stored set; why it is of another kind than was asked for."""

    stored: StoredManifest
    adopted: bool = False
    reason: str | None = None


def _store(
    attempt: Attempt,
    schedule: Job,
    kind: Kind,
    catalog: Catalog,
    context: EngineContext,
    engines: Registry,
) -> _Taken:
    context.reporter.begin("preparing")
    attempt.signer = signer_of(schedule, attempt.storage, catalog, context.connections)
    stored = attempt.adopt()
    if stored is not None:
        logger.info("set %s was stored by an earlier attempt", attempt.set_id)
        context.reporter.begin(CONFIRMING)
        taken = _Taken(stored, adopted=True)
    else:
        taken = _store_new(attempt, schedule, kind, catalog, context, engines)
    if attempt.signer is not None:
        attempt.signer.note(attempt.storage, taken.stored)
    return taken


def _store_new(
    attempt: Attempt,
    schedule: Job,
    kind: Kind,
    catalog: Catalog,
    context: EngineContext,
    engines: Registry,
) -> _Taken:
    engine = engines.get(schedule.source.engine)
    _check(engine, schedule, kind, context)
    attempt.repository = repository.ensure(attempt.storage, schedule.repository, catalog)
    with repository.saying_when_gone(attempt.storage, attempt.repository):
        attempt.clean()
        what = choose_parent(
            schedule, kind, engine, attempt.storage, catalog, worker=attempt.worker
        )
        try:
            return _take(attempt, schedule, engine, what, catalog, context)
        except ParentUnusable as error:
            return _take(attempt, schedule, engine, promoted(kind, error), catalog, context)


def _take(
    attempt: Attempt,
    schedule: Job,
    engine: Engine[Any],
    what: ParentChoice,
    catalog: Catalog,
    context: EngineContext,
) -> _Taken:
    if what.reason is not None:
        logger.info("schedule %s: %s", schedule.id, what.reason)
    latest = catalog.sets.latest(schedule.id)
    previous = None if latest is None else Previous(set_id=latest.set_id, hash=latest.manifest_hash)
    expected = latest.bytes_read if latest is not None and latest.kind is what.kind else None
    is_log = what.kind is Kind.ARCHIVE_LOG
    log = newest_log(schedule, attempt.storage, catalog) if is_log else None
    context = replace(context, expected_bytes=expected, newest_log=log)
    doubt = None if latest is None else _doubt_of_clock(latest.consistent_at, context.clock())
    stored = attempt.take(engine, context, choice=what, previous=previous, doubt=doubt)
    return _Taken(stored, reason=what.reason)


def _doubt_of_clock(newest: datetime, now: datetime) -> str | None:
    """Say that the clock went backwards: who asks for the newest state would get an older one."""
    if now >= newest:
        return None
    return (
        f"the clock says {now:%Y-%m-%d %H:%M:%S} UTC, and the newest set is of {newest:%Y-%m-%d %H:%M:%S}: "
        "until it has passed that, a restore by time gives that set; this one is restored by --set"
    )


def _check(engine: Engine[Any], schedule: Job, kind: Kind, context: EngineContext) -> None:
    problems = problems_of(engine, schedule, kind, context)
    for problem in problems[1:]:
        logger.error("schedule %s: %s", schedule.id, problem)
    if problems:
        raise problems[0]


def _record(
    catalog: Catalog,
    schedule: Job,
    taken: _Taken,
    row: AttemptRow,
    *,
    reason: str | None,
    clock: Callable[[], datetime],
) -> None:
    manifest = taken.stored.manifest
    outcome = Outcome(
        status=ExecutionStatus.COMPLETED,
        reason=reason,
        kind=manifest.kind,
        set_id=manifest.set_id,
        files=manifest.totals.files,
        bytes_read=manifest.totals.bytes_read,
        bytes_stored=manifest.totals.bytes_stored,
        warnings=len(manifest.warnings),
    )
    try:
        catalog.sets.record(manifest, schedule.repository, manifest_hash=taken.stored.hash)
        catalog.executions.finish(row, outcome, at=clock())
    except CatalogError as error:
        if _is_known(catalog, row, manifest.set_id):
            return  # only the answer was lost
        raise CatalogError(
            f"set '{manifest.set_id}' is stored, and the catalog does not know it: {error.message}",
            hint="a retry of the run takes it over, and so does: airflow-backup sync",
        ) from error


def _is_known(catalog: Catalog, row: AttemptRow, set_id: str) -> bool:
    try:
        found = catalog.executions.get(row.schedule_id, row.run_id)
    except CatalogError:
        return False
    return found is not None and (found.status, found.set_id) == (ExecutionStatus.COMPLETED, set_id)


def _reason(taken: _Taken, engines: Registry) -> str | None:
    """Say what keeps the run from being plainly completed: another kind, or something left out."""
    manifest = taken.stored.manifest
    engine = engines.get(manifest.engine)
    counts_entries = isinstance(engine, EntryCounter) and engine.counts_entries
    unread = manifest.counts.get("unread") if counts_entries else None  # also a table's name
    if not unread:
        return taken.reason
    left_out = f"{unread} entries could not be read, and are not in the set"
    if unread == 1:
        left_out = "1 entry could not be read, and is not in the set"
    return left_out if taken.reason is None else f"{taken.reason}; {left_out}"
