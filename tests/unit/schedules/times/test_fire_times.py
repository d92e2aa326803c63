"""Fire times follow the wall clock, run once where it jumps, and never drift."""

from __future__ import annotations

import random
import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from airflow_backup.core.words import Kind
from airflow_backup.schedules.model.cron import fires_every_hour
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.windows import resolve
from airflow_backup.schedules.times.cron_times import next_of_cron
from airflow_backup.schedules.times.fire_times import (
    FixedRhythm,
    kind_at,
    latest_occurrence,
    next_occurrence,
    occurrences,
    slot_to_run,
    upcoming,
)

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 21, tzinfo=UTC)


def rhythm(cron: str, zone: str = "Europe/Berlin") -> FixedRhythm:
    return FixedRhythm({Kind.FULL: cron}, None, Kind.FULL, zone, timedelta(0))


def fires(cron: str, after: datetime, count: int) -> list[str]:
    coming = occurrences(rhythm(cron), after)
    return [f"{next(coming).at.astimezone(BERLIN):%d %H:%M%z}" for _ in range(count)]


def walk(given: FixedRhythm, begin: datetime, end: datetime) -> list[datetime]:
    return [
        fire_time.at
        for fire_time in takewhile(lambda fire_time: fire_time.at <= end, occurrences(given, begin))
    ]


CLOCK_CHANGES = {
    "in the gap once, at its end": ("30 2 * * *", SPRING, ["29 03:00+0200", "30 02:30+0200"]),
    "two times of a gap become one": ("15,45 2 * * *", SPRING, ["29 03:00+0200", "30 02:15+0200"]),
    "the gap's end and a time after it": (
        "30 2,3 * * *",
        SPRING,
        ["29 03:00+0200", "29 03:30+0200"],
    ),
    "in the fold once, the first time": ("30 2 * * *", AUTUMN, ["25 02:30+0200", "26 02:30+0100"]),
    "after the fold": ("30 1-3 * * *", AUTUMN, ["25 01:30+0200", "25 02:30+0200", "25 03:30+0100"]),
    "hourly runs every real hour of a long day": (
        "0 * * * *",
        AUTUMN + timedelta(hours=2),
        ["25 02:00+0200", "25 02:00+0100", "25 03:00+0100"],
    ),
    "hourly runs every real hour of a short day": (
        "0 * * * *",
        SPRING + timedelta(hours=1),
        ["29 01:00+0100", "29 03:00+0200", "29 04:00+0200"],
    ),
}


@pytest.mark.parametrize(("cron", "after", "expected"), CLOCK_CHANGES.values(), ids=CLOCK_CHANGES)
def test_where_the_clock_jumps(cron: str, after: datetime, expected: list[str]) -> None:
    assert fires(cron, after, len(expected)) == expected


def transitions(zone: ZoneInfo) -> list[datetime]:
    """The hours (UTC) in which the zone changes its offset, 2025 to 2027."""
    found = []
    moment, end = datetime(2025, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    while moment < end:
        following = moment + timedelta(days=7)
        if moment.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
            hour = moment
            while (
                hour.astimezone(zone).utcoffset()
                == (hour + timedelta(hours=1)).astimezone(zone).utcoffset()
            ):
                hour += timedelta(hours=1)
            found.append(hour)
        moment = following
    return found


@lru_cache
def times_of_day(cron: str) -> frozenset[tuple[int, int]]:
    """The hours and minutes at which the expression fires; it must not care for the date."""
    walls = (datetime(2024, 1, 1) + timedelta(minutes=step) for step in range(1440))
    return frozenset((wall.hour, wall.minute) for wall in walls if croniter.match(cron, wall))


def matches(cron: str, wall: datetime) -> bool:
    return (wall.hour, wall.minute) in times_of_day(cron)


def by_brute_force(cron: str, zone: ZoneInfo, begin: datetime, end: datetime) -> list[datetime]:
    """Look at every minute: of real time for what runs every hour, else of local time."""
    minute = timedelta(minutes=1)
    if fires_every_hour(cron):
        instants = (begin + minute * step for step in range(int((end - begin) / minute) + 1))
        found = {at for at in instants if matches(cron, at.astimezone(zone).replace(tzinfo=None))}
    else:
        first = begin.astimezone(zone).replace(tzinfo=None) - timedelta(hours=3)
        walls = (first + minute * step for step in range(int((end - begin) / minute) + 360))
        found = {resolve(wall, zone) for wall in walls if matches(cron, wall)}
    return sorted(at for at in found if begin < at <= end)


CRONS = ("30 2 * * *", "*/20 1-3 * * *", "0 */2 * * *", "15 * * * *", "59 0,23 * * *")


def test_every_zone_of_the_tz_database_agrees_with_looking_at_every_minute() -> None:
    changes: dict[tuple[datetime, timedelta | None, timedelta | None], str] = {}
    for name in sorted(zoneinfo.available_timezones()):
        zone = ZoneInfo(name)
        for moment in transitions(zone):
            before = moment.astimezone(zone).utcoffset()
            after = (moment + timedelta(hours=1)).astimezone(zone).utcoffset()
            changes.setdefault((moment, before, after), name)
    assert len(changes) > 40
    chosen = random.Random(3)
    for (moment, _, _), name in changes.items():
        begin, end = moment - timedelta(hours=6), moment + timedelta(hours=8)
        for cron in chosen.sample(CRONS, 2):
            walked = walk(rhythm(cron, name), begin, end)
            assert walked == by_brute_force(cron, ZoneInfo(name), begin, end), (name, cron, moment)


def test_the_walk_is_the_same_from_wherever_it_starts() -> None:
    chosen = random.Random(5)
    whole = walk(rhythm("*/30 1-4 * * *"), SPRING, SPRING + timedelta(days=2))
    for _ in range(50):
        start = SPRING + timedelta(seconds=chosen.randrange(2 * 86_400))
        assert next_of_cron("*/30 1-4 * * *", "Europe/Berlin", start) == next(
            (at for at in whole if at > start),
            next_of_cron("*/30 1-4 * * *", "Europe/Berlin", whole[-1]),
        )


def test_a_steady_rhythm_counts_real_time_and_does_not_drift() -> None:
    steady = FixedRhythm({}, timedelta(minutes=45), Kind.FULL, "Europe/Berlin", timedelta(0))
    beats = occurrences(steady, AUTUMN)
    found = [next(beats).at for _ in range(40)]
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(minutes=45)}
    assert next_occurrence(steady, found[7] + timedelta(minutes=44)) == next_occurrence(
        steady, found[7]
    )


