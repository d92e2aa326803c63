"""What the catalog knows of executions and their attempts; who writes them is in `executions`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, RowMapping, and_, func, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.run_records import PASSED, AttemptRow, Execution
from airflow_backup.catalog.stores.probe import Condition, given_ids, is_one_of_pairs, newest
from airflow_backup.catalog.tables import attempts, executions
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import ExecutionStatus, Kind, Trigger

OPEN = [str(status) for status in ExecutionStatus if not status.is_final]


class ExecutionReads:
    """Reads the executions of all schedules."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, schedule_id: str, run_id: str) -> Execution | None:
        """Return one execution, or None."""
        with self._database.reading() as connection:
            return find_execution(connection, schedule_id, run_id)

    def of_runs(self, runs: Collection[tuple[str, str]]) -> dict[tuple[str, str], Execution]:
        """Return those of these runs, given as (schedule id, run id), that are known."""
        if not runs:
            return {}
        columns = executions.c.schedule_id, executions.c.run_id
        with self._database.reading() as connection:
            given = is_one_of_pairs(columns, runs, dialect=connection.dialect.name)
            rows = connection.execute(select(executions).where(given)).mappings()
            found = [execution_of(row) for row in rows]
        return {(each.schedule_id, each.run_id): each for each in found}

    def history(
        self,
        schedule_id: str,
        limit: int = 50,
        before: datetime | None = None,
        *,
        passed: bool = True,
    ) -> list[Execution]:
        """
        Return executions newest first; only those that came into being before ``before``.

        ``passed``: with the slots that passed while a run went on.
        """
        query = (
            select(executions)
            .where(executions.c.schedule_id == schedule_id)
            .order_by(executions.c.since.desc(), executions.c.run_id.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(executions.c.since < before)
        if not passed:
            query = query.where(_is_no_passed_slot(executions))
        with self._database.reading() as connection:
            return [execution_of(row) for row in connection.execute(query).mappings()]

    def recent(self, ids: Collection[str], *, limit: int) -> dict[str, list[Execution]]:
        """Return the newest executions of each of these schedules, the newest first, but for slots that passed."""
        if not ids:
            return {}
        place = func.row_number().over(
            partition_by=executions.c.schedule_id,
            order_by=(executions.c.since.desc(), executions.c.run_id.desc()),
        )
        wanted = given_ids(sorted(ids), is_sqlite=self._database.is_sqlite)
        placed = (
            select(*executions.c, place.label("place"))
            .select_from(wanted.join(executions, executions.c.schedule_id == wanted.c.id))
            .where(_is_no_passed_slot(executions))
            .subquery()
        )
        columns = [column for column in placed.c if column.name != "place"]
        query = select(*columns).where(placed.c.place <= limit).order_by(placed.c.place)
        found: dict[str, list[Execution]] = {each: [] for each in ids}
        with self._database.reading() as connection:
            for row in connection.execute(query).mappings():
                found[row["schedule_id"]].append(execution_of(row))
        return found

    def last(self, ids: Iterable[str] | None = None) -> dict[str, Execution]:
        """Return the newest execution of each schedule, but for slots that passed; of all schedules without ``ids``."""
        return self._newest(ids, _is_no_passed_slot)

    def last_begun(self, ids: Iterable[str] | None = None) -> dict[str, Execution]:
        """Return the newest execution of each schedule that began to work."""
        return self._newest(ids, lambda table: table.c.attempts > 0)

    def last_completed(self, ids: Iterable[str] | None = None) -> dict[str, Execution]:
        """Return the newest completed execution of each schedule that has one."""
        return self._newest(ids, lambda table: table.c.status == ExecutionStatus.COMPLETED)

    def last_good(self, last: Mapping[str, Execution]) -> dict[str, Execution]:
        """
        Return the newest completed execution of each schedule of which ``last`` gives the newest; no more is read
        than it takes.
        """
        known = {
            name: each for name, each in last.items() if each.status is ExecutionStatus.COMPLETED
        }
        return known | self.last_completed(last.keys() - known.keys())

    def active(self) -> list[Execution]:
        """Return what is pending, running or paused, newest first."""
        query = (
            select(executions)
            .where(executions.c.status.in_(OPEN))
            .order_by(executions.c.since.desc())
        )
        with self._database.reading() as connection:
            return [execution_of(row) for row in connection.execute(query).mappings()]

    def attempts(self, execution: Execution) -> list[AttemptRow]:
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
            return [attempt_of(row) for row in connection.execute(query).mappings()]

    def _newest(self, ids: Iterable[str] | None, condition: Condition) -> dict[str, Execution]:
        query = newest(
            executions,
            key="run_id",
            order="since",
            ids=ids,
            is_sqlite=self._database.is_sqlite,
            condition=condition,
        )
        with self._database.reading() as connection:
            found = [execution_of(row) for row in connection.execute(query).mappings()]
        return {execution.schedule_id: execution for execution in found}


def is_of(schedule_id: str, run_id: str) -> Any:
    return and_(executions.c.schedule_id == schedule_id, executions.c.run_id == run_id)


def execution_of(row: RowMapping) -> Execution:
    given = dict(row)
    given["status"] = ExecutionStatus(given["status"])
    given["trigger"] = Trigger(given["trigger"])
    given["kind"] = None if given["kind"] is None else Kind(given["kind"])
    given["failure_class"] = failure_class_of(given["failure_class"])
    return Execution(**given)


def attempt_of(row: RowMapping) -> AttemptRow:
    given = dict(row)
    return replace(
        AttemptRow(**given),
        status=ExecutionStatus(given["status"]),
        failure_class=failure_class_of(given["failure_class"]),
    )


def failure_class_of(given: str | None) -> FailureClass | None:
    return None if given is None else FailureClass(given)


def find_execution(connection: Connection, schedule_id: str, run_id: str) -> Execution | None:
    rows = connection.execute(select(executions).where(is_of(schedule_id, run_id)))
    found = rows.mappings().first()
    return None if found is None else execution_of(found)


def last_attempt(connection: Connection, schedule_id: str, run_id: str) -> int | None:
    """Return the number of the last attempt of a run; None when there was none."""
    found: int | None = connection.scalar(
        select(attempts.c.number)
        .where(attempts.c.schedule_id == schedule_id, attempts.c.run_id == run_id)
        .order_by(attempts.c.number.desc())
        .limit(1)
    )
    return found


def _is_no_passed_slot(table: FromClause) -> ColumnElement[bool]:
    """Leave out slots that passed: they say nothing of how a schedule stands."""
    return ~table.c.run_id.startswith(PASSED, autoescape=True)
