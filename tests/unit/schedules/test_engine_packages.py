"""Engines that other packages bring: a broken one costs the schedules that use it, and no other."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from airflow_backup.cli.main import main
from airflow_backup.core.installed import engines as installed_engines
from airflow_backup.schedules.loading import drivers
from airflow_backup.schedules.loading.drivers import missing_drivers
from airflow_backup.schedules.loading.loader import parse

BROKEN = {
    "raises": "raise RuntimeError('no licence')",
    "lacks a module": "import no_such_module_at_all",
    "is no Python": "def (",
    "leaves": "raise SystemExit(3)",
    "has no options": "class Engine: pass",
    "has options that are none": "class Engine: options = int",
}
TEXT = """version: 1
schedules:
  - id: bad
    source: {engine: tape, reel: 3}
    repository: file:///b
    preset: daily
  - id: good
    source: {engine: files, path: /srv}
    repository: file:///b
    preset: daily
"""


def bring(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    (folder / "tape_engine.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "tape_engine", raising=False)
    point = EntryPoint("tape", "tape_engine:Engine", installed_engines.ENTRY_POINT_GROUP)
    monkeypatch.setattr(installed_engines, "points", lambda: [point])


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_package_that_is_broken_costs_only_its_own_schedule(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    bring(monkeypatch, tmp_path, text)
    found = parse(TEXT)
    assert [item.schedule.id for item in found.schedules] == ["good"]
    (problem,) = found.problems
    assert problem.line == 4
    assert problem.message.startswith("engine 'tape'")


def test_options_that_fail_cost_only_their_own_schedule(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (
        "from pydantic import model_validator\n"
        "from airflow_backup.schedules.model.sources import EngineOptions\n"
        "class Options(EngineOptions):\n"
        "    engine: str\n"
        "    reel: int\n"
        "    @model_validator(mode='after')\n"
        "    def check(self):\n"
        "        raise TypeError('a bug')\n"
        "class Engine:\n"
        "    options = Options\n"
    )
    bring(monkeypatch, tmp_path, text)
    found = parse(TEXT)
    assert [item.schedule.id for item in found.schedules] == ["good"]
    (problem,) = found.problems
    assert problem.message == "engine `tape` cannot read its options: TypeError: a bug"


NEEDY = """version: 1
schedules:
  - id: db
    source: {engine: postgres, connection: pg}
    repository: sftp://host/b
    preset: daily
  - id: shop
    source: {engine: mysql, connection: my}
    repository: file:///b
    preset: daily
  - id: wiki
    source: {engine: files, path: /srv}
    repository: file:///b
    preset: daily
"""


def test_a_driver_that_is_missing_is_named_with_its_extra() -> None:
    found = missing_drivers(parse(NEEDY).schedules, is_installed=lambda module: False)
    assert [(problem.line, problem.hint) for problem in found] == [
        (3, "pip install 'airflow-backup[postgres]'"),
        (3, "pip install 'airflow-backup[sftp]'"),
        (7, "pip install 'airflow-backup[mysql]'"),
    ]
    assert missing_drivers(parse(NEEDY).schedules, is_installed=lambda module: True) == []


def test_validate_says_so_and_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "schedules.yaml"
    path.write_text(NEEDY)
    monkeypatch.setattr(drivers, "find_spec", lambda name: None)
    assert main(["validate", str(path)]) == 1
    told = capsys.readouterr().out
    assert "the mysql engine needs a driver that is not installed here" in told


def test_a_pattern_that_means_nothing_is_a_problem_of_its_line() -> None:
    text = TEXT.replace("engine: files, path: /srv", "engine: files, path: /srv, exclude: ['a[b']")
    problems = [problem for problem in parse(text).problems if "pattern" in problem.message]
    assert [problem.line for problem in problems] == [8]
