"""Slots that pass while a run of the same schedule goes on are in its history, and no storm of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.alerts.monitor.monitor import monitor
from airflow_backup.actions.alerts.notify.deliver import Sender
from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import AttemptRow, Outcome
from airflow_backup.core.connections import from_environment
from airflow_backup.core.words import ExecutionStatus, Trigger
from airflow_backup.schedules.model.schedule import Schedule

AT_TWO = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


def schedule(**more: Any) -> Schedule:
    given = {"id": "wiki", "source": {"engine": "files", "path": "/srv"}, "repository": "file:///b"}
    return Schedule.model_validate(given | {"cron": "0 * * * *"} | more)


def look(catalog: Catalog, wiki: Schedule, *, at: datetime) -> None:
    monitor(
        catalog,
        [Subject.of(wiki)],
        place="airflow",
        sender=Sender(from_environment),
        clock=lambda: at,
    )


def begin(catalog: Catalog, *, at: datetime = AT_TWO, run_id: str = "r1") -> AttemptRow:
    return catalog.executions.begin("wiki", run_id, run_at=at, trigger=Trigger.SCHEDULE, at=at)


def skipped(catalog: Catalog) -> list[tuple[str, str | None]]:
    rows = catalog.executions.history("wiki", limit=100)
    return [(f"{row.run_at:%H:%M}", row.reason) for row in reversed(rows) if not row.attempts]


def test_slots_that_pass_while_a_run_goes_on_are_in_its_history_each_once(catalog: Catalog) -> None:
    begun = begin(catalog)
    for minutes in range(0, 195, 5):
        look(catalog, schedule(), at=AT_TWO + timedelta(minutes=minutes))
    why = "still running: the run of Mon 23 Nov 02:00 UTC"
    assert skipped(catalog) == [("03:00", why), ("04:00", why), ("05:00", why)]
    told = [event.action for event in catalog.events.after(0)]
    assert told.count("skipped") == 3
    ended = AT_TWO + 3.5 * HOUR
    catalog.executions.finish(begun, Outcome(status=ExecutionStatus.COMPLETED), at=ended)
    look(catalog, schedule(), at=ended + HOUR / 2)
    assert len(skipped(catalog)) == 3, "06:00 has a run of its own"
    assert catalog.executions.last(["wiki"])["wiki"].run_id == "r1", (
        "it says how the schedule stands"
    )


def test_a_slot_that_passed_just_before_a_run_ended_is_not_forgotten(catalog: Catalog) -> None:
    begun = begin(catalog)
    ended = AT_TWO + timedelta(minutes=61)
    catalog.executions.finish(begun, Outcome(status=ExecutionStatus.COMPLETED), at=ended)
    look(catalog, schedule(), at=ended)
    assert skipped(catalog) == [], "it may still begin"
    look(catalog, schedule(), at=ended + timedelta(minutes=5))
    assert [slot for slot, _ in skipped(catalog)] == ["03:00"]


def test_a_storm_of_slots_is_one_row_with_their_number(catalog: Catalog) -> None:
    begin(catalog)
    wiki = schedule(cron=None, every="1m")
    for hours in (1, 2, 3):
        look(catalog, wiki, at=AT_TWO + hours * HOUR)
    found = skipped(catalog)
    assert len(found) == 11
    assert found[-1][1] == (
        "still running: the run of Mon 23 Nov 02:00 UTC; 164 slots, the last Mon 23 Nov 04:54 UTC"
    )
    assert [event.action for event in catalog.events.after(0)].count("skipped") == 11


def test_a_slot_that_is_made_up_for_is_not_skipped(catalog: Catalog) -> None:
    begin(catalog)
    look(catalog, schedule(missed="run_once"), at=AT_TWO + 2.5 * HOUR)
    assert [slot for slot, _ in skipped(catalog)] == ["03:00"], "04:00 runs when this one is over"


def test_a_slot_outside_its_window_or_of_a_disabled_schedule_is_not_skipped(
    catalog: Catalog,
) -> None:
    begin(catalog)
    night = {"window": [{"from": "00:00", "to": "03:30"}], "outside_window": "skip"}
    look(catalog, schedule(enabled=False), at=AT_TWO + 4 * HOUR)
    assert skipped(catalog) == []
    look(catalog, schedule(**night), at=AT_TWO + 4 * HOUR)
    assert [slot for slot, _ in skipped(catalog)] == ["03:00"]
