"""A real API server with our plugin, and a catalog with some history; no scheduler, so runs stay queued."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import Failure, Outcome
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.format.manifest import Totals
from airflow_backup.core.words import ExecutionStatus, Kind
from support.airflow.home import ROLES, AirflowHome
from support.airflow.shared import share
from support.stored.stored_runs import begin
from support.stored.stored_sets import note_set

SCHEDULES = """\
version: 1
defaults:
  timezone: Europe/Berlin
  repository: sftp://vault/srv
schedules:
  - {id: orders, description: Orders of the shop, group: databases, tags: [prod],
     source: {engine: sqlite, path: /srv/orders.db}, cron: "0 2 * * *"}
  - {id: wiki, tags: [docs], source: {engine: files, path: /srv/wiki}, every: 45m, alert_after: 2h}
  - {id: crm, source: {engine: sqlite, path: /srv/crm.db}, cron: "30 1 * * *"}
  - {id: metrics, source: {engine: files, path: /srv/metrics}, preset: hourly, enabled: false, queue: nas}
  - {id: raced, source: {engine: files, path: /srv/raced}, preset: daily}
  - {id: stopped, source: {engine: files, path: /srv/stopped}, preset: daily}
  - {id: broken, source: {engine: files, path: /srv/broken}, cron: "0 2 30 2 *"}
unprotected:
  - {connection: hosted, reason: backed up by the hoster}
  - {connection: gone, reason: was here once}
"""


@pytest.fixture(scope="session")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[AirflowHome]:
    """Start an API server whose schedules were parsed once."""
    with AirflowHome(tmp_path_factory.mktemp("airflow") / "home", schedules=SCHEDULES) as home:
        home.run("db", "migrate")
        home.reserialize()
        with Catalog.open(home.catalog_url) as catalog:
            remember(catalog)
        home.start("api-server")
        share(pytestconfig, Path(__file__).parent, home)
        yield home


@pytest.fixture(scope="session")
def clients(airflow: AirflowHome) -> Iterator[dict[str, httpx.Client]]:
    """Log in once for every role, and once as nobody."""
    found = {role: airflow.client(role) for role in ROLES} | {"nobody": airflow.client(None)}
    yield found
    for client in found.values():
        client.close()


@pytest.fixture
def admin(clients: dict[str, httpx.Client]) -> httpx.Client:
    """May do everything."""
    return clients["admin"]


@pytest.fixture
def user(clients: dict[str, httpx.Client]) -> httpx.Client:
    """May run and change DAGs."""
    return clients["user"]


@pytest.fixture
def viewer(clients: dict[str, httpx.Client]) -> httpx.Client:
    """May look."""
    return clients["viewer"]


@pytest.fixture
def nobody(clients: dict[str, httpx.Client]) -> httpx.Client:
    """Is not logged in."""
    return clients["nobody"]


@pytest.fixture
def raced_is_idle(admin: httpx.Client) -> None:
    """End the runs of the schedule `raced` that other tests began: it may run once at a time."""
    for run in admin.get("backup/api/v1/runs/active").json()["runs"]:
        if run["schedule_id"] == "raced":
            admin.post(f"backup/api/v1/runs/backup__raced/{run['run_id']}/cancel", json={})


def remember(catalog: Catalog) -> None:
    """Give the schedules a past: orders is well, crm failed last night, wiki is too old."""
    now = datetime.now(UTC).replace(microsecond=0)
    for days in (1, 2, 3):
        complete(catalog, "orders", now - timedelta(days=days))
        complete(catalog, "crm", now - timedelta(days=days, hours=12))
    complete(catalog, "wiki", now - timedelta(hours=5, minutes=30))
    fail(catalog, "crm", now - timedelta(hours=9))


def complete(catalog: Catalog, schedule_id: str, at: datetime) -> None:
    """Note a completed execution."""
    attempt = begin(catalog, schedule_id, at, waited=timedelta(seconds=1))
    outcome = Outcome(
        status=ExecutionStatus.COMPLETED,
        kind=Kind.FULL,
        set_id=f"{at:%Y%m%dT%H%M%SZ}-0123456789",
        files=1,
        bytes_read=3_000_000,
        bytes_stored=1_000_000,
    )
    catalog.executions.finish(attempt, outcome, at=at + timedelta(seconds=42))
    totals = Totals(files=1, bytes_read=3_000_000, bytes_stored=1_000_000)
    over = at + timedelta(seconds=42)
    note_set(catalog, schedule_id, str(outcome.set_id), at=at, finished_at=over, totals=totals)


def fail(catalog: Catalog, schedule_id: str, at: datetime) -> None:
    """Note a failed execution."""
    attempt = begin(catalog, schedule_id, at, waited=timedelta(seconds=1))
    failure = Failure(
        error="no room left in sftp://vault/srv",
        hint="is the disk full?",
        failure_class=FailureClass.SPACE,
    )
    outcome = Outcome(status=ExecutionStatus.FAILED, failure=failure)
    catalog.executions.finish(attempt, outcome, at=at + timedelta(seconds=3))
