"""Figures over many executions: how long backups take, how each day went. One query, however many schedules."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from threading import Lock
from typing import Any

from sqlalchemy import func, literal, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.tables import executions
from airflow_backup.core.words import ExecutionStatus, Kind
from airflow_backup.plugin.schemas.calendar import TrendPoint
from airflow_backup.plugin.schemas.runs import RunSummary

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


@dataclass(frozen=True, slots=True)
class Day:
    """What a schedule did on one day."""

    worst: ExecutionStatus
    runs: int
    bytes_stored: int | None

    def joined(self, other: Day) -> Day:
        """Return what both come to."""
        stored = [each.bytes_stored for each in (self, other) if each.bytes_stored is not None]
        return Day(
            min(self.worst, other.worst, key=_WORST_FIRST.index),
            self.runs + other.runs,
            sum(stored) if stored else None,
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
    ) -> dict[str, dict[date, Day]]:
        """
        Return what each schedule did on each day since ``begin`` on which something ran.

        Days are counted on a clock that is ``offset`` ahead of UTC.
        """
        day = self._day(offset).label("day")
        query = (
            select(
                executions.c.schedule_id,
                executions.c.status,
                day,
                func.count().label("runs"),
                func.sum(executions.c.bytes_stored).label("stored"),
            )
            .where(executions.c.schedule_id.in_(ids), executions.c.since >= begin)
            .group_by(executions.c.schedule_id, executions.c.status, day)
        )
        found: dict[str, dict[date, Day]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query):
                days = found.setdefault(row.schedule_id, {})
                at = date.fromisoformat(str(row.day))
                stored = None if row.stored is None else int(row.stored)
                part = Day(ExecutionStatus(row.status), row.runs, stored)
                if at >= first:
                    days[at] = part.joined(days[at]) if at in days else part
        return found

    def full_before(self, schedule_id: str, *, before: datetime) -> int | None:
        """Return how many bytes the newest full stored that came into being before a moment."""
        table = executions.c
        query = (
            select(table.bytes_stored)
            .where(
                table.schedule_id == schedule_id,
                table.status == str(ExecutionStatus.COMPLETED),
                table.kind == str(Kind.FULL),
                table.since < before,
            )
            .order_by(table.since.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            found: int | None = connection.scalar(query)
        return found

    def _day(self, offset: timedelta) -> Any:
        since = executions.c.since
        if self._database.is_sqlite:
            minutes = int(offset.total_seconds() // 60)
            return func.date(since, f"{minutes:+d} minutes")
        return func.date(func.timezone("UTC", since) + literal(offset))


def strip(days: Mapping[date, Day], wanted: Sequence[date]) -> list[Day | None]:
    """Lay out the days in a row."""
    return [days.get(day) for day in wanted]


def points(runs: Iterable[RunSummary], *, full: int | None) -> list[TrendPoint]:
    """
    Return the runs that are over as points of a chart, the oldest first; ``runs`` are the newest first.

    ``full`` is what the newest full before all of them stored.
    """
    found = []
    for run in sorted(runs, key=lambda each: (each.since, each.run_id)):
        if not run.status.is_final:
            continue
        change = None
        if run.kind is Kind.FULL:
            full = run.bytes_stored or full  # one that failed stored nothing
        elif run.bytes_stored is not None and full:
            change = run.bytes_stored / full
        found.append(
            TrendPoint(
                run_id=run.run_id,
                since=run.since,
                status=run.status,
                kind=run.kind,
                duration=run.duration if run.started_at is not None else None,
                bytes_read=run.bytes_read,
                bytes_stored=run.bytes_stored,
                change=change,
            )
        )
    return found
