"""Schedules go into the catalog and come out again as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_backup.catalog import Catalog
from airflow_backup.cli.main import main

FILE = """\
version: 1
defaults: {repository: "file:///b", timezone: Europe/Berlin}
windows:
  nightly: {days: [mon-fri], from: "22:00", to: "06:00"}
schedules:
  - id: wiki
    description: costs $${HOME}
    tags: ["1e5", "null"]
    source: {engine: files, path: /srv, exclude: ["*.tmp"]}
    levels: {full: "0 2 * * sun", incremental: "0 2 * * mon-sat"}
    window: [nightly, off_hours]
    alert_after: 26h
  - id: shop
    source: {engine: sqlite, path: /srv/x.db}
    every: 1h30m
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    (tmp_path / "schedules.yaml").write_text(FILE)
    return tmp_path


def test_export_and_import_round_trip(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export"]) == 0
    exported = capsys.readouterr().out
    (folder / "exported.yaml").write_text(exported)
    assert main(["import", "exported.yaml", "--author", "anna"]) == 0
    assert capsys.readouterr().out == "wiki: added\nshop: added\n"
    assert main(["export", "--from-catalog"]) == 0
    made = capsys.readouterr().out
    assert sorted(made.splitlines()) == sorted(exported.splitlines())
    assert main(["diff", "schedules.yaml", "exported.yaml"]) == 0
    assert capsys.readouterr().out == "no schedule changes\n"
    with Catalog.open(f"sqlite:///{folder}/airflow_backup.db") as catalog:
        assert {item.id: (item.version, item.author) for item in catalog.schedules.all()} == {
            "shop": (1, "anna"),
            "wiki": (1, "anna"),
        }


def test_what_is_there_is_replaced_only_when_asked_to(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", "schedules.yaml"]) == 0
    (folder / "schedules.yaml").write_text(FILE.replace("1h30m", "2h"))
    assert main(["import", "schedules.yaml"]) == 1
    assert "the catalog already has shop, wiki\nHINT: --replace?" in capsys.readouterr().err
    assert main(["import", "schedules.yaml", "--replace", "--dry-run"]) == 0
    assert capsys.readouterr().out == "wiki: unchanged\nshop: changed\n"
    assert main(["import", "schedules.yaml", "--replace"]) == 0
    with Catalog.open(f"sqlite:///{folder}/airflow_backup.db") as catalog:
        assert {item.id: item.version for item in catalog.schedules.all()} == {"shop": 2, "wiki": 1}


def test_nothing_is_imported_from_a_file_that_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "schedules.yaml").write_text(FILE.replace("1h30m", "soon"))
    assert main(["import", "schedules.yaml"]) == 1
    assert (
        "schedules.yaml:15:12: schedules.1.every: 'soon' is not a duration"
        in capsys.readouterr().err
    )
    with Catalog.open(f"sqlite:///{folder}/airflow_backup.db") as catalog:
        assert catalog.schedules.all() == []


def test_what_is_imported_may_wait_for_what_is_there_and_not_for_itself_through_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", "schedules.yaml"]) == 0
    source = "source: {engine: files, path: /srv}, repository: 'file:///b'"
    (folder / "more.yaml").write_text(
        f"version: 1\nschedules:\n  - {{id: later, after: [wiki], {source}}}\n"
    )
    assert main(["import", "more.yaml"]) == 0, capsys.readouterr().err
    (folder / "circle.yaml").write_text(
        f"version: 1\nschedules:\n  - {{id: wiki, after: [later], {source}}}\n"
    )
    assert main(["import", "circle.yaml", "--replace"]) == 1
    assert "`wiki` would wait for itself, by way of `later`" in capsys.readouterr().err


def test_exporting_what_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "wikis"]) == 3
    assert "no schedule 'wikis'\nHINT: did you mean `wiki`?" in capsys.readouterr().err


def test_a_file_that_says_what_a_catalog_cannot_keep_is_not_half_taken(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exception = "unprotected: [{connection: legacy, reason: nobody reads it}]\n"
    (folder / "schedules.yaml").write_text(FILE + exception)
    assert main(["import", "schedules.yaml"]) == 1
    assert "schedules.yaml:16: exceptions cannot be kept" in capsys.readouterr().err
    assert not (folder / "airflow_backup.db").exists()
