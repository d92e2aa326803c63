"""How long: what other tools write about old backups, as a schedule's retention."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from airflow_backup.core.text.names import quoted

_RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
_ALL = 1_000_000
_PART = re.compile(r"(\d+)([A-Za-z])")
_HOURS = {"h": 1, "H": 1, "d": 24, "w": 168, "m": 730, "y": 8766}
"""Capital M and S are minutes and seconds of borg, which are too short for a rule here."""


def rules(given: Iterable[tuple[str, object]]) -> tuple[dict[str, Any], list[str]]:
    """
    Turn pairs such as ``("daily", "7")`` into a retention; return also the names that have no place in it.

    >>> rules([("daily", "7"), ("within", "1m15d"), ("tag", "x"), ("weekly", 0)])
    ({'daily': 7, 'within': '45d10h'}, ['tag'])
    """
    found: dict[str, Any] = {}
    left = []
    for name, value in given:
        try:
            kept = _rule(name, value)
        except ValueError:
            left.append(name)
            continue
        if kept is not None:
            found[name] = kept
    return found, left


def _rule(name: str, value: object) -> int | str | None:
    text = str(value).strip()
    if name == "within":
        return span(text)
    if name not in _RULES:
        raise ValueError(name)
    if text in ("-1", "unlimited"):
        return _ALL
    number = int(text)
    if number < 0:
        raise ValueError(name)
    return min(number, _ALL) or None


def span(text: str) -> str:
    """
    Read a span as borg and restic write it, where months and years are letters, too; ValueError for none.

    >>> span("3H"), span("2y5m7d3h"), span("10d")
    ('3h', '889d17h', '10d')
    """
    parts = _PART.findall(text)
    if not parts or "".join(map("".join, parts)) != text:
        raise ValueError(f"{quoted(text)} is not a span of time")
    try:
        hours = sum(int(number) * _HOURS[unit] for number, unit in parts)
    except KeyError:
        raise ValueError(f"{quoted(text)} has a unit that is not known") from None
    if not hours:
        raise ValueError("nothing would be kept")
    days, rest = divmod(hours, 24)
    return "".join(f"{count}{unit}" for count, unit in ((days, "d"), (rest, "h")) if count)
