"""
Whether an event is news for somebody: worst wins, and nothing is repeated until it changes. Pure.

Of each schedule a receiver is told a trouble once, again only when it becomes worse, and once when it is over.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from airflow_backup.catalog.records import Event
from airflow_backup.core.words import EventKind


class Level(IntEnum):
    """How bad the state of a schedule is; a higher number is worse."""

    WELL = 0
    FAILING = 1
    AT_RISK = 2
    LATE = 3
    LOST = 4
    BROKEN = 5


_OF_STATE = {
    "at_risk": Level.AT_RISK,
    "never": Level.LATE,
    "late": Level.LATE,
    "lost": Level.LOST,
    "broken": Level.BROKEN,
    "unserved": Level.LATE,
}


class News(NamedTuple):
    """Whether to tell an event, and how bad is what was told then."""

    tell: bool
    level: int


def level_of(event: Event) -> Level | None:
    """Return how bad a trouble is; None for what is no state but something that happened once."""
    if event.action == EventKind.FAILED_FINAL:
        return Level.FAILING
    if event.action == EventKind.STALE:
        return _OF_STATE.get(str(event.detail.get("state")), Level.LATE)
    if event.action == EventKind.VERIFICATION_FAILED and event.detail.get("is_newest"):
        return Level.AT_RISK
    return None


def news(event: Event, *, told: int, is_wanted: bool) -> News:
    """
    Decide whether to tell an event; ``told`` is the worst that the receiver knows and that is not over.

    >>> from datetime import UTC, datetime
    >>> def of(action, **detail): return Event(id=1, at=datetime.now(UTC), actor="", action=action, subject="a",
    ...                                        detail=detail, hash="")
    >>> known, said = 0, []
    >>> for event in [of("failed_final"), of("failed_final"), of("stale", state="late"), of("failed_final"),
    ...               of("started"), of("recovered"), of("recovered")]:
    ...     tell, known = news(event, told=known, is_wanted=event.action != "started")
    ...     said += [event.action] if tell else []
    >>> said
    ['failed_final', 'stale', 'recovered']
    """
    if event.action == EventKind.RECOVERED:
        return News(is_wanted and told > Level.WELL, Level.WELL)
    level = level_of(event)
    if level is None:
        return News(is_wanted, told)
    if not is_wanted:
        return News(False, told)
    return News(level > told, max(told, level))
