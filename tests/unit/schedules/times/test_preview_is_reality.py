"""What the preview shows is what Airflow's scheduler creates and the start policy then lets through."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from airflow.timetables.base import DataInterval, TimeRestriction
from pendulum import instance

from airflow_backup.dags.timetable import BackupTimetable
from airflow_backup.plugin.views.rhythms import next_run
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times import fire_times
from airflow_backup.schedules.times.fire_times import first_to_start, next_occurrence, upcoming
from airflow_backup.schedules.times.holds import PAUSE_UNTIL, SKIP_NEXT, hold_text, pause_at
from airflow_backup.schedules.times.start_policy import decide, start_policy_of

COMBINATIONS = 500
FREE = TimeRestriction(earliest=None, latest=None, catchup=False)
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Africa/Casablanca",
    "Pacific/Chatham",
    "America/Havana",
    "Europe/Dublin",
    "UTC",
)
CHANGES = [
    datetime(year, month, day, tzinfo=UTC)
    for year in (2026, 2027)
    for month, day in ((3, 8), (3, 28), (4, 5), (9, 27), (10, 4), (10, 25), (11, 1))
]


@dataclass(frozen=True)
class Hold:
    id: int
    kind: str
    until: datetime | None
    created_by: str = "anna"
    reason: str | None = None


def crons(chosen: random.Random) -> str:
    minute = chosen.choice(["0", "30", "15,45", "*/20", "59"])
    hour = chosen.choice(["2", "1-3", "*", "*/2", "0", "23", "2,3", "*/6"])
    day = chosen.choice(["* * *", "* * *", "* * mon-fri", "* * sun", "1,15 * *", "L * *"])
    return f"{minute} {hour} {day}"


def schedules(chosen: random.Random) -> Schedule:
    from_catalog: dict[str, Any] = {
        "id": "s",
        "source": {"engine": "files", "path": "/srv"},
        "repository": "file:///b",
        "timezone": chosen.choice(ZONES),
    }
    what = chosen.random()
    if what < 0.6:
        from_catalog["cron"] = crons(chosen)
    elif what < 0.8:
        from_catalog["levels"] = {"full": crons(chosen), "incremental": crons(chosen)}
    else:
        from_catalog["every"] = chosen.choice(["45m", "6h", "90s", "7h30m"])
    if chosen.random() < 0.6:
        opens, closes = (
            f"{chosen.randrange(24):02}:{chosen.choice(['00', '30'])}" for _ in range(2)
        )
        days = chosen.choice([["mon-fri"], ["sat", "sun"], ["mon-sun"], ["sun"]])
        from_catalog["window"] = [{"days": days, "from": opens, "to": closes}]
        from_catalog["outside_window"] = chosen.choice(["wait", "skip"])
    if chosen.random() < 0.3:
        from_catalog["window"] = [{"preset": chosen.choice(["business_hours", "off_hours"])}]
    if chosen.random() < 0.5:
        first = chosen.choice(CHANGES).date() + timedelta(days=chosen.randrange(-2, 3))
        last: date = first + timedelta(days=chosen.randrange(3))
        from_catalog["skip_on"] = [{"name": "freeze", "dates": [f"{first}..{last}"]}]
    if chosen.random() < 0.3:
        from_catalog["jitter"] = chosen.choice(["10m", "59m"])
    return Schedule.model_validate(from_catalog)


def holds(chosen: random.Random, now: datetime) -> list[Hold]:
    from_catalog = []
    if chosen.random() < 0.3:
        from_catalog.append(Hold(1, PAUSE_UNTIL, now + timedelta(hours=chosen.randrange(1, 60))))
    if chosen.random() < 0.3:
        from_catalog.append(Hold(2, SKIP_NEXT, None))
    return from_catalog


def created(schedule: Schedule, now: datetime, count: int) -> list[datetime]:
    """Ask the timetable as Airflow's scheduler loop does: look, create the run when it is due, look again."""
    timetable = BackupTimetable.deserialize(BackupTimetable.of(schedule).serialize())
    last: DataInterval | None = DataInterval.exact(instance(now))
    found: list[datetime] = []
    while len(found) < count:
        timetable.clock = lambda at=now: at  # type: ignore[misc]  # bound at once, called at once
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=FREE)
        assert info is not None
        found.append(datetime.fromtimestamp(info.run_after.timestamp(), UTC))
        last, now = info.data_interval, found[-1] + timedelta(seconds=1)
    return found


def happened(
    schedule: Schedule, fire_time: datetime, held: list[Hold]
) -> tuple[datetime | None, str | None]:
    """What the sensor does with a run: wait for the start policy, then look for holds."""
    policy = start_policy_of(schedule)
    decision, now = decide(policy, fire_time=fire_time, now=fire_time), fire_time
    while decision.until is not None:
        now = decision.until
        decision = decide(policy, fire_time=fire_time, now=now)
    if decision.action == "skip":
        return None, decision.reason
    pause = pause_at(held, fire_time)
    if pause is not None:
        return None, hold_text(pause, schedule.timezone)
    once = deque(hold for hold in held if hold.kind == SKIP_NEXT)
    if once:
        held.remove(once[0])
        return None, hold_text(once[0], schedule.timezone)
    return now, None


def previews(seed: int) -> Iterator[tuple[Schedule, datetime, list[Hold], list[fire_times.Fire]]]:
    """Yield schedules, moments near a change of clocks, what is held, and the preview of it."""
    chosen = random.Random(seed)
    for _ in range(COMBINATIONS // 10):
        schedule = schedules(chosen)
        now = chosen.choice(CHANGES) + timedelta(minutes=chosen.randrange(-2880, 2880))
        held = holds(chosen, now)
        yield schedule, now, held, upcoming(schedule, after=now, count=8, holds=held)


@pytest.mark.parametrize("seed", range(10))
def test_the_preview_is_what_the_scheduler_creates(seed: int) -> None:
    for schedule, now, held, preview in previews(seed):
        assert [fire.at for fire in preview] == created(schedule, now, 8), schedule
        left = list(held)
        assert [(fire.opens_at, fire.skipped) for fire in preview] == [
            happened(schedule, fire.at, left) for fire in preview
        ], schedule


@pytest.mark.parametrize("seed", range(4))
def test_the_next_run_is_the_first_of_the_preview_that_starts(seed: int) -> None:
    for schedule, now, held, preview in previews(seed):
        expected = next((fire for fire in preview if fire.skipped is None), preview[0])
        assert first_to_start(schedule, after=now, among=8, holds=held) == expected, schedule


def test_for_the_next_run_no_more_is_reckoned_than_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hold on 5,000 schedules is asked about at once."""
    asked: list[datetime] = []

    def noted(rhythm: fire_times.Rhythm, after: datetime) -> fire_times.Occurrence | None:
        asked.append(after)
        return next_occurrence(rhythm, after)

    monkeypatch.setattr(fire_times, "next_occurrence", noted)
    given = {"id": "s", "source": {"engine": "files", "path": "/"}, "repository": "file:///b"}
    schedule = Schedule.model_validate({**given, "cron": "0 2 * * *"})
    now = datetime(2026, 11, 1, tzinfo=UTC)
    found = next_run(schedule, {}, now=now, holds=[Hold(1, SKIP_NEXT, None)])
    assert found is not None
    assert found.at == now + timedelta(days=1, hours=2)
    assert len(asked) <= 3
