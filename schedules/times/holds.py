"""
Holds: a person skips the next run of a schedule, or pauses it until a moment. Pure; applied to runs that are due.

Maintenance is a hold on every schedule, until it is ended or until a moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from airflow_backup.schedules.times.start_policy import local_text

SKIP_NEXT = "skip_next"
PAUSE_UNTIL = "pause_until"
MAINTENANCE = "maintenance"
EVERY_SCHEDULE = "*"
"""Stands in place of a schedule's id, and can be none."""

AIRFLOW_ITSELF = "@airflow"
"""Stands there for what concerns no schedule but Airflow, and can be none either."""

_NEVER = datetime.max.replace(tzinfo=UTC)


class Hold(Protocol):
    """What is known of a hold that still counts; ``until`` is set for a pause, and may be for maintenance."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def until(self) -> datetime | None: ...
    @property
    def created_by(self) -> str: ...
    @property
    def reason(self) -> str | None: ...


Held = TypeVar("Held", bound=Hold)

_SAID = {SKIP_NEXT: "skip next", PAUSE_UNTIL: "paused", MAINTENANCE: "maintenance"}


def pause_at(holds: Sequence[Hold], at: datetime) -> Hold | None:
    """Return the pause or maintenance that forbids a run at ``at``; the longest, when there are several."""
    found = [hold for hold in holds if hold.kind != SKIP_NEXT and at < (hold.until or _NEVER)]
    return max(found, key=lambda hold: hold.until or _NEVER, default=None)


def maintenance_of(holds: Sequence[Held]) -> Held | None:
    """Return the maintenance among holds that still count; what a person starts is held by it, too."""
    return next((hold for hold in holds if hold.kind == MAINTENANCE), None)


def holds_on(holds: Mapping[str, Sequence[Held]], schedule_id: str) -> list[Held]:
    """Return the holds that count for one schedule, of those on all of them by id."""
    return [*holds.get(EVERY_SCHEDULE, ()), *holds.get(schedule_id, ())]


def skips(holds: Sequence[Hold]) -> list[Hold]:
    """Return the holds that skip one run each, the oldest first."""
    return [hold for hold in holds if hold.kind == SKIP_NEXT]


def hold_text(hold: Hold, timezone: str) -> str:
    """Say why a run does not happen: what was asked for, by whom and why."""
    what = _SAID[hold.kind]
    if hold.until is not None:
        what = f"{what} until {local_text(hold.until, timezone)}"
    why = f": {hold.reason}" if hold.reason else ""
    return f"{what}, by {hold.created_by}{why}"
