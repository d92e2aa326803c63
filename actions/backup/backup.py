"""Take one backup: from a schedule and a run to a set that is stored, proven whole and known."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_backup.actions.backup.attempt import Attempt
from airflow_backup.actions.backup.parent import Plan, newest_log, plan, promoted
from airflow_backup.actions.backup.result import BackupResult, Job, Run, result_of
from airflow_backup.actions.backup.signer import signer_of
from airflow_backup.actions.sets import repository
from airflow_backup.actions.sets.trust import StoredManifest
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import Attempt as AttemptRow
from airflow_backup.catalog.stores.executions import Failure, Outcome
from airflow_backup.core.connections import Connections
from airflow_backup.core.errors import (
    BackupError,
    Cancelled,
    CatalogError,
    ConfigError,
    FailureClass,
    ParentUnusable,
    classify,
)
from airflow_backup.core.format.manifest import Previous
from airflow_backup.core.memory import keep_freed_memory
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import ExecutionStatus, Kind
from airflow_backup.engines.protocol import Engine, Surroundings
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
    reporter: Reporter | None = None,
    engines: Registry | None = None,
    allowed_commands: Sequence[str] = (),
    source_roots: Sequence[str] | None = None,
) -> BackupResult:
    """
    Store the set of ``run`` and note it in the catalog.

    ``allowed_commands`` are the programs that an administrator lets schedules run, ``source_roots`` the
    folders within which local sources must lie (None: anywhere).

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
    )
    wanted = kind or schedule.kind or Kind.FULL
    around = Surroundings(
        connections=connections,
        reporter=reporter or Reporter(),
        clock=clock,
        schedule_id=schedule.id,
        kind=wanted,
        allowed_commands=allowed_commands,
        source_roots=source_roots,
    )
    try:
        storage = open_storage(schedule.repository, connections, connection=schedule.connection)
        repository.check(storage, schedule.repository, catalog)
        attempt = Attempt(schedule, run, storage, number=row.number)
        taken = _store(attempt, schedule, wanted, catalog, around, engines or registry())
        _record(catalog, schedule, taken, row, clock=clock)
    except BaseException as error:
        _note_failure(catalog, row, error, at=clock())
        raise
    return result_of(
        taken.stored.manifest,
        repository=schedule.repository,
        duration=time.monotonic() - begun,
        adopted=taken.adopted,
        reason=_reason(taken),
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
    around: Surroundings,
    engines: Registry,
) -> _Taken:
    around.reporter.begin("preparing")
    attempt.signer = signer_of(schedule, attempt.storage, catalog, around.connections)
    stored = attempt.adopt()
    if stored is not None:
        logger.info("set %s was stored by an earlier attempt", attempt.set_id)
        taken = _Taken(stored, adopted=True)
    else:
        taken = _store_new(attempt, schedule, kind, catalog, around, engines)
    if attempt.signer is not None:
        attempt.signer.note(attempt.storage, taken.stored)
    return taken


def _store_new(
    attempt: Attempt,
    schedule: Job,
    kind: Kind,
    catalog: Catalog,
    around: Surroundings,
    engines: Registry,
) -> _Taken:
    engine = engines.get(schedule.source.engine)
    _check(engine, schedule, kind, around)
    attempt.repository = repository.ensure(attempt.storage, schedule.repository, catalog)
    attempt.clean()
    what = plan(schedule, kind, engine, attempt.storage, catalog)
    try:
        return _take(attempt, schedule, engine, what, catalog, around)
    except ParentUnusable as error:
        return _take(attempt, schedule, engine, promoted(kind, error), catalog, around)


def _take(
    attempt: Attempt,
    schedule: Job,
    engine: Engine,
    what: Plan,
    catalog: Catalog,
    around: Surroundings,
) -> _Taken:
    if what.reason is not None:
        logger.info("schedule %s: %s", schedule.id, what.reason)
    latest = catalog.sets.latest(schedule.id)
    previous = None if latest is None else Previous(set_id=latest.set_id, hash=latest.manifest_hash)
    expected = latest.bytes_read if latest is not None and latest.kind is what.kind else None
    is_log = what.kind is Kind.ARCHIVE_LOG
    log = newest_log(schedule, attempt.storage, catalog) if is_log else None
    around = replace(around, expected_bytes=expected, newest_log=log)
    doubt = None if latest is None else _doubt_of_clock(latest.consistent_at, around.clock())
    stored = attempt.take(engine, around, plan=what, previous=previous, doubt=doubt)
    return _Taken(stored, reason=what.reason)


def _doubt_of_clock(newest: datetime, now: datetime) -> str | None:
    """Say that the clock went backwards: who asks for the newest state would get an older one."""
    if now >= newest:
        return None
    return (
        f"the clock says {now:%Y-%m-%d %H:%M:%S} UTC, and the newest set is of {newest:%Y-%m-%d %H:%M:%S}: "
        "until it has passed that, a restore by time gives that set; this one is restored by --set"
    )


def _check(engine: Engine, schedule: Job, kind: Kind, around: Surroundings) -> None:
    kinds = schedule.source.kinds or engine.kinds
    if kind not in kinds:
        raise ConfigError(
            f"the {engine.name} engine takes no {kind} set of this source",
            hint=f"use one of {', '.join(sorted(kinds))}",
        )
    problems = engine.check(schedule.source, around)
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
    clock: Callable[[], datetime],
) -> None:
    manifest = taken.stored.manifest
    outcome = Outcome(
        status=ExecutionStatus.COMPLETED,
        reason=_reason(taken),
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
        raise CatalogError(
            f"set '{manifest.set_id}' is stored, and the catalog does not know it: {error.message}",
            hint="a retry of the run takes it over, and so does: airflow-backup sync",
        ) from error


def _reason(taken: _Taken) -> str | None:
    """Say what keeps the run from being plainly completed: another kind, or something left out."""
    unread = taken.stored.manifest.counts.get("unread")
    if not unread:
        return taken.reason
    left_out = f"{unread} entries could not be read, and are not in the set"
    if unread == 1:
        left_out = "1 entry could not be read, and is not in the set"
    return left_out if taken.reason is None else f"{taken.reason}; {left_out}"


def _note_failure(catalog: Catalog, row: AttemptRow, error: BaseException, *, at: datetime) -> None:
    try:
        catalog.executions.finish(row, _outcome(error), at=at)
    except BackupError as unnoted:
        # The failure itself is raised in any case, and matters more than this one.
        logger.error("the failure of run %s is not in the catalog: %s", row.run_id, unnoted)


def _outcome(error: BaseException) -> Outcome:
    failure_class = classify(error)
    if isinstance(error, BackupError):
        failure = Failure(error=error.message, hint=error.hint, failure_class=failure_class)
    else:
        text = str(error).strip() or type(error).__name__
        failure = Failure(error=text, hint="what does the log say?", failure_class=failure_class)
    if isinstance(error, Cancelled) or failure_class is FailureClass.CANCELLED:
        return Outcome(status=ExecutionStatus.CANCELLED, reason=failure.error, failure=failure)
    return Outcome(status=ExecutionStatus.FAILED, failure=failure)
