"""Schedules run in a real Airflow: scheduler, DAG processor, triggerer and API server as processes."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_backup.catalog import Catalog
from support.airflow.home import AirflowHome

pytestmark = pytest.mark.service

API = "backup/api/v1"
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "hand_written_dag.py"


@pytest.fixture
def api(airflow: AirflowHome) -> Iterator[httpx.Client]:
    """A client that is logged in as the administrator."""
    with airflow.client("admin") as client:
        yield client


@pytest.fixture
def deploy(airflow: AirflowHome, tmp_path: Path) -> Callable[[str], None]:
    """Replace the schedules; FOLDER in the text is the test's own."""

    def write(schedules: str) -> None:
        head = "version: 1\ndefaults: {repository: file://FOLDER/repository, retry: {max_retries: 1, delay: 1s}}\n"
        text = f"{head}schedules:\n{schedules}".replace("FOLDER", str(tmp_path))
        airflow.schedules.write_text(text)

    return write


def ready(airflow: AirflowHome, api: httpx.Client, schedule: str) -> None:
    """Wait until the schedule can be run."""

    def known() -> bool:
        answer = api.get(f"{API}/schedules/{schedule}")
        return answer.status_code == 200 and answer.json()["enabled"] is not None

    airflow.wait_for(known, what=f"schedule {schedule}")


def run_now(airflow: AirflowHome, api: httpx.Client, schedule: str, **body: Any) -> dict[str, Any]:
    """Run a schedule and return the finished execution."""
    ready(airflow, api, schedule)
    answer = api.post(f"{API}/schedules/{schedule}/run", json=body)
    assert answer.status_code == 202, answer.text
    run_id = answer.json()["run_id"]
    return airflow.wait_for(
        lambda: finished(api, schedule, lambda run: run["run_id"] == run_id),
        what=f"a run of {schedule}",
    )


def finished(
    api: httpx.Client, schedule: str, wanted: Callable[[dict[str, Any]], bool]
) -> dict[str, Any] | None:
    """Return the newest finished execution that is wanted."""
    answer = api.get(f"{API}/schedules/{schedule}/runs")
    answer.raise_for_status()
    over = ("completed", "failed", "skipped", "cancelled")
    return next(
        (run for run in answer.json()["runs"] if run["status"] in over and wanted(run)), None
    )


