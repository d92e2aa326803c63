"""Schedules that are allowed and yet likely a mistake are pointed out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_backup.schedules.loading import warnings
from airflow_backup.schedules.loading.warnings import LoadWarning, load_warnings
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.fire_times import Fire, upcoming

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def schedule(identifier: str, **more: Any) -> Schedule:
    base = {
        "id": identifier,
        "source": {"engine": "files", "path": f"/srv/{identifier}"},
        "repository": f"file:///b/{identifier}",
    }
    return Schedule.model_validate(base | more)


def found(*schedules: Schedule, **more: Any) -> list[LoadWarning]:
    return load_warnings(schedules, now=NOW, **more)


def test_schedules_that_keep_out_of_each_others_way_are_fine() -> None:
    assert found(schedule("a", cron="0 2 * * *"), schedule("b", cron="0 3 * * *"), slots=1) == []


def test_one_source_read_twice_at_once() -> None:
    source = {"engine": "files", "path": "/srv"}
    (warning,) = found(
        schedule("a", cron="0 2 * * *", source=source),
        schedule("b", cron="0 2 * * sun", source=source),
    )
    assert warning.schedules == ("a", "b")
    assert warning.message == "a and b read /srv at the same time, first on Sun 22 Nov 02:00 UTC"
    assert warning.at == datetime(2026, 11, 22, 2, tzinfo=UTC)


def test_one_repository_written_by_many_is_one_warning() -> None:
    many = [schedule(f"s{number}", cron="0 2 * * *", repository="file:///b") for number in range(6)]
    (warning,) = found(*many)
    assert warning.message.startswith("s0, s1, s2 and 3 more write to file:///b at the same time")


def test_known_durations_make_runs_meet() -> None:
    apart = (schedule("a", cron="0 2 * * *"), schedule("b", cron="0 3 * * *"))
    assert found(*apart, slots=1, durations={"a": timedelta(minutes=59)}) == []
    (warning,) = found(*apart, slots=1, durations={"a": timedelta(minutes=61)})
    assert warning.message == (
        "2 backups are due at once, first on Sun 22 Nov 03:00 UTC, and 1 may run at the same time"
    )


def test_a_window_that_is_closed_whenever_the_schedule_is_due() -> None:
    night = [{"days": ["mon-sun"], "from": "22:00", "to": "06:00"}]
    (warning,) = found(schedule("a", cron="0 12 * * *", window=night, outside_window="skip"))
    assert warning.message == "a never runs: its window is closed whenever it is due"
    assert found(schedule("a", cron="0 12 * * *", window=night)) == []


def test_a_window_that_is_too_short_for_what_runs_in_it() -> None:
    night = [{"days": ["mon-sun"], "from": "22:00", "to": "06:00"}]
    slow = schedule("a", cron="0 5 * * *", window=night)
    (warning,) = found(slow, durations={"a": timedelta(hours=2)})
    assert (
        warning.message == "a takes 2h (median), and its window leaves 1h on Sun 22 Nov 05:00 UTC"
    )
    assert found(slow, durations={"a": timedelta(minutes=50)}) == []


def test_warnings_are_plain_data() -> None:
    (warning,) = found(schedule("a", preset="daily"), schedule("b", preset="daily"), slots=1)
    assert warning.as_dict()["at"] == "2026-11-22T02:00:00Z"
    assert warning.as_dict()["schedules"] == ["a", "b"]


@pytest.mark.parametrize(
    ("more", "repository", "is_told"),
    [
        ({}, "file:///srv/wiki/backups", True),
        ({}, "file:///srv/wiki", True),
        ({}, "file:///srv/wiki-backups", False),
        ({}, "file:///backups", False),
        ({}, "s3://srv/wiki/backups", False),
        ({"exclude": ["/backups/"]}, "file:///srv/wiki/backups", False),
        ({"exclude": ["/data/"]}, "file:///srv/wiki/data/backups", False),
        ({"exclude": ["/data/"]}, "file:///srv/wiki/backups", True),
        ({"include": ["/pages/"]}, "file:///srv/wiki/backups", False),
    ],
)
def test_a_source_that_holds_its_own_repository_is_told(
    more: dict[str, object], repository: str, is_told: bool
) -> None:
    schedule = Schedule.model_validate(
        {
            "id": "wiki",
            "source": {"engine": "files", "path": "/srv/wiki", **more},
            "repository": repository,
            "preset": "daily",
        }
    )
    told = [each.message for each in load_warnings([schedule], now=NOW)]
    expected = "the repository of wiki lies in its source, and every set holds all earlier ones"
    assert told == ([expected] if is_told else [])


def test_a_local_path_without_a_queue_is_pointed_out_where_others_name_one() -> None:
    placed = schedule("a", cron="0 2 * * *", queue="nas")
    bare = schedule("b", cron="0 3 * * *")
    server = {"engine": "postgres", "connection": "c"}
    (warning,) = found(placed, bare, schedule("c", cron="0 4 * * *", source=server))
    assert warning.schedules == ("b",)
    assert warning.message == (
        "b reads /srv/b of whichever worker takes it: it names no queue, and there are nas"
    )
    assert found(bare) == []


def test_years_of_a_rare_schedule_are_not_reckoned_for_the_coming_week(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def counted(item: Schedule, *, after: datetime, count: int) -> list[Fire]:
        asked.append(count)
        return upcoming(item, after=after, count=count)

    monkeypatch.setattr(warnings, "upcoming", counted)
    found(schedule("monthly", cron="0 2 1 * *"))
    assert asked == [30]
    found(schedule("hourly", cron="0 * * * *"))
    assert asked == [30, 30, warnings.MOST_RUNS]
