"""What the API answers about stretches of time: the coming hours, the past days."""

from __future__ import annotations

from datetime import date, datetime

from airflow_backup.core.words import ExecutionStatus
from airflow_backup.plugin.schemas.base import ApiModel
from airflow_backup.plugin.schemas.schedules import NextRun


class OpenSpan(ApiModel):
    """A time in which a window is open."""

    opens_at: datetime
    closes_at: datetime


class Lane(ApiModel):
    """The coming runs of one schedule."""

    schedule_id: str
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
    """How each of the past days went: the worst status of the day, null when nothing ran."""

    days: list[date]
    schedules: dict[str, list[ExecutionStatus | None]]
