"""A restore says first what it will do, goes on where it was killed, and never half-overwrites."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.restore.restore import plan, restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.cli.main import main
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import NotFound, Refused, VerifyError
from airflow_backup.core.progress import Progress, Reporter
from airflow_backup.core.words import Kind, VerificationLevel, VerificationOutcome
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.shared.restore_marker import MARKER
from airflow_backup.engines.sqlite.options import SqliteOptions
from airflow_backup.storage.open import open_storage
from support.sources import trees
from support.stored.sets import START, Clock, PlainJob, run_number, take


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def job(tmp_path: Path) -> PlainJob:
    trees.make_tree(tmp_path / "source")
    source = FilesOptions(engine="files", path=str(tmp_path / "source"))
    return PlainJob(source, f"file://{tmp_path}/repository")


def back(job: PlainJob, target: Path, **more: Any) -> Any:
    return restore(
        Trust.of(job),
        repository=job.repository,
        target=target,
        connections=from_environment,
        clock=Clock(),
        **more,
    )


def planned(job: PlainJob, target: Path, **more: Any) -> Any:
    return plan(open_storage(job.repository), Trust.of(job), target=target, **more)


class Stop(Exception):
    """What ends a restore half-way in these tests."""


def stop_after(files: int) -> Reporter:
    def listen(progress: Progress) -> None:
        if progress.files_done >= files:
            raise Stop

    return Reporter(listen, interval=0)


def test_a_plan_names_sets_bytes_and_time_and_writes_nothing(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    full = take(job, catalog, run=run_number(1))
    trees.change_tree(tmp_path / "source", 1)
    change = take(job, catalog, run=run_number(2), kind=Kind.INCREMENTAL)
    facts = planned(job, tmp_path / "back", catalog=catalog).as_dict()
    assert [each["set_id"] for each in facts["sets"]] == [full.set_id, change.set_id]
    assert facts["bytes_to_read"] == full.bytes_stored + change.bytes_stored
    assert (facts["measured"], facts["target_holds"], facts["refused"]) == (
        False,
        "nothing: it is made",
        None,
    )
    assert not (tmp_path / "back").exists()


def test_the_time_comes_from_the_last_restore_that_was_measured(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    result = take(job, catalog)
    catalog.verifications.record(
        result.set_id,
        job.id,
        level=VerificationLevel.RESTORE_TEST,
        outcome=VerificationOutcome.PASSED,
        started_at=START,
        finished_at=START,
        bytes_read=result.bytes_stored,
        details={"restore_seconds": 120.0},
    )
    found = planned(job, tmp_path / "back", catalog=catalog)
    assert (found.measured, round(found.seconds)) == (True, 120)
    took = back(job, tmp_path / "back", catalog=catalog).seconds
    again = planned(job, tmp_path / "again", catalog=catalog)
    assert again.seconds == pytest.approx(took, rel=0.2, abs=0.01)


def test_a_set_that_failed_is_not_chosen_and_the_plan_says_why(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    first = take(job, catalog, run=run_number(1))
    second = take(job, catalog, run=run_number(2))
    catalog.sets.mark(second.set_id, "quarantined")
    found = planned(job, tmp_path / "back", catalog=catalog)
    assert [each.manifest.set_id for each in found.chain] == [first.set_id]
    assert found.gaps == (f"set '{second.set_id}': it is quarantined",)
    chosen = planned(job, tmp_path / "back", catalog=catalog, set_id=second.set_id)
    assert chosen.warnings == (f"set '{second.set_id}' is quarantined",)
    catalog.sets.mark(first.set_id, "quarantined")
    with pytest.raises(NotFound, match=r"'wiki' has no good set: set '.*': it is quarantined"):
        planned(job, tmp_path / "back", catalog=catalog)


def test_a_changed_manifest_is_refused_where_the_catalog_knows_better(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    result = take(job, catalog)
    path = tmp_path / "repository/wiki/sets" / result.set_id / "manifest.json"
    told = json.loads(path.read_bytes())
    told["warnings"] = ["all is well"]
    path.chmod(0o600)
    path.write_text(json.dumps(told))
    with pytest.raises(VerifyError, match="is not the one that the catalog knows"):
        back(job, tmp_path / "back", catalog=catalog)
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("links", [0, 2])
def test_a_restore_that_was_stopped_goes_on(
    job: PlainJob, catalog: Catalog, tmp_path: Path, links: int
) -> None:
    for number in range(1500):
        path = tmp_path / "source" / "many" / f"{number // 100}" / f"{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"file {number}")
    take(job, catalog, run=run_number(0))
    for number in range(1, links + 1):
        trees.change_tree(tmp_path / "source", number)
        take(job, catalog, run=run_number(number), kind=Kind.INCREMENTAL)
    target = tmp_path / "back"
    with pytest.raises(Stop):
        back(job, target, reporter=stop_after(1000))
    marker = json.loads((target / MARKER).read_bytes())
    assert (marker["schedule_id"], len(marker["sets"])) == ("wiki", links + 1)
    kept = {path: path.stat().st_ino for path in (target / "many").rglob("*") if path.is_file()}
    assert kept
    found = planned(job, target)
    assert (found.resumes, found.holds) == (True, "an unfinished restore of the same sets")
    back(job, target)
    assert trees.tree_at(target) == trees.tree_at(tmp_path / "source")
    assert {path: path.stat().st_ino for path in kept} == kept, (
        "what was whole is not written again"
    )


def test_a_file_that_was_half_written_is_written_again(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    take(job, catalog)
    target = tmp_path / "back"
    found = planned(job, target)
    back(job, target)
    (target / MARKER).write_text(json.dumps(found.marker()))
    rng = random.Random(1)
    spoilt = [
        path
        for path in target.rglob("*")
        if path.is_file() and not path.is_symlink() and path.stat().st_nlink == 1
    ]
    for path in rng.sample(spoilt, 5):
        if path.name != MARKER:
            path.unlink()
            path.write_bytes(b"hal")
    back(job, target)
    assert trees.tree_at(target) == trees.tree_at(tmp_path / "source")


def test_an_unfinished_restore_of_something_else_is_left_alone(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    first = take(job, catalog, run=run_number(1))
    take(job, catalog, run=run_number(2))
    target = tmp_path / "back"
    with pytest.raises(Stop):
        back(job, target, set_id=first.set_id, reporter=stop_after(1))
    with pytest.raises(Refused, match="holds an unfinished restore of something else"):
        back(job, target)


def test_a_full_target_is_refused_or_swapped_whole(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    take(job, catalog)
    target = tmp_path / "back"
    target.mkdir()
    (target / "precious").write_text("mine")
    with pytest.raises(Refused, match=r"'.*back' is not empty"):
        back(job, target)
    with pytest.raises(Stop):
        back(job, target, replace=True, reporter=stop_after(0))
    assert (target / "precious").read_text() == "mine", "nothing changed before it is whole"
    result = back(job, target, replace=True)
    assert trees.tree_at(target) == trees.tree_at(tmp_path / "source")
    assert (result.kept / "precious").read_text() == "mine"
    assert not (tmp_path / "back.restoring").exists()


def test_a_database_that_was_half_restored_is_begun_again(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.executemany(
            "INSERT INTO t VALUES (?)", ((os.urandom(900),) for _ in range(3000))
        )
        connection.commit()
    job = PlainJob(
        SqliteOptions(engine="sqlite", path=str(path)), f"file://{tmp_path}/repository", id="bank"
    )
    take(job, catalog)
    target = tmp_path / "back"

    def stop(progress: Progress) -> None:
        if progress.bytes_done:
            raise Stop

    with pytest.raises(Stop):
        back(job, target, reporter=Reporter(stop, interval=0))
    assert sorted(each.name for each in target.iterdir()) == [MARKER, ".restoring"]
    back(job, target)
    assert [each.name for each in target.iterdir()] == ["a.sqlite"]


@pytest.mark.parametrize("folders", [2, 25])
def test_a_restore_that_was_killed_goes_on(
    job: PlainJob, catalog: Catalog, tmp_path: Path, folders: int
) -> None:
    for number in range(8000):
        path = tmp_path / "source" / "many" / f"{number // 100}" / f"{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"file {number}")
    take(job, catalog)
    command = [sys.executable, "-m", "airflow_backup.cli.main", "restore", "wiki"]
    command += ["--repository", job.repository, "--to"]
    target = _killed_in_the_middle(command, tmp_path, folders)
    assert trees.tree_at(target) != trees.tree_at(tmp_path / "source")
    done = subprocess.run([*command, str(target)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert trees.tree_at(target) == trees.tree_at(tmp_path / "source")


def _killed_in_the_middle(command: Sequence[str], place: Path, folders: int) -> Path:
    """Kill a restore when so many folders are there; where a busy machine ends it before we look, another one."""
    for attempt in range(5):
        target = place / f"back-{attempt}"
        child = subprocess.Popen([*command, str(target)], stdout=subprocess.DEVNULL)
        while len(list(target.glob("many/*"))) < folders and child.poll() is None:
            time.sleep(0.001)
        child.kill()
        if child.wait() == -signal.SIGKILL:
            return target
    pytest.fail("each was finished before it could be killed")


def test_the_command_prints_the_plan_and_restores(
    job: PlainJob,
    catalog: Catalog,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    result = take(job, catalog)
    bare = ["restore", "wiki", "--repository", job.repository]
    assert main([*bare, "--to", str(tmp_path / "back"), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert f"full         {result.set_id}" in told
    assert "the target holds nothing: it is made" in told
    assert not (tmp_path / "back").exists()
    assert main([*bare, "--to", str(tmp_path / "source"), "--dry-run", "--format", "json"]) == 1
    assert "is not empty" in json.loads(capsys.readouterr().out)["refused"]
    assert main([*bare, "--to", str(tmp_path / "back"), "--at", "2026-12-01"]) == 0
    assert trees.tree_at(tmp_path / "back") == trees.tree_at(tmp_path / "source")
    assert main([*bare, "--to", "connection:there"]) == 1
    assert "the files engine restores into folders only" in capsys.readouterr().err


def test_a_damaged_manifest_costs_no_earlier_set(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    first = take(job, catalog, run=run_number(1))
    second = take(job, catalog, run=run_number(2))
    path = tmp_path / "repository/wiki/sets" / second.set_id / "manifest.json"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:100])
    found = planned(job, tmp_path / "back", at=START + timedelta(days=9))
    assert [each.manifest.set_id for each in found.chain] == [first.set_id]
    assert found.gaps == (f"'wiki/sets/{second.set_id}/manifest.json' is not JSON",)
