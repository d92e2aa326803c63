"""The clock that is used where nobody gives another, and the moments that can be reckoned with."""

from __future__ import annotations

from datetime import UTC, datetime

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Moments that are given must lie between these: others cannot be shown in every zone, nor reckoned with."""


def utc_now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def bounded(moment: datetime) -> datetime:
    """
    Return a moment that was given, in UTC; ValueError where nobody can reckon with it.

    >>> bounded(datetime.fromisoformat("2026-05-04T02:00:00+02:00")).isoformat()
    '2026-05-04T00:00:00+00:00'
    >>> bounded(datetime.fromisoformat("9999-12-31T23:59:59-14:00"))
    Traceback (most recent call last):
    ValueError: a moment lies between the years 1970 and 2200
    """
    # Compared as they are: the year 9999 with an offset cannot be turned into UTC.
    if not FIRST <= moment <= LAST:
        raise ValueError("a moment lies between the years 1970 and 2200")
    return moment.astimezone(UTC)
