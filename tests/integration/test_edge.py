"""
A machine that is an Edge worker and nothing else: Airflow's database is out of its reach, and its data is its own.

It is sent its schedules by their queue, backs up what lies on its disk, and writes restores there.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.airflow.databases import Databases
from support.airflow.home import AirflowHome
from support.servers import postgres as servers
from support.servers.machines import (
    API,
    PATIENCE,
    Topology,
    require_namespaces,
    restored,
    run,
    schedules_of,
)

pytestmark = [pytest.mark.service, pytest.mark.slow(minutes=3)]

AGENTS = {"agent-a": "nas-a", "agent-b": "nas-b"}
PLACED = {"one": "agent-a", "two": "agent-b"}
UNREACHABLE = "postgresql+psycopg://nobody:nothing@127.0.0.1:1/airflow"
"""What an agent knows of Airflow's own database."""


@pytest.fixture(scope="module")
def topology(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    """An Airflow without a worker of its own, and two agents."""
    require_namespaces()
    folder = tmp_path_factory.mktemp("edge")
    with servers.postgres(found=servers.require()) as server:
        databases = Databases(server)
        environment = {
            **databases.environment(),
            "AIRFLOW__CORE__EXECUTOR": "airflow.providers.edge3.executors.EdgeExecutor",
            "AIRFLOW__EDGE__API_ENABLED": "True",
            "AIRFLOW__EDGE__JOB_POLL_INTERVAL": "1",
            "AIRFLOW__EDGE__HEARTBEAT_INTERVAL": "5",
            "AIRFLOW__BACKUP__RESTORE_ROOTS": f"{folder}/restored",
        }
        keys = {name: f"queue: {AGENTS[host]}, host: {host}" for name, host in PLACED.items()}
        schedules = schedules_of(folder, keys)
        with AirflowHome(folder / "airflow", schedules=schedules, environment=environment) as home:
            found = Topology(
                folder, home, databases.catalog, parts={name: list(PLACED) for name in AGENTS}
            )
            (folder / "restored").mkdir()
            home.start("api-server", "scheduler", "dag-processor")
            try:
                for name, queue in AGENTS.items():
                    _start_agent(found, name, queue)
                yield found
            finally:
                found.stop()


def _start_agent(topology: Topology, name: str, queue: str) -> None:
    home = topology.folder / name / "airflow"
    home.mkdir()
    topology.start_worker(
        name,
        ["edge", "worker", "--queues", queue, "--edge-hostname", name, "--concurrency", "2"],
        only_the_dag_file=True,
        AIRFLOW_HOME=str(home),
        AIRFLOW__EDGE__API_URL=f"{topology.airflow.api_url}edge_worker/v1/rpcapi",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=UNREACHABLE,
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC=UNREACHABLE,
        AIRFLOW__LOGGING__BASE_LOG_FOLDER=str(home / "logs"),
    )


def _asked_run(topology: Topology, api: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    """Return the finished run of a DAG that the API started on demand."""
    assert answer.status_code == 202, answer.text
    started = answer.json()

    def over() -> dict[str, Any] | None:
        found = api.get(f"api/v2/dags/{started['dag_id']}/dagRuns/{started['run_id']}").json()
        return found if found["state"] in ("success", "failed") else None

    return topology.airflow.wait_for(over, what=f"the end of {started}", patience=PATIENCE)


def test_an_agent_backs_up_what_lies_on_its_disk(topology: Topology) -> None:
    with topology.airflow.client("admin") as api:
        runs = run(topology, api, *PLACED)
    for schedule_id, found in runs.items():
        assert found["status"] == "completed", textwrap.shorten(f"{found}", 2000)
        host = PLACED[schedule_id]
        assert (found["host"], found["queue"]) == (host, AGENTS[host])
        assert "EdgeExecutor" in found["executor"]
        assert restored(topology, schedule_id, found["set_id"]) == f"this is {host}'s\n"


def test_an_agent_restores_and_verifies_what_the_page_asks_for(topology: Topology) -> None:
    with topology.airflow.client("admin") as api:
        (found,) = run(topology, api, "two").values()
        verified = api.post(f"{API}/sets/{found['set_id']}/verify", json={"level": "full"})
        assert _asked_run(topology, api, verified)["state"] == "success"
        target = topology.folder / "restored" / "by-the-agent"
        asked = api.post(
            f"{API}/sets/{found['set_id']}/restore",
            json={"target": str(target), "confirm": "two"},
        )
        ended = _asked_run(topology, api, asked)
    assert ended["state"] == "success", ended
    assert ended["dag_id"] == "backup_restore__nas-b"
    (file,) = target.rglob("whose.txt")
    assert file.read_text() == "this is agent-b's\n"


def test_a_set_of_one_agent_is_restored_by_the_other_where_a_person_says_so(
    topology: Topology,
) -> None:
    target = topology.folder / "restored" / "by-the-other"
    with topology.airflow.client("admin") as api:
        (found,) = run(topology, api, "two").values()
        places = api.get(f"{API}/places").json()["places"]
        (other,) = [each for each in places if each["queue"] == "nas-a"]
        body = {"target": str(target), "confirm": "two", "place": other["id"]}
        ended = _asked_run(
            topology, api, api.post(f"{API}/sets/{found['set_id']}/restore", json=body)
        )
        result = api.get(
            f"api/v2/dags/{ended['dag_id']}/dagRuns/{ended['dag_run_id']}/taskInstances/restore/xcomEntries/return_value"
        ).json()
    assert (ended["state"], ended["dag_id"]) == ("success", "backup_restore__nas-a")
    assert result["value"]["host"] == "agent-a"
    (file,) = target.rglob("whose.txt")
    assert file.read_text() == "this is agent-b's\n"
