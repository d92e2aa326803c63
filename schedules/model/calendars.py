"""Named days on which no backup runs: dates, ranges of dates and public holidays."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, model_validator

from airflow_backup.core.text.names import quoted
from airflow_backup.schedules.model.base import Model


def _day_or_range(value: Any) -> str:
    """
    Check ``2026-12-24`` or ``2026-12-24..2026-12-27``.

    >>> _day_or_range("2026-12-27..2026-12-24")
    Traceback (most recent call last):
    ValueError: '2026-12-27..2026-12-24' ends before it begins
    """
    text = str(value).replace(" ", "")
    first, dots, last = text.partition("..")
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last if dots else first)
    except ValueError:
        raise ValueError(
            f"{quoted(text)} is not a date; write 2026-12-24, or 2026-12-24..2026-12-27"
        ) from None
    if end < begin:
        raise ValueError(f"{quoted(text)} ends before it begins")
    return text


DayOrRange = Annotated[str, BeforeValidator(_day_or_range)]
"""A date ``2026-12-24``, or a range with both ends ``2026-12-24..2026-12-27``."""


class Calendar(Model):
    """Days on which no backup runs."""

    name: str | None = None
    """What the schedules call it."""

    dates: Annotated[list[DayOrRange], Field(max_length=10_000)] = []
    """Dates and ranges of dates, both ends included."""

    country: str | None = None
    """Public holidays of a country, by its ISO code, for example `DE`."""

    subdivision: str | None = None
    """... and of one of its parts, for example `BE`."""

    ics: str | None = None
    """The days of an iCalendar file, beside the schedules file."""

    @model_validator(mode="after")
    def _says_something(self) -> Calendar:
        if not self.dates and self.country is None and self.ics is None:
            raise ValueError("write `dates`, `country` or `ics`")
        if self.subdivision is not None and self.country is None:
            raise ValueError("`subdivision` needs `country`")
        if self.country is not None:
            _check_country(self.country, self.subdivision)
        return self

    @cached_property
    def _spans(self) -> list[tuple[str, str]]:
        """The dates as first and last days, in order, none of them within another."""
        given = (item.partition("..") for item in self.dates)
        joined: list[tuple[str, str]] = []
        for first, last in sorted((first, last or first) for first, _, last in given):
            if joined and first <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], last))
            else:
                joined.append((first, last))
        return joined

    def reason_on(self, day: date) -> str | None:
        """Say why ``day`` is on the calendar, or None when it is not."""
        name = self.name or "calendar"
        text = day.isoformat()
        place = bisect_right(self._spans, (text, "~")) - 1
        if place >= 0 and text <= self._spans[place][1]:
            return name
        if self.country is not None:
            holiday = _holidays(self.country, self.subdivision, day.year).get(day)
            if holiday is not None:
                return f"{name}: {holiday}"
        return None


def reason_to_skip(calendars: list[Calendar], at: datetime, *, timezone: str) -> str | None:
    """
    Say which calendar forbids a run at ``at``, judged by the local date in ``timezone``.

    >>> from datetime import UTC
    >>> freeze = Calendar(name="freeze", dates=["2026-12-24..2026-12-27"])
    >>> reason_to_skip([freeze], datetime(2026, 12, 23, 23, 30, tzinfo=UTC), timezone="Europe/Berlin")
    'freeze'
    """
    day = at.astimezone(ZoneInfo(timezone)).date()
    for calendar in calendars:
        reason = calendar.reason_on(day)
        if reason is not None:
            return reason
    return None


def _check_country(country: str, subdivision: str | None) -> None:
    from holidays.registry import EntityLoader  # only for those who use it

    if country not in EntityLoader.get_country_codes():
        raise ValueError(
            f"no holidays are known for country {quoted(country)}; write an ISO code such as DE"
        )
    known = () if subdivision is None else _subdivisions(country)
    if subdivision is not None and subdivision not in known:
        raise ValueError(
            f"country {country} has no subdivision {quoted(subdivision)}; "
            f"there are {', '.join(known) or 'none'}"
        )


def _subdivisions(country: str) -> tuple[str, ...]:
    import holidays  # to ask one country imports all of them: 0.2 s

    return tuple(getattr(holidays, country).subdivisions)


@lru_cache(maxsize=256)
def _holidays(country: str, subdivision: str | None, year: int) -> dict[date, str]:
    import holidays

    return dict(
        holidays.country_holidays(country, subdiv=subdivision, years=year, language="en_US")
    )
