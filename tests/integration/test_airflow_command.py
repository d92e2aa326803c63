"""The commands are there inside Airflow's own command, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_backup.schedules.loading.loader import parse
from support.foreign import CANARY, copied

pytestmark = pytest.mark.service

FILE = """\
version: 1
schedules:
  - id: wiki
    source: {engine: files, path: /srv}
    repository: file:///b
    cron: "0 2 * * *"
"""


def airflow(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an ``airflow`` command with a home of its own."""
    command = [sys.executable, "-m", "airflow", *arguments]
    environment = os.environ | {"AIRFLOW_HOME": str(folder / "home")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_airflow_backup_is_reachable_as_a_command_of_airflow(tmp_path: Path) -> None:
    (tmp_path / "schedules.yaml").write_text(FILE)
    done = airflow(tmp_path, "backup", "validate", "schedules.yaml", "--format", "json")
    assert (done.returncode, done.stdout.strip().splitlines()[-1]) == (0, "[]"), done.stderr
    done = airflow(
        tmp_path, "backup", "next", "wiki", "--count", "1", "--after", "2026-11-21T00:00:00Z"
    )
    assert done.stdout.splitlines()[-1] == "Sat 2026-11-21 02:00 UTC  wiki      full  at once", (
        done.stderr
    )
    (tmp_path / "schedules.yaml").write_text(FILE.replace("0 2 * * *", "0 2 30 2 *"))
    done = airflow(tmp_path, "backup", "validate")
    assert done.returncode == 1
    assert "never fires" in done.stdout


def test_other_commands_of_airflow_do_not_pay_for_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['airflow', 'version']; "
        "from airflow_backup.plugin.airflow_cli import get_cli_commands; get_cli_commands(); "
        "print('airflow_backup.schedules.model.schedule' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_connections_of_an_airflow_become_schedules_that_are_right(tmp_path: Path) -> None:
    assert airflow(tmp_path, "db", "migrate").returncode == 0
    given = copied("connections.json", tmp_path, HOST="db", PORT="5432", USER="keeper")
    known = json.loads(given.read_text())
    known = {name: each for name, each in known.items() if name not in ("half", "CRM (old)")}
    given.write_text(json.dumps(known))
    assert airflow(tmp_path, "connections", "import", str(given)).returncode == 0
    done = airflow(tmp_path, "backup", "setup", "--from-airflow", "--to", "made")
    assert done.returncode == 0, done.stderr
    made = (tmp_path / "made" / "schedules.yaml").read_text()
    assert "no engine backs up what these lead to: inbox (names no folder), s3 (aws)" in done.stdout
    assert CANARY not in done.stdout + done.stderr + made
    loaded = parse(made)
    assert loaded.problems == []
    assert sorted(loaded.by_id()) == ["bank_db", "crm-old", "mull", "s-2fa", "shop", "wiki"]
    exported = airflow(tmp_path, "connections", "export", "of.yaml")
    assert exported.returncode == 0, exported.stderr
    done = airflow(tmp_path, "backup", "setup", "--from", "of.yaml", "--to", "again")
    assert done.returncode == 0, done.stderr
    again = parse((tmp_path / "again" / "schedules.yaml").read_text())
    assert sorted(again.by_id()) == sorted(loaded.by_id())
