"""The days of an iCalendar file (RFC 5545), its repeated events among them, as dates and ranges."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import recurring_ical_events
from icalendar import Calendar

FIRST, LAST = date(2020, 1, 1), date(2050, 1, 1)
"""Between these, events that repeat for ever are written out."""

_DAY = timedelta(days=1)


def days_of(content: bytes) -> list[str]:
    """
    Return the days on which any event lies, as ``2026-12-24`` and ``2026-12-24..2026-12-27``, in order.

    An event with times covers every date that it touches, read in its own zone. Raises ValueError for what is
    not a calendar.
    """
    calendar = Calendar.from_ical(content)
    days: set[date] = set()
    for event in recurring_ical_events.of(calendar).between(FIRST, LAST):
        begin, end = event.decoded("DTSTART"), event.decoded("DTEND")
        last = _date(end)
        if end > begin and (not isinstance(end, datetime) or end.time() == datetime.min.time()):
            last -= _DAY  # the end is not part of the event
        day, last = max(_date(begin), FIRST), min(last, LAST)
        while day <= last:
            days.add(day)
            day += _DAY
    return _ranges(sorted(days))


def _date(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _ranges(days: list[date]) -> list[str]:
    """
    Join days that follow each other.

    >>> _ranges([date(2026, 12, 24), date(2026, 12, 25), date(2027, 1, 1)])
    ['2026-12-24..2026-12-25', '2027-01-01']
    """
    found: list[tuple[date, date]] = []
    for day in days:
        if found and found[-1][1] + _DAY == day:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return [str(first) if first == last else f"{first}..{last}" for first, last in found]
