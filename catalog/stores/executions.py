"""Runs of schedules and their attempts: begun, finished, listed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, and_, select

from airflow_backup.catalog.changes import forget_changes
from airflow_backup.catalog.run_records import AttemptRow, Execution, Failure, Outcome
from airflow_backup.catalog.stores.events import add_event
from airflow_backup.catalog.stores.execution_events import failure_detail, tell_begun, tell_finished
from airflow_backup.catalog.stores.execution_reads import (
    ExecutionReads,
    find_execution,
    is_of,
    last_attempt,
)
from airflow_backup.catalog.tables import attempts, executions
from airflow_backup.core.errors import NotFound
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import EventKind, ExecutionStatus, Kind, Trigger
from airflow_backup.core.worker import Worker

_BETWEEN_ATTEMPTS = (ExecutionStatus.PENDING, ExecutionStatus.FAILED)
"""Failed is what earlier versions wrote there."""


class Executions(ExecutionReads):
    """The executions of all schedules."""

    def begin(
        self,
        schedule_id: str,
        run_id: str,
        *,
        run_at: datetime,
        trigger: Trigger,
        at: datetime,
        attempt: int = 1,
        kind: Kind | None = None,
        note: str | None = None,
        queued_at: datetime | None = None,
        definition: str | None = None,
        definition_version: int | None = None,
        worker: Worker | None = None,
    ) -> AttemptRow:
        """
        Note that an attempt starts at ``at``; return it, with a number that is new for the run.

        ``definition`` is the digest of the schedule as it is carried out, ``definition_version`` its number in the
        catalog where it was made there; ``worker`` is who carries it out.

        An earlier attempt that never said how it ended is noted as failed.
        """
        by: dict[str, Any] = {
            "definition": definition,
            "definition_version": definition_version,
            "host": None if worker is None else worker.host,
            "queue": None if worker is None else worker.queue,
            "executor": None if worker is None else worker.executor,
        }
        values: dict[str, Any] = {
            "status": ExecutionStatus.RUNNING,
            "reason": None,
            "finished_at": None,
            "error": None,
            "hint": None,
            "failure_class": None,
            **by,
        }
        if kind is not None:
            values["kind"] = kind
        with self._database.writing(alone=f"run {schedule_id} {run_id}") as connection:
            last = last_attempt(connection, schedule_id, run_id)
            number = max(attempt, 1 if last is None else last + 1)
            values["attempts"] = number
            if last is None:
                values["started_at"] = at  # of one that was skipped before, too
            key = {"schedule_id": schedule_id, "run_id": run_id}
            changed = connection.execute(executions.update().where(is_of(**key)).values(**values))
            if not changed.rowcount:
                first = {
                    "trigger": trigger,
                    "note": note,
                    "run_at": run_at,
                    "since": queued_at or at,
                    "queued_at": queued_at,
                    "started_at": at,
                    "warnings": 0,
                }
                connection.execute(executions.insert().values(**key, **(values | first)))
            closed = _close_open_attempts(connection, schedule_id, run_id, at=at)
            running = AttemptRow(
                schedule_id=schedule_id,
                run_id=run_id,
                number=number,
                status=ExecutionStatus.RUNNING,
                started_at=at,
                **by,
            )
            connection.execute(
                attempts.insert().values(
                    **key, **by, number=number, status=ExecutionStatus.RUNNING, started_at=at
                )
            )
            about = {"kind": kind, "trigger": trigger, "note": note}
            tell_begun(connection, running, about=about, given_up=SILENT if closed else None)
            forget_changes(connection)
        return running

    def skip(
        self,
        schedule_id: str,
        run_id: str,
        *,
        run_at: datetime,
        trigger: Trigger,
        at: datetime,
        reason: str,
        kind: Literal[EventKind.SKIPPED, EventKind.CANCELLED] = EventKind.SKIPPED,
    ) -> None:
        """
        Note that a run was skipped, or cancelled, before its first attempt; said once, however often it is called.

        One that waits for a further attempt can be cancelled, too. What works says itself how it ends.
        """
        status = ExecutionStatus(kind)
        row = {
            "status": status,
            "reason": reason,
            "trigger": trigger,
            "run_at": run_at,
            "since": at,
            "finished_at": at,
            "attempts": 0,
            "warnings": 0,
        }
        key = {"schedule_id": schedule_id, "run_id": run_id}
        with self._database.writing(alone=f"run {schedule_id} {run_id}") as connection:
            known = connection.scalar(select(executions.c.status).where(is_of(**key)))
            if known is None:
                connection.execute(executions.insert().values(**key, **row))
            elif kind is EventKind.CANCELLED and known in _BETWEEN_ATTEMPTS:
                ended = {"status": status, "reason": reason, "finished_at": at}
                connection.execute(executions.update().where(is_of(**key)).values(**ended))
            else:
                return
            add_event(
                connection,
                at=at,
                action=kind,
                subject=schedule_id,
                detail={"run_id": run_id, "reason": reason},
            )

    def finish(self, attempt: AttemptRow, outcome: Outcome, *, at: datetime) -> Execution:
        """
        Note how an attempt ended, and with it the execution; return the execution, which is pending where the attempt
        failed and is tried again.

        What completed stays completed: a failure to hear of that is none of the run.
        """
        with self._database.writing(alone=_turn(attempt)) as connection:
            before = _status(connection, attempt)
            if before != ExecutionStatus.COMPLETED:
                _note_end(connection, attempt, outcome, at=at, before=before)
            return _required(connection, attempt)

    def close(self, attempt: AttemptRow, outcome: Outcome, *, at: datetime) -> Execution | None:
        """
        Note how an attempt ended that does not say so itself, and return its execution.

        None where it has said so meanwhile, or a further one has begun: its own words are not written over.
        """
        with self._database.writing(alone=_turn(attempt)) as connection:
            before = _status(connection, attempt)
            if before != ExecutionStatus.RUNNING:
                return None
            _note_end(connection, attempt, outcome, at=at, before=before)
            return _required(connection, attempt)

    def give_up(self, execution: Execution, outcome: Outcome, *, at: datetime) -> Execution | None:
        """
        Note how a run ended that waited for another attempt, which does not come any more.

        None where it does not wait any more: another one noted it, or an attempt has begun.
        """
        last = AttemptRow(
            schedule_id=execution.schedule_id,
            run_id=execution.run_id,
            number=execution.attempts,
            status=outcome.status,
            started_at=execution.started_at or execution.since,
        )
        ended = {"status": outcome.status, "reason": outcome.reason, "finished_at": at}
        waits = and_(
            executions.c.status == ExecutionStatus.PENDING,
            executions.c.attempts == execution.attempts,
        )
        with self._database.writing() as connection:
            mine = is_of(execution.schedule_id, execution.run_id)
            changed = connection.execute(executions.update().where(mine, waits).values(**ended))
            if not changed.rowcount:
                return None
            tell_finished(connection, last, outcome, at=at)
            return _required(connection, last)


def _turn(attempt: AttemptRow) -> str:
    """Name the run: one at a time notes something of it, so that each sees what the others noted."""
    return f"run {attempt.schedule_id} {attempt.run_id}"


def _mine(attempt: AttemptRow) -> ColumnElement[bool]:
    return and_(
        attempts.c.schedule_id == attempt.schedule_id,
        attempts.c.run_id == attempt.run_id,
        attempts.c.number == attempt.number,
    )


def _status(connection: Connection, attempt: AttemptRow) -> str | None:
    found: str | None = connection.scalar(select(attempts.c.status).where(_mine(attempt)))
    return found


def _note_end(
    connection: Connection,
    attempt: AttemptRow,
    outcome: Outcome,
    *,
    at: datetime,
    before: str | None,
) -> None:
    """Write how an attempt ended that had the status ``before``; and tell it, unless that was told before."""
    failure: dict[str, Any] = {"error": None, "hint": None, "failure_class": None}
    if outcome.failure is not None:
        failure = failure_detail(outcome.failure)
    figures = {
        "reason": outcome.reason,
        "set_id": outcome.set_id,
        "files": outcome.files,
        "bytes_read": outcome.bytes_read,
        "bytes_stored": outcome.bytes_stored,
        "warnings": outcome.warnings,
    }
    if outcome.kind is not None:
        figures["kind"] = outcome.kind
    ended = {"status": outcome.status, "finished_at": at, **failure}
    if outcome.is_tried_again and outcome.status is ExecutionStatus.FAILED:
        figures |= {"status": ExecutionStatus.PENDING, "finished_at": None}
    connection.execute(attempts.update().where(_mine(attempt)).values(**ended))
    if last_attempt(connection, attempt.schedule_id, attempt.run_id) != attempt.number:
        return  # an attempt given up for dead speaks for itself only
    connection.execute(
        executions.update()
        .where(is_of(attempt.schedule_id, attempt.run_id))
        .values(**(ended | figures))
    )
    # Else it was told, and the answer was lost; but who was told of a failure has to hear that it is none.
    if before == ExecutionStatus.RUNNING or outcome.status is ExecutionStatus.COMPLETED:
        tell_finished(connection, attempt, outcome, at=at)


def _required(connection: Connection, attempt: AttemptRow) -> Execution:
    found = find_execution(connection, attempt.schedule_id, attempt.run_id)
    if found is None:
        raise NotFound(f"no execution '{attempt.run_id}' of '{attempt.schedule_id}'")
    return found


SILENT = Failure(
    error="the attempt ended without a word",
    hint="was its worker stopped, or out of memory?",
    failure_class=FailureClass.UNKNOWN,
)


def _close_open_attempts(
    connection: Connection, schedule_id: str, run_id: str, *, at: datetime
) -> bool:
    """Note attempts that never said how they ended as failed; return whether there was one."""
    closed = connection.execute(
        attempts.update()
        .where(
            attempts.c.schedule_id == schedule_id,
            attempts.c.run_id == run_id,
            attempts.c.status == ExecutionStatus.RUNNING,
        )
        .values(
            status=ExecutionStatus.FAILED,
            finished_at=at,
            error=SILENT.error,
            hint=SILENT.hint,
            failure_class=SILENT.failure_class,
        )
    )
    return closed.rowcount > 0
