"""
Every schedule as far as a list is filtered, sorted and counted by it; the whole of it is made of those shown only.

Pure. What a brief says is what the summary of the same schedule says, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from airflow_backup.catalog.run_records import Execution
from airflow_backup.core.ids import dag_id
from airflow_backup.core.words import ExecutionStatus, ProtectionState
from airflow_backup.plugin.schemas.schedules import NextRun, Permissions, State
from airflow_backup.plugin.views.rhythms import next_run, schedule_of
from airflow_backup.plugin.views.rows import Row
from airflow_backup.plugin.views.schedules import (
    CONCLUSIVE,
    ScheduleData,
    enabled_of,
    summaries,
)
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.holds import EVERY_SCHEDULE

_NOBODY = Permissions(toggle=False, run=False, cancel=False, edit=False)
"""Briefs are not shown."""


class Ended(Protocol):
    """A run, or what the catalog knows of it."""

    @property
    def queued_at(self) -> datetime | None: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def finished_at(self) -> datetime | None: ...
    @property
    def bytes_stored(self) -> int | None: ...


class Safety(Protocol):
    """The protection of a schedule."""

    @property
    def state(self) -> ProtectionState: ...
    @property
    def since(self) -> datetime: ...
    @property
    def deadline(self) -> float: ...
    @property
    def needs_attention(self) -> bool: ...


class Written(Protocol):
    """What is known of a schedule when only its definition was read."""

    @property
    def id(self) -> str: ...
    @property
    def state(self) -> State: ...
    @property
    def description(self) -> str | None: ...
    @property
    def group(self) -> str | None: ...
    @property
    def tags(self) -> Sequence[str]: ...
    @property
    def engine(self) -> str | None: ...
    @property
    def source(self) -> str | None: ...


class Listed(Written, Protocol):
    """What schedules are filtered, sorted and counted by: a summary is one."""

    @property
    def timezone(self) -> str: ...
    @property
    def enabled(self) -> bool | None: ...
    @property
    def protection(self) -> Safety: ...
    @property
    def next_run(self) -> NextRun | None: ...
    @property
    def active_run(self) -> object | None: ...
    @property
    def last_run(self) -> Ended | None: ...
    @property
    def last_good(self) -> Ended | None: ...


@dataclass(frozen=True, slots=True)
class WrittenBrief:
    """A schedule by its definition."""

    id: str
    state: State
    description: str | None = None
    group: str | None = None
    tags: Sequence[str] = ()
    engine: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class BriefSafety:
    """The word, since when, the limit in seconds, and whether a person should look."""

    state: ProtectionState
    since: datetime
    deadline: float
    needs_attention: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """A schedule of which nothing special is known: its last run is over, and nothing holds it."""

    id: str
    state: State
    description: str | None
    group: str | None
    tags: Sequence[str]
    engine: str | None
    source: str | None
    timezone: str
    enabled: bool | None
    protection: BriefSafety
    next_run: NextRun | None
    last_run: Execution
    last_good: Execution | None
    active_run: None = None


def written(row: Row) -> WrittenBrief:
    """Say what is written about a schedule; one that cannot be read or shown says nothing, as in its summary."""
    try:
        return _written(row)
    except Exception:  # noqa: BLE001  # it costs its own row, never the list; its summary logs what is wrong
        return WrittenBrief(row.id, row.state)


def _written(row: Row) -> WrittenBrief:
    schedule = schedule_of(row.definition)
    if schedule is None:
        return WrittenBrief(row.id, row.state)
    return WrittenBrief(
        row.id,
        row.state,
        schedule.description,
        schedule.group,
        schedule.tags,
        schedule.source.engine,
        schedule.source.summary(),
    )


def briefs(rows: Iterable[Row], data: ScheduleData) -> list[Listed]:
    """Say how each schedule is, in order; of those with something special a whole summary is made."""
    return [_safe_brief(row, data) or _summary(row, data) for row in rows]


def _safe_brief(row: Row, data: ScheduleData) -> Brief | None:
    try:
        return _brief(row, data)
    except Exception:  # noqa: BLE001  # its summary is made next, which says and logs what is wrong with it
        return None


def _summary(row: Row, data: ScheduleData) -> Listed:
    return summaries([row], data, permissions={row.id: _NOBODY})[0]


def _brief(row: Row, data: ScheduleData) -> Brief | None:
    schedule, last = schedule_of(row.definition), _settled(row, data)
    special = row.problems or row.id in data.holds or EVERY_SCHEDULE in data.holds
    if schedule is None or last is None or special:
        return None
    return _plain(row, data, schedule, last)


def _plain(row: Row, data: ScheduleData, schedule: Schedule, last: Execution) -> Brief:
    judged = data.protections[row.id]
    enabled = enabled_of(data.dags.get(dag_id(row.id)))
    return Brief(
        id=row.id,
        state=row.state,
        description=schedule.description,
        group=schedule.group,
        tags=schedule.tags,
        engine=schedule.source.engine,
        source=schedule.source.summary(),
        timezone=schedule.timezone,
        enabled=enabled,
        protection=BriefSafety(
            judged.state,
            judged.since,
            judged.deadline.total_seconds(),
            judged.needs_attention or last.status is ExecutionStatus.FAILED,
        ),
        next_run=next_run(schedule, row.definition, now=data.now) if enabled else None,
        last_run=last,
        last_good=data.last_good.get(row.id),
    )


def _settled(row: Row, data: ScheduleData) -> Execution | None:
    """Return the last run where catalog and Airflow agree that it is over, and there is nothing else to know."""
    past = data.past.get(row.id, ())
    if len(past) != 1 or past[0].status not in CONCLUSIVE or past[0].finished_at is None:
        return None
    others = (
        run.active or run.run_id != past[0].run_id
        for run in data.airflow_runs.get(dag_id(row.id), ())
    )
    return None if any(others) else past[0]
