"""A schedule made through the API becomes a DAG and runs, in an Airflow with its own patient settings."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.airflow.home import AirflowHome

pytestmark = [pytest.mark.service, pytest.mark.slow(minutes=4)]

SCHEDULES = "backup/api/v1/schedules"
SOON = 25.0
"""Seconds; well below the half minute after which files are read anyway. Mostly it takes less than one."""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowHome]:
    """Start all of Airflow; files are parsed as seldom as by default."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "data").mkdir()
    (folder / "data" / "file").write_text("something to keep\n" * 500)
    patient = {
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "300",
    }
    with AirflowHome(folder / "home", environment=patient) as home:
        home.start()
        yield home


@pytest.fixture
def api(airflow: AirflowHome) -> Iterator[httpx.Client]:
    """Somebody who may make schedules."""
    with airflow.client("op") as client:
        yield client


def definition(airflow: AirflowHome, name: str, **keys: Any) -> dict[str, Any]:
    """Return a schedule that backs up a small folder."""
    return {
        "id": name,
        "source": {"engine": "files", "path": str(airflow.folder.parent / "data")},
        "repository": f"file://{airflow.folder.parent / 'repository'}",
        "preset": "weekly",
    } | keys


def make(api: httpx.Client, airflow: AirflowHome, name: str, **keys: Any) -> None:
    """Create a schedule and wait for its DAG."""
    made = api.post(SCHEDULES, json=definition(airflow, name, **keys))
    assert made.status_code == 201, made.text
    airflow.wait_for(
        lambda: api.get(f"{SCHEDULES}/{name}").json()["enabled"] is not None, what="its DAG"
    )


def completed(api: httpx.Client, name: str) -> bool:
    """Whether the last run of a schedule is over, and well."""
    runs = api.get(f"{SCHEDULES}/{name}/runs").json()["runs"]
    return bool(runs) and runs[0]["status"] == "completed"


@pytest.mark.parametrize("name", ["first", "second"])
def test_what_is_made_can_be_run_within_seconds(
    api: httpx.Client, airflow: AirflowHome, name: str, record_property: Any
) -> None:
    begun = time.monotonic()
    assert api.post(SCHEDULES, json=definition(airflow, name)).status_code == 201
    while api.post(f"{SCHEDULES}/{name}/run", json={}).status_code != 202:
        assert time.monotonic() - begun < 60, airflow.logs()
        time.sleep(0.1)
    runnable = time.monotonic() - begun
    airflow.wait_for(lambda: completed(api, name), what="its first backup")
    done = time.monotonic() - begun
    record_property("runnable_after", round(runnable, 2))
    record_property("completed_after", round(done, 2))
    assert api.get(f"api/v2/dags/backup__{name}").status_code == 200
    assert api.get(f"{SCHEDULES}/{name}").json()["state"] == "loaded"
    assert runnable < SOON


def test_an_edit_reaches_the_dag_within_seconds(api: httpx.Client, airflow: AirflowHome) -> None:
    make(api, airflow, "edited")
    begun = time.monotonic()
    changed = api.patch(
        f"{SCHEDULES}/edited",
        json={"preset": None, "cron": "12 3 * * *"},
        headers={"If-Match": '"1"'},
    )
    assert changed.json()["state"] == "pending"
    airflow.wait_for(
        lambda: "12 3 * * *" in str(api.get("api/v2/dags/backup__edited").json()),
        what="the new timetable",
    )
    took = time.monotonic() - begun
    airflow.wait_for(
        lambda: api.get(f"{SCHEDULES}/edited").json()["state"] == "loaded", what="its state"
    )
    assert took < SOON


def test_enabling_starts_nothing_from_the_past(api: httpx.Client, airflow: AirflowHome) -> None:
    make(api, airflow, "asleep", enabled=False)
    with sqlite3.connect(airflow.folder / "airflow.db", timeout=30) as database:
        database.execute(
            "update dag set next_dagrun = '2020-01-01 00:00:00', "
            "next_dagrun_create_after = '2020-01-01 00:00:00' where dag_id = 'backup__asleep'"
        )
    assert api.post(f"{SCHEDULES}/asleep/toggle", json={"enabled": True}).status_code == 200
    time.sleep(6)  # the scheduler looks about once a second
    assert api.get(f"{SCHEDULES}/asleep/runs").json()["runs"] == []


def test_the_next_run_is_skipped_and_says_by_whom(api: httpx.Client, airflow: AirflowHome) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    cron = f"{soon.second} {soon.minute} {soon.hour} * * *"
    make(api, airflow, "skipped", preset=None, cron=cron)
    held = api.post(f"{SCHEDULES}/skipped/skip-next", json={"reason": "stock-taking"})
    assert held.status_code == 201

    def seen() -> dict[str, Any] | None:
        runs = api.get(f"{SCHEDULES}/skipped/runs").json()["runs"]
        return next((run for run in runs if run["status"] == "skipped"), None)

    run = airflow.wait_for(seen, what="the skipped run")
    assert run["reason"] == "skip next, by op: stock-taking"
    assert api.get(f"{SCHEDULES}/skipped").json()["holds"] == []


def test_what_is_deleted_leaves_its_sets(api: httpx.Client, airflow: AirflowHome) -> None:
    make(api, airflow, "deleted")
    assert api.post(f"{SCHEDULES}/deleted/run", json={}).status_code == 202
    airflow.wait_for(lambda: completed(api, "deleted"), what="its backup")
    sets = airflow.folder.parent / "repository" / "deleted" / "sets"
    assert _count(sets) == 1

    def deleted() -> bool:
        answer = api.request("DELETE", f"{SCHEDULES}/deleted", json={}, headers={"If-Match": "*"})
        assert answer.status_code in (200, 409), answer.text  # Airflow still finishes the run
        return answer.status_code == 200

    airflow.wait_for(deleted, what="its deletion")
    assert api.get(f"{SCHEDULES}/deleted").status_code == 404
    airflow.wait_for(
        lambda: (
            api.get("api/v2/dags", params={"dag_id_pattern": "backup__deleted"}).json()[
                "total_entries"
            ]
            == 0
        ),
        what="its DAG to go",
        patience=180,
    )
    assert _count(sets) == 1


def _count(folder: Path) -> int:
    return len(list(folder.iterdir()))
