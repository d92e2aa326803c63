"""
Writes the ranges of a cron expression out as lists, because croniter reads some of them otherwise than cron does.

croniter takes a range whose ends are equal (``4-4``, ``20-20``, ``thu-thu``) for the whole field, counts the steps of a
range that goes round from another beginning, and takes a day field that lists every day for one that says nothing.
Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache

_DAYS = {
    name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])
}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_RANGE = re.compile(r"(\w+)-(\w+)(?:/(\d+))?")
_FROM = re.compile(r"(\w+)/(\d+)")
_LIMITS = {"second": (0, 59), "minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12)}
_FIELDS = ("second", "minute", "hour", "day", "month", "weekday")
_STARS = ("*", "?")
_STEPS = re.compile(r"^\*(?=/)")
_ALL = {name: f"{low}-{high}" for name, (low, high) in _LIMITS.items()} | {"weekday": "0-6"}
_DAY, _WEEKDAY = -3, -1
_WHOLE = {_DAY: frozenset(range(1, 32)), _WEEKDAY: frozenset(range(7))}


@lru_cache(maxsize=4096)
def written_out(cron: str) -> str:
    """
    Return an expression that means the same, without ranges.

    >>> written_out("0 20-20 * * thu-thu"), written_out("0 22-3/2 * * 5-7"), written_out("50/5 2 * * *")
    ('0 20 * * 4', '0 22,0,2 * * 5,6,0', '50,55 2 * * *')

    Where both days are restricted either is enough, so one that lists every day leaves nothing to the other:

    >>> written_out("0 2 1-31 * mon"), written_out("0 2 * * 0-7")
    ('0 2 * * *', '0 2 * * 0,1,2,3,4,5,6')
    """
    fields = cron.split(" ")
    names = _FIELDS[len(_FIELDS) - len(fields) :]
    fields = [_field(name, field) for name, field in zip(names, fields, strict=True)]
    for one, other in ((_DAY, _WEEKDAY), (_WEEKDAY, _DAY)):
        if _lists_all(fields[one], _WHOLE[one]) and fields[other] not in _STARS:
            fields[one] = fields[other] = "*"
    return " ".join(fields)


def _field(name: str, field: str) -> str:
    items = [_item(name, item) for item in field.split(",")]
    if "*" in items:
        return "*"
    if len(items) > 1:
        items = [_item(name, _STEPS.sub(_ALL[name], item)) for item in items]
    return ",".join(items)


def _item(name: str, item: str) -> str:
    found = _RANGE.fullmatch(_to_the_end(name, item))
    if found is None:
        number = _value(name, item)
        if number is not None and not item.isdecimal():
            return str(number)
        return "*" if item == "*/1" else item
    low, high = (_value(name, each) for each in found.group(1, 2))
    step = int(found[3] or 1)
    if low is None or high is None or step < 1:
        return item  # what it is, croniter says
    begin, end = (0, 6) if name == "weekday" else _LIMITS[name]
    if name == "weekday":
        high = 7 if high == 0 and low > 0 and found[2] == "7" else high
        low = low % 7 if low != high else low
    if low <= high:
        values = [*range(low, high + 1, step)]
    else:
        values = [*range(low, end + 1), *range(begin, high + 1)][::step]
    numbers = [value % 7 if name == "weekday" else value for value in values]
    return ",".join(map(str, dict.fromkeys(numbers)))


def _to_the_end(name: str, item: str) -> str:
    """Write a value with a step as the range to the end of the field that it is; Sunday is the first day there."""
    found = _FROM.fullmatch(item)
    low = None if found is None else _value(name, found[1])
    if found is None or low is None:
        return item
    first = low % 7 if name == "weekday" else low
    return f"{first}-{_ALL[name].rpartition('-')[2]}/{found[2]}"


def _value(name: str, text: str) -> int | None:
    if text.isdecimal():
        return int(text)
    named = {"weekday": _DAYS, "month": _MONTHS}.get(name, {})
    return named.get(text.lower())


def _lists_all(field: str, whole: frozenset[int]) -> bool:
    numbers = field.split(",")
    if not all(number.isdecimal() for number in numbers):
        return False
    return {int(number) % 7 if len(whole) == 7 else int(number) for number in numbers} >= whole
