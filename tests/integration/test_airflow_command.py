"""The commands are there inside Airflow's own command, too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
