"""
Celery with two workers, PostgreSQL and Redis, for real: the same path holds different data on each worker.

Each worker lives in a mount namespace of its own, with an index of its own; one of them has no schedules file.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.airflow.databases import Databases
from support.airflow.home import AirflowHome
from support.servers import postgres as servers
from support.servers.machines import API, Topology, require_namespaces, restored, run, schedules_of

pytestmark = [pytest.mark.service, pytest.mark.slow(minutes=2)]

QUEUES = {"worker-a": "nas-a", "worker-b": "nas-b"}
PLACED = {"one": "worker-a", "two": "worker-b", "three": "worker-a", "four": "worker-b"}
CELERY = "--concurrency 2 --skip-serve-logs --without-mingle"


@contextmanager
def redis() -> Iterator[int]:
    """Start a broker; yield its port."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server: apt-get install redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    words = [
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, cwd="/tmp")
    try:
        yield port
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def topology(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    """Start it all."""
    require_namespaces()
    folder = tmp_path_factory.mktemp("machines")
    with servers.postgres(found=servers.require()) as server, redis() as broker:
        databases = Databases(server)
        environment = {
            **databases.environment(),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{broker}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{databases.metadata}",
            "AIRFLOW__BACKUP__ALLOWED_QUEUES": "nas-a,nas-b",
            "AIRFLOW__BACKUP__MAX_CONCURRENT": "4",
        }
        keys = {name: f"queue: {QUEUES[host]}" for name, host in PLACED.items()}
        schedules = schedules_of(folder, keys)
        with AirflowHome(folder / "airflow", schedules=schedules, environment=environment) as home:
            parts = {name: [*PLACED, "made"] for name in QUEUES}
            found = Topology(folder, home, databases.catalog, parts=parts)
            try:
                for name, queue in QUEUES.items():
                    words = (
                        f"celery worker --queues {queue} --celery-hostname {name} {CELERY}".split()
                    )
                    bare = name == "worker-b"  # has the DAG file and nothing else
                    found.start_worker(name, words, only_the_dag_file=bare, C_FORCE_ROOT="1")
                home.start("api-server", "scheduler", "dag-processor")
                yield found
            finally:
                found.stop()


def test_each_set_is_from_the_host_that_has_the_data(topology: Topology) -> None:
    with topology.airflow.client("admin") as api:
        runs = run(topology, api, *PLACED)
    for schedule_id, found in runs.items():
        assert found["status"] == "completed", found
        host = PLACED[schedule_id]
        assert (found["host"], found["queue"]) == (host, QUEUES[host])
        assert found["executor"] == "CeleryExecutor"
        assert restored(topology, schedule_id, found["set_id"]) == f"this is {host}'s\n"


def test_an_edit_through_the_api_is_in_force_at_the_next_run_on_every_worker(
    topology: Topology,
) -> None:
    places = [f"file://{topology.folder}/edited-{number}" for number in range(3)]
    with topology.airflow.client("admin") as api:
        for queue in ("nas-a", "nas-b"):
            given = {
                "id": f"made-{queue}",
                "source": {"engine": "files", "path": f"{topology.data}/made"},
                "repository": places[0],
                "preset": "daily",
                "queue": queue,
            }
            answer = api.post(f"{API}/schedules", json=given)
            assert answer.status_code == 201, answer.text
        ids = ["made-nas-a", "made-nas-b"]
        for number, place in enumerate(places):
            if number:
                for each in ids:
                    patched = api.patch(
                        f"{API}/schedules/{each}",
                        json={"repository": place},
                        headers={"If-Match": "*"},
                    )
                    assert patched.status_code == 200, patched.text
            for each, found in run(topology, api, *ids).items():
                assert (found["status"], found["definition_version"]) == ("completed", number + 1)
                manifest = f"{each}/sets/{found['set_id']}/manifest.json"
                assert (Path(place.removeprefix("file://")) / manifest).is_file(), place
