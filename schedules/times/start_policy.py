"""May a backup start now? One pure answer that the sensor, its trigger and the preview share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field

from airflow_backup.schedules.model.base import Model, TimezoneName
from airflow_backup.schedules.model.calendars import Calendar, reason_to_skip
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.windows import Window, is_open, next_opening

OUTSIDE = "outside the window"


class StartPolicy(Model):
    """The part of a schedule that decides whether a run may start; plain data on the wire."""

    timezone: TimezoneName = "UTC"
    """The zone in which times are meant."""

    window: Annotated[list[Window], Field(max_length=1000)] = []
    """Weekly times in which a backup may start; always when empty."""

    outside_window: Literal["wait", "skip"] = "wait"
    """What to do when a run is due outside the window."""

    skip_on: Annotated[list[Calendar], Field(max_length=100)] = []
    """Calendars on whose days no backup runs."""


class Decision(NamedTuple):
    """What to do now and why; ``until`` is set for ``wait``."""

    action: Literal["start", "wait", "skip"]
    reason: str
    until: datetime | None = None


def start_policy_of(schedule: Schedule) -> StartPolicy:
    """Return the start policy of a schedule."""
    return StartPolicy(
        timezone=schedule.timezone,
        window=schedule.window,
        outside_window=schedule.outside_window,
        skip_on=schedule.skip_on,
    )


def decide(policy: StartPolicy, *, fire_time: datetime, now: datetime) -> Decision:
    """
    Decide what becomes of a run that was due at ``fire_time`` (aware) when it is looked at ``now``.

    A run that waits past midnight into a calendar's day is skipped then, too.

    >>> from datetime import UTC
    >>> night = StartPolicy.model_validate({"window": [{"days": ["mon-fri"], "from": "22:00", "to": "06:00"}]})
    >>> noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    >>> decide(night, fire_time=noon, now=noon)[:2]
    ('wait', 'the window opens on Fri 20 Nov 22:00 UTC')
    """
    for moment in (fire_time, now):
        reason = reason_to_skip(policy.skip_on, moment, timezone=policy.timezone)
        if reason is not None:
            return Decision("skip", f"on calendar {reason}")
    return _by_window(policy, now=now)


def _by_window(policy: StartPolicy, *, now: datetime) -> Decision:
    if is_open(policy.window, now, timezone=policy.timezone):
        return Decision("start", "the window is open" if policy.window else "no window to wait for")
    if policy.outside_window == "skip":
        return Decision("skip", OUTSIDE)
    until = next_opening(policy.window, now, timezone=policy.timezone)
    return Decision("wait", f"the window opens on {local_text(until, policy.timezone)}", until)


def local_text(at: datetime, timezone: str) -> str:
    """Write a moment for people, in their zone; one at the end of time in UTC."""
    try:
        local = at.astimezone(ZoneInfo(timezone))
    except OverflowError:
        local = at
    return f"{local:%a %d %b %H:%M %Z}"
