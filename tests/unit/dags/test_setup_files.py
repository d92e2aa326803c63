"""The DAG files that `airflow-backup setup` writes make a DAG of each schedule."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from airflow_backup.cli.main import main


def test_the_files_that_setup_writes_make_dags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    dags = tmp_path / "dags"
    assert (
        main(["setup", "--files", "/srv/wiki", "--to", str(dags), "--repository", str(tmp_path)])
        == 0
    )
    made = runpy.run_path(str(dags / "backup_dags.py"))
    assert "backup__wiki" in [getattr(each, "dag_id", None) for each in made.values()]
    runpy.run_path(str(dags / "schedule_errors.py"))
    for file in dags.glob("*.py"):  # without both words Airflow's processor does not look at a file
        assert b"dag" in file.read_bytes().lower()
        assert b"airflow" in file.read_bytes().lower()
