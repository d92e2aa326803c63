"""Runs of schedules and their attempts: begun, finished, listed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.records import Attempt, Execution
from airflow_backup.catalog.stores.probe import newest
from airflow_backup.catalog.tables import attempts, executions
from airflow_backup.core.errors import FailureClass, NotFound
from airflow_backup.core.words import ExecutionStatus, Kind, Trigger

__all__ = ["Execution", "Executions", "Failure", "Outcome"]

_OPEN = [str(status) for status in ExecutionStatus if not status.is_final]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt did not make it."""

    error: str
    hint: str | None
    failure_class: FailureClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an attempt; figures only when it completed."""

    status: ExecutionStatus
    reason: str | None = None
    kind: Kind | None = None
    set_id: str | None = None
    files: int | None = None
    bytes_read: int | None = None
    bytes_stored: int | None = None
    warnings: int = 0
    failure: Failure | None = None


class Executions:
    """The executions of all schedules."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
    ) -> Attempt:
        """
        Note that an attempt starts at ``at``; return it, with a number that is new for the run.

        An earlier attempt that never said how it ended is noted as failed.
        """
        values: dict[str, Any] = {
            "status": ExecutionStatus.RUNNING,
            "reason": None,
            "finished_at": None,
            "error": None,
            "hint": None,
            "failure_class": None,
        }
        if kind is not None:
            values["kind"] = kind
        with self._database.writing() as connection:
            last = _last_attempt(connection, schedule_id, run_id)
            number = max(attempt, 1 if last is None else last + 1)
            values["attempts"] = number
            key = {"schedule_id": schedule_id, "run_id": run_id}
            changed = connection.execute(executions.update().where(_is(**key)).values(**values))
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
                connection.execute(executions.insert().values(**key, **values, **first))
            _close_open_attempts(connection, schedule_id, run_id, at=at)
            running = Attempt(
                schedule_id=schedule_id,
                run_id=run_id,
                number=number,
                status=ExecutionStatus.RUNNING,
                started_at=at,
            )
            connection.execute(
                attempts.insert().values(
                    **key, number=number, status=ExecutionStatus.RUNNING, started_at=at
                )
            )
        return running

    def finish(self, attempt: Attempt, outcome: Outcome, *, at: datetime) -> Execution:
        """Note how an attempt ended, and with it the execution; return the execution."""
        failure: dict[str, Any] = {"error": None, "hint": None, "failure_class": None}
        if outcome.failure is not None:
            failure = {
                "error": outcome.failure.error,
                "hint": outcome.failure.hint,
                "failure_class": outcome.failure.failure_class,
            }
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
        with self._database.writing() as connection:
            connection.execute(
                attempts.update()
                .where(
                    attempts.c.schedule_id == attempt.schedule_id,
                    attempts.c.run_id == attempt.run_id,
                    attempts.c.number == attempt.number,
                )
                .values(**ended)
            )
            newer = _last_attempt(connection, attempt.schedule_id, attempt.run_id)
            if newer == attempt.number:  # an attempt given up for dead speaks for itself only
                connection.execute(
                    executions.update()
                    .where(_is(attempt.schedule_id, attempt.run_id))
                    .values(**ended, **figures)
                )
        found = self.get(attempt.schedule_id, attempt.run_id)
        if found is None:
            raise NotFound(f"no execution '{attempt.run_id}' of '{attempt.schedule_id}'")
        return found

    def get(self, schedule_id: str, run_id: str) -> Execution | None:
        """Return one execution, or None."""
        with self._database.reading() as connection:
            row = connection.execute(select(executions).where(_is(schedule_id, run_id)))
            found = row.mappings().first()
        return None if found is None else execution_of(found)

    def history(
        self, schedule_id: str, limit: int = 50, before: datetime | None = None
    ) -> list[Execution]:
        """Return executions newest first; only those that came into being before ``before``."""
        query = (
            select(executions)
            .where(executions.c.schedule_id == schedule_id)
            .order_by(executions.c.since.desc(), executions.c.run_id.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(executions.c.since < before)
        with self._database.reading() as connection:
            return [execution_of(row) for row in connection.execute(query).mappings()]

    def last(self, ids: Iterable[str] | None = None) -> dict[str, Execution]:
        """Return the newest execution of each schedule; of all schedules without ``ids``."""
        return self._newest(ids, status=None)

    def last_completed(self, ids: Iterable[str] | None = None) -> dict[str, Execution]:
        """Return the newest completed execution of each schedule that has one."""
        return self._newest(ids, status=ExecutionStatus.COMPLETED)

    def active(self) -> list[Execution]:
        """Return what is pending, running or paused, newest first."""
        query = (
            select(executions)
            .where(executions.c.status.in_(_OPEN))
            .order_by(executions.c.since.desc())
        )
        with self._database.reading() as connection:
            return [execution_of(row) for row in connection.execute(query).mappings()]

    def attempts(self, execution: Execution) -> list[Attempt]:
        """Return the attempts of an execution in order."""
        query = (
            select(attempts)
            .where(
                attempts.c.schedule_id == execution.schedule_id,
                attempts.c.run_id == execution.run_id,
            )
            .order_by(attempts.c.number)
        )
        with self._database.reading() as connection:
            return [_attempt(row) for row in connection.execute(query).mappings()]

    def _newest(
        self, ids: Iterable[str] | None, *, status: ExecutionStatus | None
    ) -> dict[str, Execution]:
        query = newest(
            executions,
            key="run_id",
            order="since",
            ids=ids,
            is_sqlite=self._database.is_sqlite,
            condition=None if status is None else (lambda table: table.c.status == status),
        )
        with self._database.reading() as connection:
            found = [execution_of(row) for row in connection.execute(query).mappings()]
        return {execution.schedule_id: execution for execution in found}


def _is(schedule_id: str, run_id: str) -> Any:
    return and_(executions.c.schedule_id == schedule_id, executions.c.run_id == run_id)


def _last_attempt(connection: Connection, schedule_id: str, run_id: str) -> int | None:
    found: int | None = connection.scalar(
        select(attempts.c.number)
        .where(attempts.c.schedule_id == schedule_id, attempts.c.run_id == run_id)
        .order_by(attempts.c.number.desc())
        .limit(1)
    )
    return found


def _close_open_attempts(
    connection: Connection, schedule_id: str, run_id: str, *, at: datetime
) -> None:
    connection.execute(
        attempts.update()
        .where(
            attempts.c.schedule_id == schedule_id,
            attempts.c.run_id == run_id,
            attempts.c.status == ExecutionStatus.RUNNING,
        )
        .values(
            status=ExecutionStatus.FAILED,
            finished_at=at,
            error="the attempt ended without a word",
            hint="was its worker stopped, or out of memory?",
            failure_class=FailureClass.UNKNOWN,
        )
    )


def execution_of(row: RowMapping) -> Execution:
    given = dict(row)
    return replace(
        Execution(**given),
        status=ExecutionStatus(given["status"]),
        trigger=Trigger(given["trigger"]),
        kind=None if given["kind"] is None else Kind(given["kind"]),
        failure_class=_failure_class(given["failure_class"]),
    )


def _attempt(row: RowMapping) -> Attempt:
    given = dict(row)
    return replace(
        Attempt(**given),
        status=ExecutionStatus(given["status"]),
        failure_class=_failure_class(given["failure_class"]),
    )


def _failure_class(given: str | None) -> FailureClass | None:
    return None if given is None else FailureClass(given)
