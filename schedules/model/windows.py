"""
Weekly windows in which a backup may start: pure functions of the wall clock in a zone.

A window that crosses midnight belongs to the day on which it opens. Where daylight saving removes an
opening or closing time, it happens at the first instant after the gap; where a time comes twice, a window
opens at the first and closes at the second, so it is never shorter than local time says.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from airflow_backup.core.text.names import quoted
from airflow_backup.schedules.model.base import Model, TimeOfDay, TimezoneName

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIMES = {"days", "opens", "closes", "from", "to"}
"""What says when a window is open, by all of its names."""

MOST_OPENINGS = 1000
"""In a week: every ten minutes. Each week that anybody looks at is reckoned from all of them."""

_LOOK_BACK = timedelta(days=9)
_LOOK_AHEAD = timedelta(days=23)
"""From the Monday of a week: a week before any of its days, two weeks after."""


def _days(value: Any) -> list[str]:
    """
    Expand day names and ranges, in the order of the week.

    >>> _days(["fri-mon", "wed"])
    ['mon', 'wed', 'fri', 'sat', 'sun']
    """
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not given:
        raise ValueError("`days` is a list such as [mon-fri] or [sat, sun]")
    found: set[str] = set()
    for item in given:
        first, _, last = str(item).strip().lower().partition("-")
        try:
            begin, end = DAYS.index(first[:3]), DAYS.index((last or first)[:3])
        except ValueError:
            raise ValueError(
                f"{quoted(item)} is not a day; write mon to sun, or a range mon-fri"
            ) from None
        found.update(DAYS[(begin + step) % 7] for step in range((end - begin) % 7 + 1))
    return [day for day in DAYS if day in found]


Days = Annotated[
    list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], BeforeValidator(_days)
]


class Window(Model):
    """Times of the week in which a backup may start."""

    name: str | None = None
    """What the schedules call it."""

    preset: Literal["business_hours", "off_hours"] | None = None
    """`business_hours` is Monday to Friday 09:00 to 17:00, `off_hours` all the rest of the week."""

    days: Days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    """Days on which the window opens: names or ranges, for example `[mon-fri]`."""

    opens: Annotated[TimeOfDay, Field(alias="from")] = "00:00"
    """When it opens, in local time."""

    closes: Annotated[TimeOfDay, Field(alias="to")] = "24:00"
    """When it closes; on the next day when not later than `from`."""

    timezone: TimezoneName | None = None
    """The zone in which it is meant; the schedule's when missing."""

    model_config = Model.model_config | {"populate_by_name": True, "serialize_by_alias": True}

    @model_validator(mode="after")
    def _preset_or_times(self) -> Window:
        times = self.model_fields_set & {"days", "opens", "closes"}
        if self.preset is not None and times:
            raise ValueError("`preset` and times exclude each other")
        if self.preset is None and not times:
            raise ValueError("write `days`, `from` and `to`, or `preset`")
        return self

    @model_serializer(mode="wrap")
    def _as_it_is_read(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What is written must be read again: a preset beside its times would be refused, and so would a window of
        # which nothing is left, because all of the week is merely the default.
        told: dict[str, Any] = handler(self)
        if self.preset is not None:
            return {key: value for key, value in told.items() if key not in _TIMES}
        return told if told.keys() & _TIMES else told | {"days": list(self.days)}

    def spans(self) -> tuple[Span, ...]:
        """Return the openings of one week, as wall-clock minutes since Monday 00:00."""
        return _spans(self.preset, tuple(self.days), self.opens, self.closes)


@lru_cache(maxsize=8192)  # each run that is looked at asks every window
def _spans(
    preset: str | None, days: tuple[str, ...], opens_at: str, closes_at: str
) -> tuple[Span, ...]:
    if preset == "business_hours":
        return tuple(Span(day * 1440 + 540, day * 1440 + 1020) for day in range(5))
    if preset == "off_hours":
        week = [Span(day * 1440 + 1020, (day + 1) * 1440 + 540) for day in range(4)]
        return (*week, Span(4 * 1440 + 1020, 7 * 1440 + 540))
    opens, closes = _minutes(opens_at), _minutes(closes_at)
    length = closes - opens if closes > opens else closes - opens + 1440
    starts = [DAYS.index(day) * 1440 + opens for day in days]
    return tuple(Span(start, start + length) for start in starts)


class Span(NamedTuple):
    """Minutes of local time since Monday 00:00, from opening to closing."""

    opens: int
    closes: int


_Weekly = tuple[tuple[str, tuple[Span, ...]], ...]
"""The openings of a week by the zone in which they are meant."""


class Opening(NamedTuple):
    """One concrete opening, in UTC; open at ``opens_at``, no longer open at ``closes_at``."""

    opens_at: datetime
    closes_at: datetime


def is_open(windows: Sequence[Window], at: datetime, *, timezone: str) -> bool:
    """
    Whether a backup may start at ``at``; always, when there are no windows.

    >>> night = Window.model_validate({"days": ["fri"], "from": "22:00", "to": "06:00"})
    >>> is_open([night], datetime(2026, 11, 21, 3, tzinfo=UTC), timezone="UTC")    # Saturday 03:00
    True
    """
    return not windows or opening_at(windows, at, timezone=timezone) is not None


def opening_at(windows: Sequence[Window], at: datetime, *, timezone: str) -> Opening | None:
    """Return the opening that holds ``at``, with those that touch it joined on; None when closed."""
    found = openings(windows, at, timezone=timezone)
    place = bisect_right(found, at, key=lambda opening: opening.opens_at) - 1
    return found[place] if place >= 0 and at < found[place].closes_at else None


def next_opening(windows: Sequence[Window], at: datetime, *, timezone: str) -> datetime:
    """Return the first instant from ``at`` on at which a backup may start (``at`` itself when open)."""
    if not windows:
        return at
    found = openings(windows, at, timezone=timezone)
    place = bisect_right(found, at, key=lambda opening: opening.closes_at)
    return max(found[place].opens_at, at)  # every window opens once a week


def openings(windows: Sequence[Window], context: datetime, *, timezone: str) -> Sequence[Opening]:
    """List the openings from a week before to two weeks after ``context``, joined, in order."""
    day = context.astimezone(UTC).date()
    return _openings(_weekly(windows, timezone), day - timedelta(days=day.weekday()))


def openings_a_week(windows: Sequence[Window], *, timezone: str) -> int:
    """
    Count how often windows open in a week; those that touch each other in local time are one.

    >>> halves = [{"from": "01:00", "to": "02:00"}, {"from": "02:00", "to": "03:00"}]
    >>> openings_a_week([Window.model_validate(each) for each in halves], timezone="UTC")
    7
    """
    return sum(len(spans) for _, spans in _weekly(windows, timezone))


def _weekly(windows: Sequence[Window], timezone: str) -> _Weekly:
    return _joined_on_the_wall(
        tuple((window.timezone or timezone, window.spans()) for window in windows)
    )


@lru_cache(maxsize=64)
def _joined_on_the_wall(weekly: _Weekly) -> _Weekly:
    """Join what touches in each zone: no change of the clocks parts it, and a thousand windows are often one."""
    by_zone: dict[str, list[Span]] = {}
    for zone, spans in weekly:
        by_zone.setdefault(zone, []).extend(spans)
    found = []
    for zone, all_spans in by_zone.items():
        joined: list[Span] = []
        for span in sorted(all_spans):
            if joined and span.opens <= joined[-1].closes:
                joined[-1] = Span(joined[-1].opens, max(joined[-1].closes, span.closes))
            else:
                joined.append(span)
        found.append((zone, tuple(joined)))
    return tuple(found)


@lru_cache(maxsize=64)  # a preview asks for each of its runs
def _openings(weekly: _Weekly, week: date) -> Sequence[Opening]:
    found: list[Opening] = []
    for zone, spans in weekly:
        first, last = week - _LOOK_BACK, week + _LOOK_AHEAD
        monday = first - timedelta(days=first.weekday())
        while monday <= last:
            found += _in_week(spans, zone, monday)
            monday += timedelta(days=7)
    return _joined(found)


@lru_cache(maxsize=64)  # neighbouring weeks ask for the same ones
def _in_week(spans: tuple[Span, ...], name: str, monday: date) -> Sequence[Opening]:
    zone = ZoneInfo(name)
    midnight = datetime.combine(monday, time())
    steady = _steady_offset(midnight, spans[-1].closes, zone)
    found = []
    for span in spans:
        opens, closes = (midnight + timedelta(minutes=minutes) for minutes in span)
        if steady is not None:
            opens_at, closes_at = opens.replace(tzinfo=UTC), closes.replace(tzinfo=UTC)
            found.append(Opening(opens_at - steady, closes_at - steady))
            continue
        opens_at, closes_at = resolve(opens, zone, fold=0), resolve(closes, zone, fold=1)
        if opens_at < closes_at:
            found.append(Opening(opens_at, closes_at))
    return tuple(found)


def _steady_offset(begin: datetime, minutes: int, zone: ZoneInfo) -> timedelta | None:
    """Return the offset of a zone where its clocks do not change in these minutes of the wall; None where they may."""
    first = begin.replace(tzinfo=UTC)
    hours = (first + timedelta(hours=each) for each in range(-24, minutes // 60 + 26))
    offsets = {hour.astimezone(zone).utcoffset() for hour in hours}
    return offsets.pop() if len(offsets) == 1 else None


def resolve(wall: datetime, zone: ZoneInfo, *, fold: int = 0) -> datetime:
    """
    Turn a naive wall-clock time into an instant in UTC.

    In a gap: the first instant after it. In a fold: the first (``fold=0``) or second (``fold=1``) one.

    >>> berlin = ZoneInfo("Europe/Berlin")
    >>> resolve(datetime(2026, 3, 29, 2, 30), berlin).isoformat()     # the clock jumps from 2 to 3
    '2026-03-29T01:00:00+00:00'
    """
    instant = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    return _end_of_gap(wall, zone)


def _end_of_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    # With fold=1 a wall time in a gap is read with the offset after it, which lands before the jump;
    # with fold=0 it lands after the jump. The jump lies between; find it to the second.
    low = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    high = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    before = low.astimezone(zone).utcoffset()
    while high - low >= timedelta(seconds=2):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _joined(found: list[Opening]) -> list[Opening]:
    joined: list[Opening] = []
    for opening in sorted(found):
        if joined and opening.opens_at <= joined[-1].closes_at:
            joined[-1] = Opening(joined[-1].opens_at, max(joined[-1].closes_at, opening.closes_at))
        else:
            joined.append(opening)
    return joined
