"""A real Airflow backs itself up in one of its own tasks, from which it hides the address of its database."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.airflow.home import AirflowHome
from support.airflow.runs import Runs
from support.sources import airflows

pytestmark = pytest.mark.service

SCHEDULES = """version: 1
defaults: {repository: "file://FOLDER/repository", retry: {max_retries: 1, delay: 1s}, every: 365d}
schedules:
  - {id: itself, source: {engine: airflow}}
  - {id: named, source: {engine: airflow, connection: airflow_db}}
"""


@pytest.fixture
def api(airflow: AirflowHome) -> Iterator[httpx.Client]:
    """A client that is logged in as the administrator."""
    with airflow.client("admin") as client:
        yield client


def test_an_airflow_backs_itself_up_and_never_takes_what_was_left_behind_for_it(
    airflow: AirflowHome, api: httpx.Client, tmp_path: Path
) -> None:
    runs, database = Runs(airflow, api), airflow.folder / "airflow.db"
    airflow.run("variables", "set", "colour", "blue")
    where = {"connection_id": "airflow_db", "conn_type": "sqlite", "host": str(database)}
    api.post("api/v2/connections", json=where).raise_for_status()
    airflow.schedules.write_text(SCHEDULES.replace("FOLDER", str(tmp_path)))
    for schedule in ("itself", "named"):
        assert runs.completed(schedule)["files"] > 4
    command = Path(sys.executable).parent / "airflow-backup"
    words = ["restore", "itself", "--to", "back", "--schedules", str(airflow.schedules)]
    subprocess.run([command, *words], env=airflow.environment, cwd=tmp_path, check=True)
    restored = tmp_path / "back" / "database" / "airflow.db"
    query = "SELECT key FROM variable ORDER BY key"
    assert airflows.query(restored, query) == airflows.query(database, query)
    launcher = tmp_path / "back" / "bundles" / "dags-folder" / "backup_dags.py"
    assert launcher.read_text() == (airflow.dags / "backup_dags.py").read_text()

    # Airflow moved to a server; the file that its configuration names is what it left behind
    config = airflow.folder / "airflow.cfg"
    before = config.read_text()
    stale = tmp_path / "stale.db"
    shutil.copy(restored, stale)
    airflows.query(stale, "UPDATE job SET latest_heartbeat = '2026-01-01 00:00:00.000000'")
    changed = f"sql_alchemy_conn = sqlite:///{stale}"
    config.write_text(re.sub(r"(?m)^sql_alchemy_conn = .*$", changed, before))
    try:
        run = runs.end_of("itself", runs.start("itself"))
    finally:
        config.write_text(before)
    assert run["status"] == "failed"
    assert "no scheduler wrote to it" in run["error"]
    assert "connection: airflow_db" in run["hint"]
