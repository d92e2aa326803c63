"""What the API answers about stretches of time: the coming hours, the past days."""

from __future__ import annotations

from datetime import date, datetime

from airflow_backup.core.words import ExecutionStatus, Kind
from airflow_backup.plugin.schemas.base import ApiModel
from airflow_backup.plugin.schemas.schedules import NextRun


class OpenSpan(ApiModel):
    """A time in which a window is open."""

    opens_at: datetime
    closes_at: datetime


class Lane(ApiModel):
    """The coming runs of one schedule."""

    schedule_id: str
    group: str | None = None
    engine: str
    timezone: str
    expected: float | None = None
    """Seconds a run takes: the median of the last ones; null when none has completed."""
    windows: list[OpenSpan]
    """When it may start; empty when it always may."""
    runs: list[NextRun]


class Timeline(ApiModel):
    """The coming hours, the soonest schedule first."""

    now: datetime
    until: datetime
    slots: int | None = None
    """How many backups may run at once."""
    total: int
    """How many schedules run in that time; more than there are lanes when it is too many to show."""
    lanes: list[Lane]


class DayStrips(ApiModel):
    """How each of the past days went, for each schedule in the order of `days`."""

    days: list[date]
    schedules: dict[str, list[ExecutionStatus | None]]
    """The worst status of the day, null when nothing ran."""
    runs: dict[str, list[int]]
    """How many executions came into being on the day."""
    stored: dict[str, list[int | None]]
    """How many bytes they stored together; null where none stored anything."""


class TrendPoint(ApiModel):
    """One execution that is over, in figures."""

    run_id: str
    since: datetime
    status: ExecutionStatus
    kind: Kind | None = None
    duration: float | None = None
    """Seconds from start to finish; null where it never started."""
    bytes_read: int | None = None
    bytes_stored: int | None = None
    change: float | None = None
    """What it stored as a share of what the full before it stored; null for a full, and where there is none."""


class Trend(ApiModel):
    """How the last executions of a schedule compare, the oldest first."""

    now: datetime
    points: list[TrendPoint]
