"""Windows open and close in local time; the start policy says start, wait or skip, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_backup.schedules.model.windows import Window, is_open, next_opening, opening_at
from airflow_backup.schedules.times.start_policy import StartPolicy, decide

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
