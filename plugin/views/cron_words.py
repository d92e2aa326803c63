"""
A cron expression read aloud, in words that mean what it means here: the library that says them knows another cron.
"""

from __future__ import annotations

import re
from functools import lru_cache

from cron_descriptor import ExpressionDescriptor, Options  # type: ignore[import-untyped]

from airflow_backup.schedules.model.cron_ranges import written_out

_NUMBERS = re.compile(r"\d+(?:,\d+)*")
_RANGE = re.compile(r"(\d+)-(\d+)")
_NAMES = re.compile(r"[a-z]{3}(?:,[a-z]{3})*", re.IGNORECASE)
_NAMED_RANGE = re.compile(r"[a-z]{3}-[a-z]{3}", re.IGNORECASE)
_STEP = re.compile(r"\*/(\d+)")
_OF_A_MONTH = re.compile(r"L|L\d|[a-z]{3}#[1-5]|\d#[1-5]", re.IGNORECASE)
_ROUND = {"second": 60, "minute": 60, "hour": 24}
_MOST_SAID = 16
_FIELDS = ("second", "minute", "hour", "day", "month", "weekday")


@lru_cache(maxsize=4096)
def describe(cron: str) -> str:
    """
    Read a cron expression aloud; where no words are sure to be right, it stands for itself.

    >>> describe("0 2 * * sun"), describe("0 2 */3 * *")
    ('At 02:00, only on Sunday', 'At 02:00, on day 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, and 31 of the month')
    >>> describe("0 2 * * L5,mon")
    '0 2 * * L5,mon'
    """
    told = plain(cron)
    options = Options()
    options.use_24hour_time_format = True
    options.locale_code = "en_US"
    try:
        return cron if told is None else str(ExpressionDescriptor(told, options).get_description())
    except Exception:  # noqa: BLE001  # it raises its own kinds and plain ones; the cron itself says enough
        return cron


def plain(cron: str) -> str | None:
    """
    Write an expression so that every cron reads it alike; None where that cannot be.

    >>> plain("*/7 20-20 * * fri-mon"), plain("0 2 1-31 * mon"), plain("0 8-17 * jan,MAR 1-5")
    ('0,7,14,21,28,35,42,49,56 20 * * 5,6,0,1', '0 2 * * *', '0 8-17 * jan,MAR 1-5')
    """
    out = written_out(cron).split(" ")
    names = _FIELDS[len(_FIELDS) - len(out) :]
    fields = [
        _field(name, given, listed)
        for name, given, listed in zip(names, cron.split(" "), out, strict=True)
    ]
    return None if None in fields else " ".join(field for field in fields if field is not None)


def _field(name: str, given: str, listed: str) -> str | None:
    if listed in ("*", "?"):
        return "*"
    step = _STEP.fullmatch(given)
    if step is not None and _ROUND.get(name, 1) % int(step[1]) == 0:
        return given
    if step is not None:
        listed = written_out_step(name, int(step[1]))
    ends = _RANGE.fullmatch(given)
    if ends is not None and int(ends[1]) < int(ends[2]) < (7 if name == "weekday" else 60):
        return given
    is_named = _NAMED_RANGE.fullmatch(given) is not None and _goes_up(listed)
    if is_named or _NAMES.fullmatch(given):
        return given
    if listed.count(",") >= _MOST_SAID:
        return None  # right, and nobody would listen
    is_sure = _NUMBERS.fullmatch(listed) or _OF_A_MONTH.fullmatch(listed)
    return listed if is_sure else None


def _goes_up(listed: str) -> bool:
    numbers = listed.split(",")
    return len(numbers) > 1 and numbers == sorted(numbers, key=int)


def written_out_step(name: str, step: int) -> str:
    """
    List the values of a field that steps from a star.

    >>> written_out_step("month", 5)
    '1,6,11'
    """
    low = 1 if name in ("day", "month") else 0
    high = {"day": 31, "month": 12, "weekday": 6, "hour": 23}.get(name, 59)
    return ",".join(map(str, range(low, high + 1, step)))
