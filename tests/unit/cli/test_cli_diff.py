"""`diff` names what a change of the schedules does, against another file or a git revision."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from airflow_backup.cli.main import main

FILE = """\
version: 1
defaults: {repository: "file:///b", timezone: Europe/Berlin}
schedules:
  - id: shop
    source: {engine: sqlite, path: /srv/shop.db}
    cron: "0 2 * * *"
  - id: wiki
    source: {engine: files, path: /srv}
    cron: "0 2 * * *"
"""


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(
        ["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with committed schedules."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AIRFLOW__BACKUP__SCHEDULES_PATH", raising=False)
    (tmp_path / "schedules.yaml").write_text(FILE)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_a_changed_schedule_is_named_with_its_next_runs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "schedules.yaml").write_text(
        FILE.replace('cron: "0 2 * * *"', 'cron: "30 4 * * *"', 1)
    )
    assert main(["diff"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["~ shop: changed", '    cron: "0 2 * * *" -> "30 4 * * *"']
    assert lines[2].startswith("    next before: ")
    assert " 02:00 " in lines[2]
    assert lines[3].startswith("    next: ")
    assert lines[3].count(" 04:30 ") == 3
    assert len(lines) == 4


def test_a_changed_monthly_level_is_among_the_next_runs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = folder / "old.yaml", folder / "new.yaml"
    levels = 'levels: {full: "0 1 1 * *", incremental: "0 2 * * *"}'
    old.write_text(FILE.replace('cron: "0 2 * * *"', levels, 1))
    new.write_text(FILE.replace('cron: "0 2 * * *"', levels.replace("0 1 1", "0 5 1"), 1))
    assert main(["diff", str(old), str(new)]) == 0
    before, after = capsys.readouterr().out.splitlines()[2:4]
    assert re.search(r" 01:00 \w+ full", before)
    assert re.search(r" 05:00 \w+ full", after)
    assert "incremental" in after


def test_nothing_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "HEAD", "--exit-code"]) == 0
    assert capsys.readouterr().out == "no schedule changes\n"


def test_added_removed_broken_and_mended(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = folder / "old.yaml", folder / "new.yaml"
    old.write_text(FILE.replace("engine: sqlite", "engine: sqlight"))
    new.write_text(
        FILE.replace('cron: "0 2 * * *"\n  - id: wiki', 'cron: "0 2 * * *"\n  - id: docs').replace(
            "path: /srv}", "path: srv}"
        )
    )
    assert main(["diff", str(old), str(new), "--format", "json"]) == 1
    changes = {change["id"]: change for change in json.loads(capsys.readouterr().out)}
    assert {name: change["what"] for name, change in changes.items()} == {
        "docs": "broken",
        "shop": "mended",
        "wiki": "removed",
    }
    assert changes["docs"]["problems"][0]["message"] == "'srv' is not an absolute path"
    assert len(changes["shop"]["next_after"]) == 3


def test_changes_of_the_defaults_show_at_every_schedule(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "schedules.yaml").write_text(FILE.replace("Europe/Berlin", "Asia/Tokyo"))
    assert main(["diff", "--exit-code", "--format", "json"]) == 1
    changes = json.loads(capsys.readouterr().out)
    assert [(change["id"], list(change["keys"])) for change in changes] == [
        ("shop", ["timezone"]),
        ("wiki", ["timezone"]),
    ]


@pytest.mark.parametrize("old", ["no-such-revision", "elsewhere/schedules.yaml", "--output=x"])
def test_what_git_does_not_know_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], old: str
) -> None:
    with_separator = ["diff", "--", old] if old.startswith("-") else ["diff", old]
    assert main(with_separator) == 3
    assert old in capsys.readouterr().err