def test_when_levels_meet_the_most_complete_one_runs() -> None:
    levels = FixedRhythm(
        {Kind.FULL: "0 2 * * sun", Kind.DIFFERENTIAL: "0 2 * * *", Kind.INCREMENTAL: "0 */2 * * *"},
        None,
        Kind.FULL,
        "UTC",
        timedelta(0),
    )
    sunday = datetime(2026, 11, 22, 2, tzinfo=UTC)
    coming = occurrences(levels, sunday - timedelta(hours=3))
    assert [next(coming).kind for _ in range(3)] == [Kind.INCREMENTAL, Kind.FULL, Kind.INCREMENTAL]
    assert kind_at(levels, sunday + timedelta(days=1)) is Kind.DIFFERENTIAL
    assert kind_at(levels, sunday + timedelta(minutes=7)) is Kind.FULL


def test_jitter_shifts_every_run_by_the_same_offset() -> None:
    schedule = Schedule.model_validate(
        {
            "id": "wiki",
            "source": {"engine": "files", "path": "/srv"},
            "repository": "file:///b",
            "cron": "0 2 * * *",
            "jitter": "10m",
        }
    )
    shifts = {
        fire.at.minute * 60 + fire.at.second for fire in upcoming(schedule, after=SPRING, count=5)
    }
    assert len(shifts) == 1
    assert 0 < shifts.pop() < 600


def test_the_preview_names_what_is_skipped_and_what_waits() -> None:
    schedule = Schedule.model_validate(
        {
            "id": "wiki",
            "source": {"engine": "files", "path": "/srv"},
            "repository": "file:///b",
            "cron": "0 12 * * *",
            "window": [{"days": ["mon-fri"], "from": "22:00", "to": "06:00"}],
            "skip_on": [{"name": "freeze", "dates": ["2026-12-24"]}],
        }
    )
    waits, skipped = upcoming(schedule, after=datetime(2026, 12, 23, 11, tzinfo=UTC), count=2)
    assert (waits.opens_at, waits.skipped) == (datetime(2026, 12, 23, 22, tzinfo=UTC), None)
    assert (skipped.opens_at, skipped.skipped) == (None, "on calendar freeze")


DAILY = rhythm("0 2 * * *", "UTC")
MONDAY = datetime(2026, 5, 4, 2, tzinfo=UTC)
SLOTS = {
    "on time": (MONDAY, MONDAY + timedelta(days=1, seconds=2), 0, MONDAY + timedelta(days=1)),
    "already run": (MONDAY, MONDAY + timedelta(seconds=2), 0, MONDAY + timedelta(days=1)),
    "missed and left out": (
        MONDAY,
        MONDAY + timedelta(days=3, hours=1),
        0,
        MONDAY + timedelta(days=4),
    ),
    "missed and made up for": (
        MONDAY,
        MONDAY + timedelta(days=3, hours=1),
        6,
        MONDAY + timedelta(days=3),
    ),
    "missed too long ago": (
        MONDAY,
        MONDAY + timedelta(days=3, hours=7),
        6,
        MONDAY + timedelta(days=4),
    ),
    "never ran, nothing of the past": (
        None,
        MONDAY + timedelta(hours=1),
        0,
        MONDAY + timedelta(days=1),
    ),
}


@pytest.mark.parametrize(("last", "now", "hours", "expected"), SLOTS.values(), ids=SLOTS)
def test_the_slot_that_runs_next(
    last: datetime | None, now: datetime, hours: int, expected: datetime
) -> None:
    fire_time = slot_to_run(DAILY, last=last, now=now, made_up_for=timedelta(hours=hours))
    assert fire_time is not None
    assert fire_time.at == expected


def test_a_schedule_of_every_second_that_missed_a_day_runs_once() -> None:
    often = rhythm("* * * * * *", "UTC")
    fire_time = latest_occurrence(often, since=MONDAY, until=MONDAY + timedelta(days=1))
    assert fire_time is not None
    assert fire_time.at == MONDAY + timedelta(days=1)
