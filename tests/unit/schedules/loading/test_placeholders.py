"""Placeholders come from the environment, and never from what looks like a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_backup.schedules.loading.index import fingerprint
from airflow_backup.schedules.loading.loader import parse

FILE = """\
version: 1
defaults: {repository: "file:///b"}
schedules:
  - id: wiki
    source: {engine: files, path: /srv}
    every: 1h
    description: "TEXT"
"""


def described(text: str, **environ: str) -> tuple[str | None, list[str]]:
    loaded = parse(FILE.replace("TEXT", text), environ=environ)
    problems = [str(problem) for problem in loaded.problems]
    return (loaded.schedules[0].schedule.description if loaded.schedules else None), problems


FILLED = {
    "set": ("on ${HOST}", "on db1"),
    "with default, set": ("on ${HOST:-nowhere}", "on db1"),
    "with default, not set": ("on ${OTHER:-db2:5432}", "on db2:5432"),
    "empty default": ("on ${OTHER:-}", "on "),
    "twice": ("${HOST}${HOST}", "db1db1"),
    "escaped": ("costs $${HOST}", "costs ${HOST}"),
    "no placeholder": ("costs $5", "costs $5"),
}


@pytest.mark.parametrize(("text", "expected"), FILLED.values(), ids=FILLED)
def test_a_placeholder_is_filled(text: str, expected: str) -> None:
    assert described(text, HOST="db1") == (expected, [])


REFUSED = {
    "not set": ("${OTHER}", "`${OTHER}` is not set"),
    "a secret": ("${DB_PASSWORD:-x}", "`${DB_PASSWORD}` looks like a secret"),
    "a connection": ("${AIRFLOW_CONN_DB}", "`${AIRFLOW_CONN_DB}` looks like a secret"),
    "not closed": ("${HOST", "`${` is not closed"),
    "no name": ("${}", "`${` is not closed, or holds no name"),
}


@pytest.mark.parametrize(("text", "problem"), REFUSED.values(), ids=REFUSED)
def test_a_placeholder_that_cannot_be_filled_is_a_problem(text: str, problem: str) -> None:
    description, problems = described(
        text, HOST="db1", DB_PASSWORD="canary", AIRFLOW_CONN_DB="canary"
    )
    assert description is None
    assert problems[0].startswith(f"schedules.yaml:7:18: schedules.0.description: {problem}")
    assert "canary" not in str(problems)


def test_the_index_is_compiled_anew_when_a_variable_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "schedules.yaml"
    path.write_text(FILE.replace("TEXT", "${HOST}"))
    monkeypatch.setenv("HOST", "db1")
    before = fingerprint(path)
    monkeypatch.setenv("HOST", "db2")
    assert fingerprint(path) != before
