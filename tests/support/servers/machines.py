"""
A whole Airflow whose tasks are taken by several machines: each in a mount namespace of its own, with its own data at
one path.

Start it as root: mount namespaces are root's.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from support.airflow.home import AirflowHome
from support.stored.sets import Clock

API = "backup/api/v1"
LAUNCHER = "from airflow_backup.dags import generate\n\ngenerate(globals())  # an airflow dag for each schedule\n"
PATIENCE = 180.0


def require_namespaces() -> None:
    """Skip where this user may not make mount namespaces."""
    found = shutil.which("unshare")
    if found is None or subprocess.run([found, "-m", "true"], check=False).returncode:
        pytest.skip("mount namespaces are for root: unshare -m")


class Topology:
    """One Airflow whose tasks are taken by machines, each of which has its own data."""

    def __init__(
        self,
        folder: Path,
        airflow: AirflowHome,
        catalog_url: str,
        *,
        parts: Mapping[str, Sequence[str]],
    ) -> None:
        self.folder, self.airflow, self.catalog_url = folder, airflow, catalog_url
        self.data = folder / "data"
        self.data.mkdir()
        self._workers: list[subprocess.Popen[bytes]] = []
        for name, owned in parts.items():
            for part in owned:  # one source each, or they would wait for one another
                (folder / name / "data" / part).mkdir(parents=True)
                (folder / name / "data" / part / "whose.txt").write_text(f"this is {name}'s\n")

    def start_worker(
        self,
        name: str,
        words: Sequence[str],
        *,
        only_the_dag_file: bool = False,
        **environment: str,
    ) -> None:
        """Start ``airflow WORDS``, which sees its own data at the path that all of them name."""
        own = self.folder / name
        command = f"mount --bind '{own}/data' '{self.data}' && exec '{self.airflow.python}' -m airflow {' '.join(words)}"
        settings = self.airflow.unmeasured() | {
            "AIRFLOW__BACKUP__HOST_NAME": name,
            "AIRFLOW__BACKUP__INDEX_FOLDER": str(own / "index"),
            **environment,
        }
        if only_the_dag_file:
            (own / "dags").mkdir()
            (own / "dags" / "backup_dags.py").write_text(LAUNCHER)
            settings["AIRFLOW__CORE__DAGS_FOLDER"] = str(own / "dags")
        with (self.airflow.folder / f"{name}.log").open("ab") as log:
            self._workers.append(
                subprocess.Popen(
                    ["unshare", "-m", "sh", "-c", command],
                    env=settings,
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


def schedules_of(folder: Path, keys: Mapping[str, str]) -> str:
    """Write schedules of files that lie at one path on all machines; ``keys`` of each say where it runs."""
    entries = "".join(
        f"  - {{id: {name}, {where}, source: {{engine: files, path: {folder}/data/{name}}}}}\n"
        for name, where in keys.items()
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
