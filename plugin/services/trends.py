"""Figures over many executions: how long backups take, how each day went. One query, however many schedules."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from statistics import median
from threading import Lock
from typing import Any

from sqlalchemy import func, literal, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.tables import executions
from airflow_backup.core.words import ExecutionStatus

LOOK_BACK = timedelta(days=45)
SAMPLES = 10
"""How many of the last runs the median is taken of."""

KEPT_FOR = 300.0
_WORST_FIRST = (
    ExecutionStatus.FAILED,
    ExecutionStatus.CANCELLED,
    ExecutionStatus.RUNNING,
    ExecutionStatus.PAUSED,
    ExecutionStatus.PENDING,
    ExecutionStatus.COMPLETED,
    ExecutionStatus.SKIPPED,
)


class Trends:
    """Reads the executions of the catalog; medians are remembered for a few minutes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._medians: tuple[float, dict[str, timedelta]] | None = None

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def medians(self, *, now: datetime) -> dict[str, timedelta]:
        """Return how long the last completed runs of each schedule took, in the middle."""
        with self._lock:
            if self._medians is None or time.monotonic() - self._medians[0] > KEPT_FOR:
                self._medians = (time.monotonic(), self._read_medians(now))
            return self._medians[1]

    def _read_medians(self, now: datetime) -> dict[str, timedelta]:
        table = executions.c
        place = func.row_number().over(
            partition_by=table.schedule_id, order_by=(table.since.desc(), table.run_id.desc())
        )
        recent = (
            select(table.schedule_id, table.started_at, table.finished_at, place.label("place"))
            .where(
                table.status == str(ExecutionStatus.COMPLETED),
                table.since > now - LOOK_BACK,
                table.started_at.is_not(None),
                table.finished_at.is_not(None),
            )
            .subquery()
        )
        query = select(recent.c.schedule_id, recent.c.started_at, recent.c.finished_at).where(
            recent.c.place <= SAMPLES
        )
        seconds: dict[str, list[float]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                took = (row.finished_at - row.started_at).total_seconds()
                seconds.setdefault(row.schedule_id, []).append(took)
        return {name: timedelta(seconds=median(took)) for name, took in seconds.items()}

    def days(
        self, ids: Collection[str], *, first: date, begin: datetime, offset: timedelta
    ) -> dict[str, dict[date, ExecutionStatus]]:
        """
        Return the worst status of each day since ``begin`` on which something ran.

        Days are counted on a clock that is ``offset`` ahead of UTC.
        """
        day = self._day(offset).label("day")
        query = (
            select(executions.c.schedule_id, executions.c.status, day)
            .where(executions.c.schedule_id.in_(ids), executions.c.since >= begin)
            .distinct()
        )
        found: dict[str, dict[date, ExecutionStatus]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                days = found.setdefault(row.schedule_id, {})
                at = date.fromisoformat(str(row.day))
                status = ExecutionStatus(row.status)
                if at >= first and (at not in days or _rank(status) < _rank(days[at])):
                    days[at] = status
        return found

    def _day(self, offset: timedelta) -> Any:
        since = executions.c.since
        if self._database.is_sqlite:
            minutes = int(offset.total_seconds() // 60)
            return func.date(since, f"{minutes:+d} minutes")
        return func.date(func.timezone("UTC", since) + literal(offset))


def strip(
    days: Mapping[date, ExecutionStatus], wanted: Sequence[date]
) -> list[ExecutionStatus | None]:
    """Lay out the days in a row."""
    return [days.get(day) for day in wanted]


def _rank(status: ExecutionStatus) -> int:
    return _WORST_FIRST.index(status)
