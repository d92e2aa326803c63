"""Windows open and close in local time; the start policy says start, wait or skip, and why."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from airflow_backup.schedules.model import windows as model
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.windows import (
    DAYS,
    Window,
    is_open,
    next_opening,
    opening_at,
    openings_a_week,
)
from airflow_backup.schedules.times.start_policy import StartPolicy, decide, local_text

NIGHTLY = Window.model_validate({"days": ["mon-fri"], "from": "22:00", "to": "06:00"})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


OPEN = {
    "Friday night": ("2026-11-20 23:00", True),
    "Saturday before six belongs to Friday": ("2026-11-21 05:59", True),
    "Saturday at six": ("2026-11-21 06:00", False),
    "Saturday night": ("2026-11-21 23:00", False),
    "Monday before six belongs to Sunday": ("2026-11-23 05:00", False),
    "Monday at ten": ("2026-11-23 22:00", True),
}


@pytest.mark.parametrize(("moment", "expected"), OPEN.values(), ids=OPEN)
def test_a_window_across_midnight_belongs_to_the_day_it_opens(moment: str, expected: bool) -> None:
    assert is_open([NIGHTLY], at(moment), timezone="UTC") is expected


def test_business_hours_and_off_hours_share_the_week_without_gap_or_overlap() -> None:
    business, off = Window(preset="business_hours"), Window(preset="off_hours")
    moment = at("2026-03-27 00:00")
    for _ in range(4 * 24 * 9):
        opened = [is_open([window], moment, timezone="Europe/Berlin") for window in (business, off)]
        assert sum(opened) == 1, moment
        moment += timedelta(minutes=15)


def test_the_next_opening_is_now_when_open() -> None:
    assert next_opening([NIGHTLY], at("2026-11-20 23:00"), timezone="UTC") == at("2026-11-20 23:00")
    assert next_opening([NIGHTLY], at("2026-11-21 12:00"), timezone="UTC") == at("2026-11-23 22:00")


def test_windows_that_touch_are_one_opening() -> None:
    whole_day = Window.model_validate({"days": ["sat", "sun"], "from": "00:00", "to": "24:00"})
    opening = opening_at([NIGHTLY, whole_day], at("2026-11-21 01:00"), timezone="UTC")
    assert opening == (at("2026-11-20 22:00"), at("2026-11-23 00:00"))


def test_a_window_has_its_own_zone_when_it_says_so() -> None:
    tokyo = Window.model_validate(
        {"days": ["mon"], "from": "09:00", "to": "10:00", "timezone": "Asia/Tokyo"}
    )
    assert is_open([tokyo], at("2026-11-23 00:30"), timezone="Europe/Berlin")


CHANGES = {
    "an opening inside the gap comes at its end": (
        "02:30",
        "04:00",
        "2026-03-29 01:00",
        "2026-03-29 02:00",
    ),
    "a closing that comes twice is the second one": (
        "01:00",
        "02:30",
        "2026-10-24 23:00",
        "2026-10-25 01:30",
    ),
}


@pytest.mark.parametrize(("opens", "closes", "begin", "end"), CHANGES.values(), ids=CHANGES)
def test_where_the_clock_jumps(opens: str, closes: str, begin: str, end: str) -> None:
    window = Window.model_validate({"days": ["sun"], "from": opens, "to": closes})
    opening = opening_at([window], at(begin), timezone="Europe/Berlin")
    assert opening == (at(begin), at(end))


GATES: dict[str, tuple[dict[str, Any], str, str, str, str]] = {
    "no window": ({}, "2026-11-21 12:00", "2026-11-21 12:00", "start", "no window to wait for"),
    "open": (
        {"window": [NIGHTLY]},
        "2026-11-20 23:00",
        "2026-11-20 23:00",
        "start",
        "the window is open",
    ),
    "wait": (
        {"window": [NIGHTLY]},
        "2026-11-21 12:00",
        "2026-11-21 12:00",
        "wait",
        "the window opens on Mon 23 Nov 22:00 UTC",
    ),
    "skip": (
        {"window": [NIGHTLY], "outside_window": "skip"},
        "2026-11-21 12:00",
        "2026-11-21 12:00",
        "skip",
        "outside the window",
    ),
    "waited until it opened": (
        {"window": [NIGHTLY]},
        "2026-11-21 12:00",
        "2026-11-23 22:00",
        "start",
        "the window is open",
    ),
    "calendar": (
        {"skip_on": [{"name": "freeze", "dates": ["2026-12-24..2026-12-27"]}]},
        "2026-12-25 02:00",
        "2026-12-25 02:00",
        "skip",
        "on calendar freeze",
    ),
    "holiday": (
        {
            "skip_on": [{"name": "berlin", "country": "DE", "subdivision": "BE"}],
            "timezone": "Europe/Berlin",
        },
        "2026-03-08 02:00",
        "2026-03-08 02:00",
        "skip",
        "on calendar berlin: Women's Day",
    ),
    "waited into a calendar's day": (
        {"window": [NIGHTLY], "skip_on": [{"name": "freeze", "dates": ["2026-11-23"]}]},
        "2026-11-21 12:00",
        "2026-11-23 22:00",
        "skip",
        "on calendar freeze",
    ),
}


@pytest.mark.parametrize(
    ("policy", "fire_time", "now", "action", "reason"), GATES.values(), ids=GATES
)
def test_the_start_policy_says_what_to_do_and_why(
    policy: dict[str, Any], fire_time: str, now: str, action: str, reason: str
) -> None:
    decision = decide(StartPolicy.model_validate(policy), fire_time=at(fire_time), now=at(now))
    assert (decision.action, decision.reason) == (action, reason)


def test_a_start_policy_survives_being_plain_data() -> None:
    policy = StartPolicy(window=[NIGHTLY, Window(preset="off_hours")], timezone="Europe/Berlin")
    assert (
        StartPolicy.model_validate(policy.model_dump(mode="json", exclude_defaults=True)) == policy
    )


@pytest.mark.parametrize("seed", range(6))
def test_many_windows_are_open_when_one_of_them_is(seed: int) -> None:
    """Also in the nights in which the clocks change, and as the wall clock says in all others."""
    dice = random.Random(seed)
    zone = dice.choice(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo"])
    windows = [
        Window.model_validate(
            {"days": [dice.choice(DAYS)], "from": time_of_day(dice), "to": time_of_day(dice)}
        )
        for _ in range(dice.randint(1, 30))
    ]
    begin = at("2026-01-01 00:00") + timedelta(minutes=dice.randrange(365 * 1440))
    for _ in range(200):
        moment = begin + timedelta(minutes=dice.randrange(80 * 1440))
        opened = is_open(windows, moment, timezone=zone)
        assert opened is any(is_open([each], moment, timezone=zone) for each in windows), moment
        local = moment.astimezone(ZoneInfo(zone))
        near = {(local + timedelta(hours=hours)).utcoffset() for hours in range(-30, 31)}
        if len(near) == 1:
            minute = local.weekday() * 1440 + local.hour * 60 + local.minute
            spans = [span for each in windows for span in each.spans()]
            weeks = (minute, minute + 7 * 1440)
            assert opened is any(s.opens <= each < s.closes for s in spans for each in weeks)


def time_of_day(dice: random.Random) -> str:
    return f"{dice.randrange(24):02}:{dice.choice((0, 0, 15, 30, 59)):02}"


def test_windows_that_touch_are_counted_and_reckoned_as_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A thousand windows kept a processor busy for seconds, each week that anybody looked at anew."""
    minutes = [
        Window.model_validate(
            {"from": f"{n // 60:02}:{n % 60:02}", "to": f"{n // 60:02}:{n % 60 + 1:02}"}
        )
        for n in range(1000)
        if n % 60 != 59
    ]
    assert openings_a_week(minutes, timezone="Europe/Berlin") == 7 * 17
    resolved: list[datetime] = []

    def count(wall: datetime, zone: ZoneInfo, *, fold: int = 0) -> datetime:
        resolved.append(wall)
        return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)

    monkeypatch.setattr(model, "resolve", count)
    for weeks in range(52):
        moment = at("2031-01-01 00:00") + timedelta(weeks=weeks)
        is_open(minutes, moment, timezone="Europe/Berlin")
    assert 0 < len(resolved) <= 4 * 7 * 17 * 2, (
        "only weeks in which clocks change are reckoned one by one"
    )


def test_more_openings_than_can_be_reckoned_are_refused() -> None:
    windows = [
        {"from": f"{n // 30:02}:{n % 30 * 2:02}", "to": f"{n // 30:02}:{n % 30 * 2 + 1:02}"}
        for n in range(200)
    ]
    given = {"id": "wiki", "source": {"engine": "files", "path": "/srv"}, "repository": "file:///b"}
    with pytest.raises(ValueError, match="`window` opens 1,400 times a week"):
        Schedule.model_validate(given | {"cron": "0 2 * * *", "window": windows})


@pytest.mark.parametrize("days", [[], {}, 7, None])
def test_days_that_are_no_list_are_refused(days: object) -> None:
    with pytest.raises(ValidationError, match="`days` is a list such as"):
        Window.model_validate({"days": days, "from": "22:00", "to": "06:00"})


def test_without_windows_every_moment_is_open() -> None:
    moment = at("2026-05-04T02:00")
    assert next_opening((), moment, timezone="Europe/Berlin") == moment


def test_a_moment_at_the_end_of_time_is_written_in_utc() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert local_text(last, "Asia/Tokyo") == "Fri 31 Dec 23:59 UTC"