def test_one_broken_schedule_among_ten_stops_none_of_the_others(
    airflow: AirflowHome, api: httpx.Client, deploy: Callable[[str], None], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("hello")
    deploy(
        "".join(
            f"  - id: s{number}\n    source: {{engine: files, path: FOLDER/data}}\n"
            f'    cron: "{"0 2 30 2 *" if number == 4 else "0 2 * * *"}"\n'
            for number in range(10)
        )
    )
    for number in (0, 9):
        execution = run_now(airflow, api, f"s{number}")
        assert (execution["status"], execution["files"]) == ("completed", 2)
    listed = {item["id"]: item for item in api.get(f"{API}/schedules").json()["schedules"]}
    assert {item["state"] for name, item in listed.items() if name != "s4"} == {"loaded"}
    assert listed["s4"]["state"] == "rejected"
    (problem,) = listed["s4"]["problems"]
    assert problem["message"] == "cron '0 2 30 2 *' never fires: no month has that day"
    assert problem["line"] == 18
    assert problem["message"] in json.dumps(api.get(f"{API}/status").json()["load_problems"])
    dags = api.get("api/v2/dags", params={"tags": "backup"}).json()["dags"]
    assert {dag["dag_id"] for dag in dags if not dag["has_import_errors"]} >= {
        f"backup__s{number}" for number in range(10) if number != 4
    }
    errors = api.get("api/v2/importErrors").json()["import_errors"]
    assert [error["filename"].endswith("schedule_errors.py") for error in errors] == [True]
    assert problem["message"] in errors[0]["stack_trace"]


def test_a_busy_database_is_backed_up_whole(
    airflow: AirflowHome, api: httpx.Client, deploy: Callable[[str], None], tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("PRAGMA journal_mode=WAL")
        shop.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER)")
        shop.executemany("INSERT INTO orders (total) VALUES (?)", ((n,) for n in range(5000)))
    deploy("  - id: shop\n    source: {engine: sqlite, path: FOLDER/shop.db}\n    preset: daily\n")
    execution = run_now(airflow, api, "shop", note="before the release")
    shop.close()
    assert execution["status"] == "completed"
    assert execution["note"] == "before the release"
    manifest = json.loads(
        (tmp_path / "repository/shop/sets" / execution["set_id"] / "manifest.json").read_text()
    )
    assert manifest["counts"] == {"orders": 5000}
    assert manifest["run_id"] == execution["run_id"]


def test_a_failure_that_no_retry_mends_is_not_retried_and_says_what_to_do(
    airflow: AirflowHome, api: httpx.Client, deploy: Callable[[str], None], tmp_path: Path
) -> None:
    deploy("  - id: gone\n    source: {engine: files, path: FOLDER/missing}\n    preset: daily\n")
    execution = run_now(airflow, api, "gone")
    assert (execution["status"], execution["attempts"]) == ("failed", 1)
    assert str(tmp_path / "missing") in execution["error"]
    assert execution["hint"]
    assert not (tmp_path / "repository").exists()


def test_a_scheduled_run_on_a_calendars_day_is_skipped_with_its_reason(
    airflow: AirflowHome, api: httpx.Client, deploy: Callable[[str], None]
) -> None:
    today = datetime.now(UTC).date()
    tomorrow = today + timedelta(days=1)
    deploy(
        "  - id: frozen\n    source: {engine: files, path: FOLDER}\n    every: 5s\n"
        f"    skip_on: [{{name: freeze, dates: [{today}..{tomorrow}]}}]\n"
    )
    ready(airflow, api, "frozen")
    execution = airflow.wait_for(
        lambda: finished(api, "frozen", lambda run: run["trigger"] == "schedule"),
        what="a scheduled run",
    )
    assert execution["status"] == "skipped"
    assert "freeze" in (execution["reason"] or "")


def test_a_scheduled_run_waits_in_the_triggerer_until_its_window_opens(
    airflow: AirflowHome, api: httpx.Client, deploy: Callable[[str], None], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one.txt").write_text("one")
    opens = (datetime.now(UTC) + timedelta(seconds=100)).replace(second=0, microsecond=0)
    deploy(
        "  - id: nightly\n    source: {engine: files, path: FOLDER/data}\n    every: 10s\n"
        f'    window: {{from: "{opens:%H:%M}", to: "{opens + timedelta(hours=2):%H:%M}"}}\n'
    )
    ready(airflow, api, "nightly")

    def deferred() -> bool:
        tasks = api.get("api/v2/dags/backup__nightly/dagRuns/~/taskInstances").json()[
            "task_instances"
        ]
        return any(task["task_id"] == "window" and task["state"] == "deferred" for task in tasks)

    airflow.wait_for(deferred, what="the sensor to wait in the triggerer")
    execution = airflow.wait_for(
        lambda: finished(api, "nightly", lambda run: run["status"] == "completed"),
        what="the window to open",
        patience=180,
    )
    assert datetime.fromisoformat(execution["started_at"]) >= opens


def test_operator_and_sensor_work_in_a_dag_of_your_own(
    airflow: AirflowHome, api: httpx.Client
) -> None:
    shutil.copy(EXAMPLE, airflow.dags / "hand_written_dag.py")
    dag = "api/v2/dags/backup__reports"
    airflow.reserialize()
    airflow.wait_for(lambda: api.get(dag).status_code == 200, what="the example DAG")
    # Airflow's own SQLite may be locked for a moment, and its API then says 500.
    airflow.wait_for(
        lambda: api.patch(dag, json={"is_paused": False}).status_code == 200, what="the toggle"
    )

    def begun() -> str | None:
        answer = api.post(f"{dag}/dagRuns", json={"logical_date": None})
        return str(answer.json()["dag_run_id"]) if answer.is_success else None

    run_id = airflow.wait_for(begun, what="a run of the example DAG")

    def state() -> str | None:
        found = api.get(f"{dag}/dagRuns/{run_id}").json().get("state")
        return found if found in ("success", "failed") else None

    assert airflow.wait_for(state, what="the example DAG to finish") == "success", [
        (each["task_id"], each["state"])
        for each in api.get(f"{dag}/dagRuns/{run_id}/taskInstances").json()["task_instances"]
    ]
    entry = api.get(f"{dag}/dagRuns/{run_id}/taskInstances/backup/xcomEntries/return_value").json()
    value = entry["value"] if isinstance(entry["value"], dict) else json.loads(entry["value"])
    assert (value["status"], value["files"]) == ("completed", 2)
    assert value["schedule_id"] == "reports"
    on_the_page(api, value["set_id"])

    def started() -> str | None:
        answer = api.post(f"{API}/schedules/reports/run", json={})
        assert answer.status_code in (202, 503), answer.text
        return str(answer.json()["run_id"]) if answer.is_success else None

    run_id = airflow.wait_for(started, what="a run that the page starts")
    assert airflow.wait_for(state, what="the second run to finish") == "success"
    (airflow.dags / "hand_written_dag.py").unlink()
    with Catalog.open(airflow.catalog_url) as catalog:  # other tests count the schedules
        catalog.deployed.replace("dag:backup__reports", [])


def on_the_page(api: httpx.Client, set_id: str) -> None:
    """A DAG that is named for it is a schedule like those from files."""
    found = api.get(f"{API}/schedules/reports").json()
    assert (found["protection"]["state"], found["enabled"]) == ("good", True)
    (stored,) = api.get(f"{API}/schedules/reports/sets").json()["sets"]
    assert (stored["set_id"], stored["verified_level"]) == (set_id, "full")
