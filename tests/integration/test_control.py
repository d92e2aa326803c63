"""Runs that are paused, cancelled, queued behind another and left alone by their API server, in a whole Airflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_backup.catalog import Catalog
from support.airflow.home import AirflowHome

pytestmark = pytest.mark.service

API = "backup/api/v1"
PROGRAM = """#!/bin/sh
# Works in another session too, ignores what it can, and notes what it does in a folder of its own.
echo $$ > "$1/$2.number"
trap '' TERM
for i in $(seq "$3"); do echo "line $i"; echo x >> "$1/$2.ticks"; sleep 0.1; done
"""
SCHEDULES = """version: 1
defaults: {repository: "file://FOLDER/repository", retry: {max_retries: 1, delay: 1s}, every: 365d}
schedules:
  - id: long
    source: {engine: command, workflow: {command: [FOLDER/program, FOLDER, long, "3000"]}}
    max_duration: 3h
  - id: brief
    source: {engine: command, workflow: {command: [FOLDER/program, FOLDER, brief, "100"]}}
    max_duration: 60s
  - id: away
    source: {engine: command, workflow: {command: [FOLDER/program, FOLDER, away, "700"]}}
  - id: one
    source: {engine: command, workflow: {command: [FOLDER/program, FOLDER, shared, "250"]}}
  - id: two
    source: {engine: command, workflow: {command: [FOLDER/program, FOLDER, shared, "250"]}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("control")
    program = folder / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def airflow(folder: Path) -> Iterator[AirflowHome]:
    with AirflowHome(
        folder / "airflow",
        schedules=SCHEDULES.replace("FOLDER", str(folder)),
        environment={
            "AIRFLOW__BACKUP__ALLOWED_COMMANDS": f"{folder}/program",
            "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "40",
        },
    ) as airflow:
        airflow.start()
        yield airflow


@pytest.fixture
def api(airflow: AirflowHome) -> Iterator[httpx.Client]:
    with airflow.client("admin") as client:
        yield client


def start(airflow: AirflowHome, api: httpx.Client, schedule: str) -> dict[str, Any]:
    def known() -> bool:
        answer = api.get(f"{API}/schedules/{schedule}")
        return answer.status_code == 200 and answer.json()["enabled"] is not None

    airflow.wait_for(known, what=f"schedule {schedule}")
    answer = api.post(f"{API}/schedules/{schedule}/run", json={})
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def run_of(api: httpx.Client, started: dict[str, Any]) -> dict[str, Any]:
    schedule = started["dag_id"].removeprefix("backup__")
    runs = api.get(f"{API}/schedules/{schedule}/runs").json()["runs"]
    return dict(next(run for run in runs if run["run_id"] == started["run_id"]))


def ticks(folder: Path, name: str) -> int:
    file = folder / f"{name}.ticks"
    return file.stat().st_size if file.exists() else 0


def is_there(folder: Path, name: str) -> bool:
    number = int((folder / f"{name}.number").read_text())
    try:
        return (Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]) != "Z"
    except OSError:
        return False


def tell(api: httpx.Client, started: dict[str, Any], verb: str, **body: Any) -> None:
    answer = api.post(f"{API}/runs/{started['dag_id']}/{started['run_id']}/{verb}", json=body)
    assert answer.status_code == 202, answer.text


def wait(
    airflow: AirflowHome, what: str, question: Callable[[], Any], patience: float = 400
) -> Any:
    return airflow.wait_for(question, what=what, patience=patience)


def test_a_cancelled_run_names_who_and_why_and_nothing_of_it_is_left(
    airflow: AirflowHome, api: httpx.Client, folder: Path
) -> None:
    started = start(airflow, api, "long")
    wait(airflow, "the program", lambda: ticks(folder, "long") > 10)
    told = time.monotonic()
    tell(api, started, "cancel", reason="too slow")
    wait(airflow, "the end of the program", lambda: not is_there(folder, "long"))
    assert time.monotonic() - told < 30, "five seconds where nothing else runs"
    wait(airflow, "the end of the run", lambda: run_of(api, started)["status"] == "cancelled")
    assert run_of(api, started)["reason"] == "cancelled by admin: too slow"

    def noted() -> bool:
        with Catalog.open(airflow.catalog_url) as catalog:
            found = catalog.executions.get("long", started["run_id"])
        return found is not None and found.status == "cancelled"

    wait(airflow, "the note in the catalog", noted)
    with Catalog.open(airflow.catalog_url) as catalog:
        found = catalog.executions.get("long", started["run_id"])
    assert found is not None
    assert found.reason == "cancelled by admin: too slow"
    assert not list(folder.glob("repository/long/**/manifest.json"))


def test_a_run_that_is_paused_for_longer_than_it_may_take_completes(
    airflow: AirflowHome, api: httpx.Client, folder: Path
) -> None:
    started = start(airflow, api, "brief")
    wait(airflow, "the program", lambda: ticks(folder, "brief") > 10)
    tell(api, started, "pause", reason="month end")

    def stands_still() -> bool:
        before = ticks(folder, "brief")
        time.sleep(1)
        return ticks(folder, "brief") == before

    wait(airflow, "the program to stand still", stands_still)
    shown = run_of(api, started)
    assert shown["status"] == "paused"
    assert shown["reason"].startswith("paused by admin: month end, ")
    before = ticks(folder, "brief")
    time.sleep(65)  # longer than max_duration
    assert ticks(folder, "brief") == before
    tell(api, started, "resume")
    wait(airflow, "the end of the run", lambda: run_of(api, started)["status"] == "completed")


def test_two_schedules_never_read_one_source_at_once(
    airflow: AirflowHome, api: httpx.Client, folder: Path
) -> None:
    first = start(airflow, api, "one")
    wait(airflow, "the first", lambda: ticks(folder, "shared") > 5)
    second = start(airflow, api, "two")

    def waits() -> bool:
        found = run_of(api, second)
        says = "waits: schedule 'one' reads the same source" in f"{found['reason']}"
        return says and found["status"] == "pending"

    wait(airflow, "the second to wait, and to say why", waits)
    wait(airflow, "the end of the first", lambda: run_of(api, first)["status"] == "completed")
    wait(airflow, "the end of the second", lambda: run_of(api, second)["status"] == "completed")
    with Catalog.open(airflow.catalog_url) as catalog:
        one = catalog.executions.get("one", first["run_id"])
        two = catalog.executions.get("two", second["run_id"])
    assert one is not None
    assert two is not None
    assert one.finished_at is not None
    assert two.started_at is not None
    assert one.finished_at <= two.started_at


def test_an_api_server_that_is_away_for_a_minute_costs_no_backup(
    airflow: AirflowHome, api: httpx.Client, folder: Path
) -> None:
    # [workers] max_failed_heartbeats is raised for it, as docs/how-to/runs.md says
    started = start(airflow, api, "away")
    wait(airflow, "the program", lambda: ticks(folder, "away") > 10)
    airflow.stop("api-server")
    time.sleep(60)
    airflow.start("api-server")
    with airflow.client("admin") as again:
        wait(
            airflow,
            "the end of the run",
            lambda: run_of(again, started)["status"] in ("completed", "failed"),
        )
        run = run_of(again, started)
    assert (run["status"], run["attempts"]) == ("completed", 1)
