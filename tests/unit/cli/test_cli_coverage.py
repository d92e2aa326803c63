"""`airflow-backup coverage`, and what `validate --warnings` says of exceptions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_backup.catalog import Catalog
from airflow_backup.cli.main import main
from airflow_backup.schedules.loading.index import compile_index

SCHEDULES = """\
version: 1
defaults: {repository: 'file:///b', preset: daily}
unprotected:
  - {connection: crm, reason: backed up by the hoster}
  - {connection: orders, reason: a mistake}
schedules:
  - {id: shop, source: {engine: postgres, connection: orders}}
  - {id: off, enabled: false, source: {engine: postgres, connection: lone}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with schedules, and three connections in variables."""
    (tmp_path / "schedules.yaml").write_text(SCHEDULES)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS", "postgres://app:very-secret@db/shop")
    monkeypatch.setenv("AIRFLOW_CONN_LONE", "postgres://app:very-secret@db/lone")
    monkeypatch.setenv("AIRFLOW_CONN_CRM", "mysql://app:very-secret@crm/crm")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_names_what_protects_each_connection_and_never_a_password(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["coverage", "--no-airflow"]) == 0
    told = capsys.readouterr().out
    lines = [line.split() for line in told.splitlines()]
    assert lines[1][:3] == ["crm", "mysql", "exception"]
    assert lines[2][:3] == ["lone", "postgres", "unprotected"]
    assert lines[3] == ["orders", "postgres", "protected", "shop", "(never)"]
    assert "1 of 2 connections are unprotected, 50 % are protected; 1 on purpose" in told
    assert "very-secret" not in told


@pytest.mark.parametrize(("percent", "code"), [("50", 0), ("50%", 0), ("51", 1), ("100", 1)])
def test_a_share_that_is_too_small_is_exit_code_1(
    folder: Path, percent: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["coverage", "--no-airflow", "--format", "json", "--fail-under", percent]
    assert main(words) == code
    assert json.loads(capsys.readouterr().out)["percent"] == 50


def test_an_airflow_that_does_not_answer_is_told_and_never_taken_for_none(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["coverage"]) == 5  # Airflow is installed here, and this home has no database
    told = capsys.readouterr()
    assert told.out == ""
    assert "Airflow's connections cannot be listed" in told.err


def test_an_exception_that_a_schedule_made_needless_is_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", "--warnings"]) == 0
    told = capsys.readouterr().out
    assert "schedules.yaml:5:1: unprotected: the connection `orders` is protected, by shop" in told
    assert "crm" not in told


@pytest.mark.parametrize("words", [[], ["--schedules", "schedules.yaml"]])
def test_what_a_file_said_when_it_was_deployed_protects_and_excuses_nothing(
    folder: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "schedules.yaml"
    index = compile_index(file)
    with Catalog.open(f"sqlite:///{folder / 'airflow_backup.db'}") as catalog:
        catalog.deployed.replace(index.origin, list(index.entries.values()))
        catalog.deployed.note_read(
            index.origin, also=[], at=datetime.now(UTC), unprotected=index.unprotected
        )
    file.write_text("version: 1\nschedules: []\n")
    assert main(["coverage", "--no-airflow", "--format", "json", *words]) == 0
    told = json.loads(capsys.readouterr().out)["connections"]
    assert {each["state"] for each in told} == {"unprotected"}


def test_an_exception_beside_a_schedule_of_another_database_is_needed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = SCHEDULES.replace("connection: orders}}", "connection: orders, database: crm}}")
    (folder / "schedules.yaml").write_text(other)
    assert main(["validate", "--warnings"]) == 0
    assert "is protected" not in capsys.readouterr().out
    assert main(["coverage", "--no-airflow"]) == 0
    assert "0 % are protected; 2 on purpose" in capsys.readouterr().out
