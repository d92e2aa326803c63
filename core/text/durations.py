"""Durations and sizes as people write them: ``90s``, ``1h30m``, ``14d``; ``500MB``, ``2GiB``."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from airflow_backup.core.text.names import quoted

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(r"(\d+)([wdhms])")
_WHOLE = re.compile(r"(?:\d+[wdhms])+")
_SIZES = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_LONGEST_TEXT = 64
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


def parse_duration(text: str) -> timedelta:
    """
    Read a duration; raise ValueError with what would be right.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)
    >>> parse_duration("soon")
    Traceback (most recent call last):
    ValueError: 'soon' is not a duration; write for example 30s, 5m, 4h, 1h30m or 14d
    """
    compact = text.strip().lower()
    if len(compact) > _LONGEST_TEXT or not _WHOLE.fullmatch(compact):
        raise ValueError(
            f"{quoted(text)} is not a duration; write for example 30s, 5m, 4h, 1h30m or 14d"
        )
    try:
        return timedelta(
            seconds=sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(compact))
        )
    except OverflowError:
        raise ValueError(f"{quoted(text)} is too long for a duration") from None


def format_duration(span: timedelta) -> str:
    """
    Write a duration the way it is read.

    >>> format_duration(timedelta(hours=1, minutes=30)), format_duration(timedelta(0))
    ('1h30m', '0s')
    """
    left = int(span.total_seconds())
    if left <= 0:
        return "0s"
    parts = []
    for unit, seconds in _UNITS.items():
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def spoken(span: timedelta) -> str:
    """
    Say how long something is, in one or two units and without false precision.

    >>> spoken(timedelta(days=9, hours=3)), spoken(timedelta(hours=26)), spoken(timedelta(minutes=4))
    ('9 days 3 hours', '26 hours', '4 minutes')
    """
    seconds = int(span.total_seconds())
    if seconds < 120:
        return _count(max(seconds, 0), "second")
    minutes = seconds // 60
    if minutes < 60:
        return _count(minutes, "minute")
    hours = minutes // 60
    if hours < 48:
        return _count(hours, "hour")
    days, hours = divmod(hours, 24)
    return _count(days, "day") + (f" {_count(hours, 'hour')}" if hours else "")


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def parse_size(text: str | int) -> int:
    """
    Read a number of bytes; raise ValueError with what would be right.

    >>> parse_size("2GiB"), parse_size("1.5 MB"), parse_size(2**60 - 1)
    (2147483648, 1500000, 1152921504606846975)
    """
    given = str(text).strip()
    found = _SIZE.fullmatch(given) if len(given) <= _LONGEST_TEXT else None
    if found is None or found[2].lower() not in _SIZES:
        raise ValueError(f"{quoted(text)} is not a size; write for example 500MB or 2GiB")
    return int(Decimal(found[1]) * _SIZES[found[2].lower()])  # a float knows no more than 16 digits


def format_size(count: int) -> str:
    """
    Write bytes for people, in decimal units.

    >>> format_size(999), format_size(1_234_567)
    ('999 B', '1.2 MB')
    """
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000:
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
