"""What the charts of a schedule show: its last runs in figures, and each of the past days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.database import Database
from airflow_backup.catalog.run_records import Outcome
from airflow_backup.core.words import ExecutionStatus, Kind, Trigger
from airflow_backup.plugin.schemas.runs import RunSummary
from airflow_backup.plugin.services.trends import Day, Trends, points, strip

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


@pytest.fixture
def trends(catalog: Catalog, tmp_path: Path) -> Iterator[Trends]:
    trends = Trends(Database(f"sqlite:///{tmp_path}/catalog.db"))
    yield trends
    trends.close()


def run(
    hours: int,
    *,
    kind: Kind | None = Kind.FULL,
    stored: int | None = None,
    status: ExecutionStatus = ExecutionStatus.COMPLETED,
) -> RunSummary:
    """Return a run that came into being some hours after noon."""
    at = NOON + timedelta(hours=hours)
    return RunSummary(
        schedule_id="wiki",
        dag_id="backup__wiki",
        run_id=f"r{hours:02}",
        status=status,
        trigger=Trigger.SCHEDULE,
        kind=kind,
        since=at,
        started_at=at,
        duration=60,
        bytes_stored=stored,
    )


def store(catalog: Catalog, run_id: str, at: datetime, *, kind: Kind, stored: int | None) -> None:
    """Note an execution; one that stored nothing failed."""
    attempt = catalog.executions.begin("wiki", run_id, run_at=at, at=at, trigger=Trigger.SCHEDULE)
    status = ExecutionStatus.FAILED if stored is None else ExecutionStatus.COMPLETED
    outcome = Outcome(status=status, kind=kind, bytes_stored=stored)
    catalog.executions.finish(attempt, outcome, at=at + timedelta(minutes=1))


def test_what_changed_is_told_by_the_full_before() -> None:
    runs = [
        run(5, kind=Kind.INCREMENTAL, stored=50),
        run(4, stored=200),
        run(3, kind=Kind.INCREMENTAL, status=ExecutionStatus.FAILED),
        run(2, kind=Kind.INCREMENTAL, stored=10),
    ]
    assert [point.change for point in points(runs, full=100)] == [0.1, None, None, 0.25]
    assert [point.change for point in points(runs, full=None)] == [None, None, None, 0.25]


def test_the_oldest_comes_first_and_what_goes_on_is_left_out() -> None:
    runs = [run(2, status=ExecutionStatus.RUNNING), run(1, stored=2), run(0, stored=1)]
    assert [point.run_id for point in points(runs, full=None)] == ["r00", "r01"]


def test_the_full_before_a_moment_is_the_newest_that_stored_something(
    catalog: Catalog, trends: Trends
) -> None:
    store(catalog, "a", NOON - 3 * DAY, kind=Kind.FULL, stored=300)
    store(catalog, "b", NOON - 2 * DAY, kind=Kind.FULL, stored=None)
    store(catalog, "c", NOON - DAY, kind=Kind.INCREMENTAL, stored=7)
    assert trends.full_before("wiki", before=NOON) == 300
    assert trends.full_before("wiki", before=NOON - 3 * DAY) is None
    assert trends.full_before("crm", before=NOON) is None


def test_a_day_is_as_bad_as_its_worst_run_and_stored_what_all_stored(
    catalog: Catalog, trends: Trends
) -> None:
    store(catalog, "a", NOON, kind=Kind.FULL, stored=300)
    store(catalog, "b", NOON + timedelta(hours=1), kind=Kind.INCREMENTAL, stored=7)
    store(catalog, "c", NOON + timedelta(hours=2), kind=Kind.INCREMENTAL, stored=None)
    store(catalog, "d", NOON - 2 * DAY, kind=Kind.FULL, stored=None)
    first = (NOON - 2 * DAY).date()
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    found = trends.days(["wiki", "crm"], first=first, begin=begin, offset=timedelta())
    assert strip(found["wiki"], [first + n * DAY for n in range(3)]) == [
        Day(ExecutionStatus.FAILED, 1, None),
        None,
        Day(ExecutionStatus.FAILED, 3, 307),
    ]
    assert "crm" not in found
