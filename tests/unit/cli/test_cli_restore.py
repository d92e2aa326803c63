"""Restore and sync need nothing but the repository."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from airflow_backup.cli.main import main
from airflow_backup.core.format.signing import SigningKey, new_key

FILE = """\
version: 1
schedules:
  - id: notes
    source: {engine: files, path: FOLDER/notes}
    repository: file://FOLDER/repository
    preset: daily
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two backups of a folder, the second after a change."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    (tmp_path / "schedules.yaml").write_text(FILE.replace("FOLDER", str(tmp_path)))
    (tmp_path / "notes").mkdir()
    for text in ("before", "after"):
        (tmp_path / "notes" / "a.txt").write_text(text)
        assert main(["run", "notes"]) == 0
        time.sleep(1.1)  # set ids have seconds
    return tmp_path


def sets(folder: Path) -> list[Path]:
    return sorted(
        (folder / "repository/notes/sets").iterdir(), key=lambda path: path.stat().st_mtime_ns
    )


def test_the_newest_set_comes_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", "notes", "--to", "back"]) == 0
    assert (folder / "back" / "a.txt").read_text() == "after"
    assert f"notes: set {sets(folder)[-1].name} of " in capsys.readouterr().out


def test_an_earlier_set_comes_back_without_schedules_and_catalog(folder: Path) -> None:
    for name in ("schedules.yaml", "airflow_backup.db"):
        (folder / name).unlink()
    repository = f"file://{folder}/repository"
    first = sets(folder)[0].name
    assert (
        main(["restore", "notes", "--repository", repository, "--set", first, "--to", "back"]) == 0
    )
    assert (folder / "back" / "a.txt").read_text() == "before"
    assert (
        main(["restore", "notes", "--repository", repository, "--at", "2999-01-01", "--to", "late"])
        == 0
    )
    assert (folder / "late" / "a.txt").read_text() == "after"


def test_nothing_was_there_yet(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", "notes", "--at", "2000-01-01", "--to", "back"]) == 3
    assert (
        "'notes' has no set at or before 2000-01-01 00:00 UTC\nHINT: the earliest is of "
        in capsys.readouterr().err
    )
    assert not (folder / "back").exists()


def test_a_folder_that_holds_something_is_left_alone(folder: Path) -> None:
    assert main(["restore", "notes", "--to", "notes"]) == 1
    assert (folder / "notes" / "a.txt").read_text() == "after"


@pytest.mark.parametrize("address", ["{}", "{}/", "file://localhost{}"])
def test_an_unsigned_set_is_not_taken_over_however_its_repository_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    key = str(SigningKey(new_key()).public)
    text = (folder / "schedules.yaml").read_text()
    signing = f"    signing: {{public_keys: ['{key}'], unsigned_before: 2030-01-01}}\n"
    (folder / "schedules.yaml").write_text(text.rstrip("\n") + "\n" + signing)
    for path in folder.glob("airflow_backup.db*"):
        path.unlink()
    url = address.format(folder / "repository")
    url = url if "://" in url else f"file://{url}"
    assert main(["sync", "--repository", url]) == 1
    said = capsys.readouterr().out
    assert "0 sets added" in said
    assert "it is not signed" in said
    assert main(["restore", "notes", "--to", "back"]) != 0
    assert not (folder / "back").exists()


def test_a_lost_catalog_is_rebuilt(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in folder.glob("airflow_backup.db*"):
        path.unlink()
    assert main(["sync"]) == 0
    assert "2 sets added, 0 lost, 0 unfinished, 0 leftovers removed" in capsys.readouterr().out
    assert main(["sync"]) == 0
