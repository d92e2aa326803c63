"""What fires is what cron means: every minute of a while, asked of a matcher that was written for nothing else."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from airflow_backup.schedules.loading.warnings import load_warnings
from airflow_backup.schedules.model.cron import check_cron
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.cron_times import next_of_cron

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LIMITS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 6)}


def number(field: str, text: str) -> int:
    if field == "weekday" and text in DAYS:
        return DAYS.index(text)
    if field == "month" and text in MONTHS:
        return MONTHS.index(text) + 1
    return int(text)


def meant(field: str, text: str) -> set[int]:
    """Return the values that a field means, by counting on a circle from its beginning."""
    low, high = LIMITS[field]
    found: set[int] = set()
    for item in text.split(","):
        body, _, step = item.partition("/")
        if body == "*":
            found |= set(range(low, high + 1, int(step or 1)))
            continue
        first, _, last = body.partition("-")
        here = number(field, first)
        end = number(field, last) if last else (high if step else here)
        here = 0 if (field, here) == ("weekday", 7) and end != 7 else here
        count = 0
        while True:
            if count % int(step or 1) == 0:
                found.add(here % 7 if field == "weekday" else here)
            if here == end or (field == "weekday" and here % 7 == end % 7 and here >= end):
                break
            here, count = here + 1, count + 1
            if here > (7 if field == "weekday" and end == 7 else high):
                here = low
    return found


def fires(cron: str, at: datetime) -> bool:
    minute, hour, day, month, weekday = cron.split(" ")
    if at.minute not in meant("minute", minute) or at.hour not in meant("hour", hour):
        return False
    if at.month not in meant("month", month):
        return False
    by_day, by_weekday = (
        at.day in meant("day", day),
        at.isoweekday() % 7 in meant("weekday", weekday),
    )
    if {"*", "*/1"} & {*day.split(","), *weekday.split(",")}:
        return by_day and by_weekday
    return by_day or by_weekday


def item(chance: random.Random, field: str) -> str:
    """Return one part of a field by chance."""
    low, high = LIMITS[field]

    def one() -> str:
        if field == "weekday":
            return str(chance.choice([*DAYS, *"01234567"]))
        if field == "month" and chance.random() < 0.4:
            return chance.choice(MONTHS)
        return str(chance.randint(low, high))

    first = one()
    return chance.choice(
        (
            first,
            f"{first}-{first}",
            f"{first}-{one()}",
            f"{first}-{one()}/{chance.randint(1, 4)}",
            f"{first}-{first}/{chance.randint(1, 4)}",
            f"{first}/{chance.randint(1, 4)}",
            f"*/{chance.randint(1, 5)}",
            f"{low}-{high}",
        )
    )


def expression(chance: random.Random) -> str:
    fields = []
    for field in LIMITS:
        if chance.random() < {"minute": 0.1, "hour": 0.2}.get(field, 0.45):
            fields.append("*")
        else:
            fields.append(
                ",".join(item(chance, field) for _ in range(chance.choice((1, 1, 1, 2, 3))))
            )
    return " ".join(fields)


@pytest.mark.parametrize("seed", range(20))
def test_an_expression_fires_when_cron_says(seed: int) -> None:
    chance = random.Random(seed)  # a seed, no secret
    looked_at = 0
    while looked_at < 150:
        cron = expression(chance)
        after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(1_000_000))
        if meant("day", cron.split(" ")[2]) <= {30, 31}:
            continue  # may never fire, in a month that has no such day
        check_cron(cron)
        looked_at += 1
        at = after.replace(second=0)
        values = [meant(field, text) for field, text in zip(LIMITS, cron.split(" "), strict=True)]
        found = next_of_cron(cron, "UTC", after)
        for _ in range(2_000_000):
            at += timedelta(minutes=1)
            if at.month not in values[3]:  # nothing fires in it: on to the next
                at = (at.replace(day=1) + timedelta(days=32)).replace(
                    day=1, hour=0, minute=0
                ) - timedelta(minutes=1)
                continue
            if at.hour not in values[1]:
                at = at.replace(minute=59)
                continue
            if fires(cron, at):
                break
        assert found == at, cron


MEANT = {
    "0 2 * * 4-4": ["2026-11-26T02:00", "2026-12-03T02:00"],
    "0 20-20 * * *": ["2026-11-21T20:00", "2026-11-22T20:00"],
    "0 2 * * thu-thu": ["2026-11-26T02:00", "2026-12-03T02:00"],
    "0 2 * * 7-7": ["2026-11-22T02:00", "2026-11-29T02:00"],
    "0 2 * * 5-7": ["2026-11-22T02:00", "2026-11-27T02:00"],
    "0 2 3-3 * *": ["2026-12-03T02:00", "2027-01-03T02:00"],
    "0 2 1 2-2 *": ["2027-02-01T02:00", "2028-02-01T02:00"],
    "0 2 * * mon#1": ["2026-12-07T02:00", "2027-01-04T02:00"],
    "0 2 * * L5": ["2026-11-27T02:00", "2026-12-25T02:00"],
    "0 2 L * *": ["2026-11-30T02:00", "2026-12-31T02:00"],
    "0 2 15W * *": ["2026-12-15T02:00", "2027-01-15T02:00"],
    "0 2 1W * ?": ["2026-12-01T02:00", "2027-01-01T02:00"],
    "0 2 2-31,1/9 * mon": ["2026-11-22T02:00", "2026-11-23T02:00"],
    "0 2 1 * 0-3/2,6-3,1/1": ["2026-11-22T02:00", "2026-11-23T02:00"],
    "30-30 0 2 * * 4-4": ["2026-11-26T02:00:30", "2026-12-03T02:00:30"],
}


@pytest.mark.parametrize(("cron", "expected"), MEANT.items(), ids=MEANT)
def test_a_range_with_equal_ends_is_one_value(cron: str, expected: list[str]) -> None:
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    for text in expected:
        at = next_of_cron(check_cron(cron), "UTC", at)
        assert at == datetime.fromisoformat(f"{text}+00:00")


@pytest.mark.parametrize("cron", ["0 2 15W * mon", "0 2 1w * 1-5", "0 0 2 31W 2 L5"])
def test_the_nearest_working_day_goes_with_no_day_of_the_week(cron: str) -> None:
    """The one would hide the other: a backup every Monday that is written, and never made."""
    with pytest.raises(ValueError, match="write two levels or two schedules"):
        check_cron(cron)


def test_a_step_from_a_star_beside_a_weekday_is_pointed_out() -> None:
    schedule = Schedule.model_validate(
        {
            "id": "a",
            "source": {"engine": "files", "path": "/srv/a"},
            "repository": "file:///b/a",
            "cron": "0 2 */3 * mon",
        }
    )
    (warning,) = load_warnings([schedule], now=datetime(2026, 11, 21, tzinfo=UTC))
    assert "which the cron of Linux takes for days of both" in warning.message
