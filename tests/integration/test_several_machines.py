"""
Celery with two workers, PostgreSQL and Redis, for real: the same path holds different data on each worker.

Each worker lives in a mount namespace of its own, with an index of its own; one of them has no schedules file.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from support.servers import postgres as servers
from support.servers.airflow_fixture import AirflowHome
from support.stored.sets import Clock

pytestmark = [pytest.mark.service, pytest.mark.slow]

API = "backup/api/v1"
QUEUES = {"worker-a": "nas-a", "worker-b": "nas-b"}
PLACED = {"one": "worker-a", "two": "worker-b", "three": "worker-a", "four": "worker-b"}
LAUNCHER = "from airflow_backup.dags import generate\n\ngenerate(globals())  # an airflow dag for each schedule\n"
PATIENCE = 120.0


def can_unshare() -> bool:
    """Whether this user may make mount namespaces."""
    found = shutil.which("unshare")
    return found is not None and subprocess.run([found, "-m", "true"], check=False).returncode == 0


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


class Topology:
    """One Airflow whose tasks are taken by two machines."""

    def __init__(self, folder: Path, airflow: AirflowHome, catalog_url: str) -> None:
        self.folder, self.airflow, self.catalog_url = folder, airflow, catalog_url
        self.data = folder / "data"
        self.data.mkdir()
        self._workers: list[subprocess.Popen[bytes]] = []
        for name in QUEUES:
            for part in (*PLACED, "made"):  # one source each, or they would wait for one another
                (folder / name / "data" / part).mkdir(parents=True)
                (folder / name / "data" / part / "whose.txt").write_text(f"this is {name}'s\n")

    def start_worker(self, name: str, queues: Sequence[str]) -> None:
        """Start a worker that sees its own data at the path that all of them name."""
        own = self.folder / name
        command = (
            f"mount --bind '{own}/data' '{self.data}' && exec '{self.airflow.python}' -m airflow celery worker "
            f"--queues {','.join(queues)} --celery-hostname {name} --concurrency 2 --skip-serve-logs --without-mingle"
        )
        environment = self.airflow.environment | {
            "AIRFLOW__BACKUP__HOST_NAME": name,
            "AIRFLOW__BACKUP__INDEX_FOLDER": str(own / "index"),
            "C_FORCE_ROOT": "1",
        }
        if name == "worker-b":  # has the DAG file and nothing else
            (own / "dags").mkdir()
            (own / "dags" / "backup_dags.py").write_text(LAUNCHER)
            environment["AIRFLOW__CORE__DAGS_FOLDER"] = str(own / "dags")
        with (self.airflow.folder / f"{name}.log").open("ab") as log:
            self._workers.append(
                subprocess.Popen(
                    ["unshare", "-m", "sh", "-c", command],
                    env=environment,
                    cwd=self.airflow.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def stop(self) -> None:
        """End the workers, with all that they started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for worker in self._workers:
                with suppress(ProcessLookupError):
                    os.killpg(worker.pid, number)
            time.sleep(1)
        for worker in self._workers:
            worker.wait(30)


@pytest.fixture(scope="module")
def topology(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    """Start it all."""
    if not can_unshare():
        pytest.skip("mount namespaces are for root: unshare -m")
    folder = tmp_path_factory.mktemp("machines")
    with servers.postgres(found=servers.require()) as server, redis() as broker:
        server.query("postgres", "CREATE ROLE topology LOGIN SUPERUSER PASSWORD 'topology'")
        for database in ("airflow_meta", "backup_catalog"):
            server.query("postgres", f"CREATE DATABASE {database}")
        login = f"topology:topology@127.0.0.1:{server.port}"
        metadata = f"postgresql+psycopg://{login}/airflow_meta"
        environment = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": metadata,
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{broker}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{metadata}",
            "AIRFLOW__BACKUP__CATALOG_CONN_ID": "backup_catalog",
            "AIRFLOW_CONN_BACKUP_CATALOG": f"postgres://{login}/backup_catalog",
            "AIRFLOW__BACKUP__ALLOWED_QUEUES": "nas-a,nas-b",
            "AIRFLOW__BACKUP__MAX_CONCURRENT": "4",
        }
        schedules = _schedules(folder)
        with AirflowHome(folder / "airflow", schedules=schedules, environment=environment) as home:
            found = Topology(folder, home, f"postgresql+psycopg://{login}/backup_catalog")
            try:
                for name, queue in QUEUES.items():
                    found.start_worker(name, [queue])
                home.start("api-server", "scheduler", "dag-processor")
                yield found
            finally:
                found.stop()


def _schedules(folder: Path) -> str:
    entries = "".join(
        f"  - {{id: {name}, queue: {QUEUES[host]}, source: {{engine: files, path: {folder}/data/{name}}}}}\n"
        for name, host in PLACED.items()
    )
    defaults = (
        f"{{repository: 'file://{folder}/repository', preset: daily, retention: {{last: 9}}}}"
    )
    return f"version: 1\ndefaults: {defaults}\nschedules:\n{entries}"


def run(topology: Topology, api: httpx.Client, *ids: str) -> dict[str, dict[str, Any]]:
    """Run schedules at the same time; return their finished runs."""

    def started(schedule_id: str) -> str | None:
        answer = api.post(f"{API}/schedules/{schedule_id}/run", json={})
        return str(answer.json()["run_id"]) if answer.status_code == 202 else None

    def over(schedule_id: str, run_id: str) -> dict[str, Any] | None:
        runs = api.get(f"{API}/schedules/{schedule_id}/runs").json()["runs"]
        return next(
            (
                found
                for found in runs
                if found["run_id"] == run_id
                and found["status"] in ("completed", "failed", "skipped", "cancelled")
                and _is_over(api, found)
            ),
            None,
        )

    def ask(question: Callable[[], Any], what: str) -> Any:
        return topology.airflow.wait_for(question, what=what, patience=PATIENCE)

    asked = {each: ask(partial(started, each), f"{each} to be run") for each in ids}
    return {
        each: ask(partial(over, each, run_id), f"the end of {each}")
        for each, run_id in asked.items()
    }


def _is_over(api: httpx.Client, found: dict[str, Any]) -> bool:
    answer = api.get(f"api/v2/dags/{found['dag_id']}/dagRuns/{found['run_id']}")
    return answer.json()["state"] in ("success", "failed")


def restored(topology: Topology, schedule_id: str, set_id: str) -> str:
    """Restore a set and return whose data it holds."""
    target = topology.folder / "restored" / set_id
    target.parent.mkdir(exist_ok=True)
    with Catalog.open(topology.catalog_url) as catalog:
        row = catalog.sets.get(set_id)
        assert row is not None
        restore(
            Trust(schedule_id, "files"),
            repository=row.repository,
            target=target,
            connections=from_environment,
            clock=Clock(),
            set_id=set_id,
        )
    (file,) = target.rglob("whose.txt")
    return file.read_text()


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
