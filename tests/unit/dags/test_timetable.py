"""Airflow's calls of the timetable give what the preview says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from airflow.timetables.base import DataInterval, TimeRestriction
from pendulum import instance

from airflow_backup.dags.timetable import BackupTimetable
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.fire_times import upcoming

FREE = TimeRestriction(earliest=None, latest=None, catchup=False)
NOW = datetime(2026, 3, 27, 12, tzinfo=UTC)

SCHEDULES: dict[str, dict[str, Any]] = {
    "cron": {"cron": "30 2 * * *", "timezone": "Europe/Berlin"},
    "levels": {"levels": {"full": "0 2 * * sun", "incremental": "0 2 * * mon-sat"}},
    "every": {"every": "45m", "kind": "full"},
    "seconds": {"every": "5s"},
    "jitter": {"preset": "hourly", "jitter": "10m"},
}


def _same(moment: datetime) -> datetime:
    return moment


def schedule(**more: Any) -> Schedule:
    source = {"engine": "files", "path": "/srv"}
    return Schedule.model_validate(
        {"id": "wiki", "source": source, "repository": "file:///b"} | more
    )


@pytest.mark.parametrize("options", SCHEDULES.values(), ids=SCHEDULES)
def test_the_scheduler_creates_what_the_preview_shows(options: dict[str, Any]) -> None:
    given = schedule(**options)
    timetable = BackupTimetable.of(given)
    expected = [fire.at for fire in upcoming(given, after=NOW, count=20)]
    last: DataInterval | None = DataInterval.exact(instance(NOW))
    created = []
    now = NOW
    for _ in expected:
        timetable.clock = partial(_same, now)
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=FREE)
        assert info is not None
        created.append(info.run_after)
        last, now = info.data_interval, info.run_after + timedelta(seconds=1)
    assert created == expected


@pytest.mark.parametrize("options", SCHEDULES.values(), ids=SCHEDULES)
def test_a_timetable_survives_being_serialized(options: dict[str, Any]) -> None:
    state = BackupTimetable.of(schedule(**options)).serialize()
    again = BackupTimetable.deserialize(state)
    assert again.serialize() == state
    assert BackupTimetable.deserialize(dict(state)) is again


def test_a_manual_run_has_its_own_moment() -> None:
    at = instance(NOW)
    assert BackupTimetable.of(schedule(every="1h")).infer_manual_data_interval(
        run_after=at
    ) == DataInterval(at, at)


def test_nothing_runs_after_the_end() -> None:
    timetable = BackupTimetable.of(schedule(every="1h"))
    timetable.clock = lambda: NOW
    ended = TimeRestriction(
        earliest=None, latest=instance(NOW - timedelta(minutes=30)), catchup=False
    )
    assert timetable.next_dagrun_info(last_automated_data_interval=None, restriction=ended) is None


def test_after_a_gap_one_run_makes_up_for_all_when_asked_to() -> None:
    timetable = BackupTimetable.of(schedule(preset="hourly", missed="run_once"))
    timetable.clock = lambda: NOW + timedelta(minutes=20)
    last = DataInterval.exact(instance(NOW - timedelta(hours=7)))
    info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=FREE)
    assert info is not None
    assert info.run_after == NOW


def test_the_description_names_kinds_times_and_zone() -> None:
    timetable = BackupTimetable.of(schedule(**SCHEDULES["levels"]))
    assert timetable.summary == "0 2 * * sun, 0 2 * * mon-sat"
    assert timetable.description == "full at 0 2 * * sun, incremental at 0 2 * * mon-sat (UTC)"
