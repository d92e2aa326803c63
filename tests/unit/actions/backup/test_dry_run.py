"""A dry run says what a run would do, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import backup
from airflow_backup.actions.backup.dry_run import DryRun, dry_run
from airflow_backup.catalog import Catalog
from airflow_backup.cli.commands.sets.run import dry_run_lines
from airflow_backup.cli.main import main
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import BackupError
from airflow_backup.core.words import Kind
from airflow_backup.core.worker import Worker
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.sqlite.options import SqliteOptions
from airflow_backup.schedules.model.sources import EngineOptions
from support.sources import trees
from support.stored.sets import Clock, PlainJob, run_number, take


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


def look(job: PlainJob, catalog: Catalog, **more: Any) -> DryRun:
    return dry_run(job, catalog=catalog, connections=from_environment, clock=Clock(), **more)


def files(tmp_path: Path, **options: Any) -> PlainJob:
    source = FilesOptions(engine="files", path=str(tmp_path / "source"), **options)
    return PlainJob(source, f"file://{tmp_path}/repository")


def everything_below(folder: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for path in folder.rglob("*"):
        look_at = path.lstat()
        found[str(path)] = (look_at.st_size, look_at.st_mtime_ns)
    return found


@pytest.mark.parametrize(
    "options", [{}, {"exclude": ["*-folder/"]}, {"include": ["*.txt", "empty*"]}]
)
def test_it_counts_what_a_run_reads(
    tmp_path: Path, catalog: Catalog, options: dict[str, list[str]]
) -> None:
    trees.make_tree(tmp_path / "source")
    (tmp_path / "source" / "a.txt").write_text("abc")
    job = files(tmp_path, **options)
    before = everything_below(tmp_path)
    found = look(job, catalog)
    assert everything_below(tmp_path) == before
    assert (found.problems, found.repository_is_new, found.kind) == ((), True, Kind.FULL)
    result = take(job, catalog)
    assert found.estimate is not None
    holes_end_at_blocks = 16_384  # of the few files with holes
    assert 0 <= found.estimate.bytes_read - result.bytes_read < holes_end_at_blocks
    assert found.estimate.is_all
    assert not look(job, catalog).repository_is_new


def test_one_file_as_a_source_and_a_file_with_two_names(tmp_path: Path, catalog: Catalog) -> None:
    (tmp_path / "source").write_text("12345")
    found = look(files(tmp_path), catalog).estimate
    assert found is not None
    assert (found.files, found.bytes_read) == (1, 5)
    (tmp_path / "source").unlink()
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_text("12345")
    os.link(tmp_path / "source" / "a", tmp_path / "source" / "b")
    found = look(files(tmp_path), catalog).estimate
    assert found is not None
    assert (found.files, found.bytes_read) == (1, 5)


def test_it_says_what_kind_would_be_taken_and_why(tmp_path: Path, catalog: Catalog) -> None:
    trees.make_tree(tmp_path / "source")
    job = files(tmp_path)
    found = look(job, catalog, kind=Kind.INCREMENTAL)
    assert (found.kind, found.reason) == (
        Kind.FULL,
        "full instead of incremental: there is no set yet",
    )
    take(job, catalog)
    found = look(job, catalog, kind=Kind.INCREMENTAL)
    assert (found.kind, found.reason) == (Kind.INCREMENTAL, None)


def problems_of_a_run(job: PlainJob, catalog: Catalog) -> str:
    """Return what a run raises."""
    with pytest.raises(BackupError) as raised:
        backup(
            job,
            run_number(1),
            catalog=catalog,
            connections=from_environment,
            clock=Clock(),
        )
    return raised.value.message


def broken(tmp_path: Path) -> list[tuple[str, EngineOptions, str, dict[str, Any]]]:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no database")
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "a").write_text("a")
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "taken" / "taken").parent.mkdir()
    (tmp_path / "taken" / "taken").write_text("in the way")
    os.mkfifo(tmp_path / "pipe")
    here = f"file://{tmp_path}/repository"
    good = FilesOptions(engine="files", path=str(tmp_path / "good"))
    return [
        ("missing", FilesOptions(engine="files", path=str(tmp_path / "nope")), here, {}),
        ("empty", FilesOptions(engine="files", path=str(tmp_path / "empty")), here, {}),
        ("text", SqliteOptions(engine="sqlite", path=str(tmp_path / "text")), here, {}),
        ("bucket", good, "s3://nope/backups", {"connection": "not_there"}),
        ("kind", good, here, {"kind": Kind.ARCHIVE_LOG}),
        ("pipe", FilesOptions(engine="files", path=str(tmp_path / "pipe")), here, {}),
        (
            "pattern",
            FilesOptions(engine="files", path=str(tmp_path / "good"), include=["*.nothing"]),
            here,
            {},
        ),
        ("unmounted", good, f"file://{tmp_path}/disk/repository", {}),
        ("file", good, f"file://{tmp_path}/file", {}),
        ("taken", good, f"file://{tmp_path}/taken", {}),
    ]


def test_what_a_run_would_raise_is_what_it_says(tmp_path: Path, catalog: Catalog) -> None:
    for name, source, repository, more in broken(tmp_path):
        job = PlainJob(source, repository, id=name, **more)
        found = look(job, catalog)
        told, raised = found.problems[0].message, problems_of_a_run(job, catalog)
        if name in ("unmounted", "file", "taken"):  # a run names the object that it writes first
            words = r"cannot (read|write) ('[^']*' in )?"
            told, raised = (re.sub(words, "", each) for each in (told, raised))
        assert told == raised, name
        assert dry_run_lines(found, repository)[0] == f"{name}: a run would fail"


def test_a_repository_that_is_gone_is_a_problem(tmp_path: Path, catalog: Catalog) -> None:
    trees.make_tree(tmp_path / "source")
    job = files(tmp_path)
    take(job, catalog)
    (tmp_path / "repository").rename(tmp_path / "elsewhere")
    (problem,) = look(job, catalog).problems
    assert "repository" in problem.message
    assert not (tmp_path / "repository").exists()


def test_another_host_than_the_one_that_is_written(tmp_path: Path, catalog: Catalog) -> None:
    trees.make_tree(tmp_path / "source")
    job = PlainJob(
        FilesOptions(engine="files", path=str(tmp_path / "source")),
        f"file://{tmp_path}/repository",
        host="there",
    )
    (problem,) = look(job, catalog, worker=Worker("here")).problems
    assert "'there'" in problem.message


def test_a_long_look_ends_and_says_so(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").mkdir()
    for number in range(50):
        (tmp_path / "source" / f"f{number:02}").write_text("x" * 10)
    seconds = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    found = look(files(tmp_path), catalog, seconds=5)
    assert found.estimate is not None
    assert not found.estimate.is_all
    assert 0 < (found.estimate.files or 0) < 50
    assert "at least" in dry_run_lines(found, "file:///r")[0]


def test_what_may_not_be_read_is_named(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").mkdir()
    for name in ("open", "secret"):
        (tmp_path / "source" / name).write_text("x")
    may = os.access
    monkeypatch.setattr(
        os, "access", lambda path, *given, **more: path != b"secret" and may(path, *given, **more)
    )
    found = look(files(tmp_path), catalog)
    assert found.estimate is not None
    assert list(found.estimate.unread) == ["secret: permission denied"]
    assert found.problems[0].message == "not all may be read: secret: permission denied"
    assert not look(files(tmp_path, on_unreadable="warn"), catalog).problems


def test_a_program_that_waits_at_a_pipe_is_left_alone(tmp_path: Path, catalog: Catalog) -> None:
    os.mkfifo(tmp_path / "source")
    program = "open('source', 'w'); print('somebody reads')"
    waiting = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path)
    try:
        time.sleep(0.5)
        (problem,) = look(files(tmp_path), catalog).problems
        assert problem.message == f"'{tmp_path}/source' is neither a folder nor a file"
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
    finally:
        waiting.kill()
        waiting.wait()


def test_a_catalog_that_is_none_is_not_taken_for_one_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "airflow_backup.db").write_text("not a database, and no catalog" * 100)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("abc")
    (tmp_path / "schedules.yaml").write_text(
        "version: 1\nschedules:\n  - id: notes\n"
        f"    source: {{engine: files, path: {tmp_path}/notes}}\n"
        f"    repository: file://{tmp_path}/repository\n    preset: daily\n"
    )
    assert main(["run", "notes", "--dry-run"]) != 0
    assert "would take" not in capsys.readouterr().out


def test_an_sqlite_database_has_its_pages(tmp_path: Path, catalog: Catalog) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("CREATE TABLE orders (id INTEGER)")
    source = SqliteOptions(engine="sqlite", path=str(tmp_path / "shop.db"))
    found = look(PlainJob(source, f"file://{tmp_path}/repository"), catalog).estimate
    assert found is not None
    assert found.bytes_read == (tmp_path / "shop.db").stat().st_size


def test_the_command_says_it_and_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("abc")
    (tmp_path / "schedules.yaml").write_text(
        "version: 1\nschedules:\n  - id: notes\n"
        f"    source: {{engine: files, path: {tmp_path}/notes}}\n"
        f"    repository: file://{tmp_path}/repository\n    preset: daily\n"
    )
    before = everything_below(tmp_path)
    assert main(["run", "notes", "--dry-run"]) == 0
    assert "a full set of 1 file, 3 B" in capsys.readouterr().out
    assert main(["run", "notes", "--dry-run", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == 1
    assert everything_below(tmp_path) == before
    (tmp_path / "notes").rename(tmp_path / "gone")
    assert main(["run", "notes", "--dry-run"]) == 1
    assert "a run would fail" in capsys.readouterr().out
