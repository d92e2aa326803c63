"""Holds: a person skips the next run of a schedule, or pauses it until a moment. Pure; applied to runs that are due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from airflow_backup.schedules.gate import local_text

SKIP_NEXT = "skip_next"
PAUSE_UNTIL = "pause_until"


class Hold(Protocol):
    """What is known of a hold that still counts; ``until`` is set for a pause."""

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


def pause_at(holds: Sequence[Hold], at: datetime) -> Hold | None:
    """Return the pause that forbids a run at ``at``; the longest, when there are several."""
    pauses = [hold for hold in holds if hold.kind == PAUSE_UNTIL and hold.until is not None]
    over = [hold for hold in pauses if hold.until is not None and at < hold.until]
    return max(over, key=lambda hold: hold.until or at, default=None)


def skips(holds: Sequence[Hold]) -> list[Hold]:
    """Return the holds that skip one run each, the oldest first."""
    return [hold for hold in holds if hold.kind == SKIP_NEXT]


def hold_text(hold: Hold, timezone: str) -> str:
    """Say why a run does not happen: what was asked for, by whom and why."""
    what = "skip next" if hold.until is None else f"paused until {local_text(hold.until, timezone)}"
    why = f": {hold.reason}" if hold.reason else ""
    return f"{what}, by {hold.created_by}{why}"
