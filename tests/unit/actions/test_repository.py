"""A repository is made once, knowingly: a disk that is not mounted is not a new one, and nothing is forgotten."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.maintain.prune import prune
from airflow_backup.actions.maintain.sync import sync
from airflow_backup.actions.sets.repository import MARKER_NAME, StillThere, read_marker
from airflow_backup.catalog import Catalog
from airflow_backup.cli.main import main
from airflow_backup.core.classify import classify
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import RepositoryMissing, StorageError, VerifyError
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.engines.files.engine import FilesEngine
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.schedules.model.policies import Retention
from airflow_backup.storage.folder import FolderStorage
from support.stored.sets import PlainJob, run_number, take


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def job(tmp_path: Path) -> PlainJob:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_bytes(b"x")
    source = FilesOptions(engine="files", path=str(tmp_path / "source"))
    return PlainJob(source, f"file://{tmp_path}/repository", retention=Retention(last=1))


def unmount(tmp_path: Path, how: str) -> Path:
    """Take the repository's disk away; return where it is now."""
    (tmp_path / "repository").rename(tmp_path / "unmounted")
    if how != "no folder":
        (tmp_path / "repository").mkdir()
    if how == "another disk":
        marker = {"format_version": 1, "id": "0" * 32}
        (tmp_path / "repository" / MARKER_NAME).write_text(json.dumps(marker))
    if how == "another disk of before":
        (tmp_path / "repository" / "other" / "sets").mkdir(parents=True)
    return tmp_path / "unmounted"


HOW = ["no folder", "an empty folder", "another disk", "another disk of before"]


@pytest.mark.parametrize("how", HOW)
def test_a_run_without_its_repository_fails_as_not_found_and_makes_nothing(
    job: PlainJob, catalog: Catalog, tmp_path: Path, how: str
) -> None:
    take(job, catalog, run=run_number(1))
    unmount(tmp_path, how)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RepositoryMissing, match=r"the repository .* is not there") as caught:
        take(job, catalog, run=run_number(2))
    assert classify(caught.value) is FailureClass.NOT_FOUND
    assert sorted(tmp_path.rglob("*")) == before
    assert catalog.executions.last()["wiki"].failure_class == "not_found"


@pytest.mark.parametrize("how", HOW)
def test_sync_and_prune_forget_nothing_of_a_repository_that_is_not_there(
    job: PlainJob, catalog: Catalog, tmp_path: Path, how: str
) -> None:
    for number in (1, 2, 3):
        take(job, catalog, run=run_number(number))
    there = unmount(tmp_path, how)
    storage = FolderStorage(tmp_path / "repository")
    with pytest.raises(RepositoryMissing):
        sync(storage, job.repository, catalog)
    with pytest.raises(RepositoryMissing):
        cut(job, catalog)
    assert len(catalog.sets.of("wiki")) == 3
    shutil.rmtree(tmp_path / "repository", ignore_errors=True)
    there.rename(tmp_path / "repository")
    assert sync(storage, job.repository, catalog).lost == 0
    assert len(cut(job, catalog).removed) == 2


def cut(job: PlainJob, catalog: Catalog) -> Any:
    return prune(
        job,
        catalog=catalog,
        connections=from_environment,
        clock=lambda: datetime(2026, 6, 1, tzinfo=UTC),
        actor="a test",
    )


def test_a_disk_that_goes_while_a_run_is_at_work_leaves_no_set_on_the_root_disk(
    job: PlainJob, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(job, catalog, run=run_number(1))
    dump = FilesEngine.dump

    def unmounting(self: FilesEngine, *given: Any, **named: Any) -> Any:
        unmount(tmp_path, "an empty folder")
        return dump(self, *given, **named)

    monkeypatch.setattr(FilesEngine, "dump", unmounting)
    with pytest.raises(RepositoryMissing, match="it was there when the run began"):
        take(job, catalog, run=run_number(2))
    assert not list((tmp_path / "repository").rglob("manifest.json"))


@pytest.mark.parametrize("how", HOW)
def test_a_disk_that_goes_when_all_is_written_is_missed_and_nothing_is_made_in_its_place(
    job: PlainJob, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    take(job, catalog, run=run_number(1))
    dump = FilesEngine.dump
    left: list[Path] = []

    def unmounting(self: FilesEngine, *given: Any, **named: Any) -> Any:
        report = dump(self, *given, **named)
        unmount(tmp_path, how)
        left.extend(sorted(tmp_path.rglob("*")))
        return report

    monkeypatch.setattr(FilesEngine, "dump", unmounting)
    with pytest.raises(RepositoryMissing, match="it was there when the run began"):
        take(job, catalog, run=run_number(2))
    assert sorted(tmp_path.rglob("*")) == left


def test_a_folder_that_is_gone_in_the_middle_is_not_made_again(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "repository")
    storage.put("a/first", b"x")
    (tmp_path / "repository").rename(tmp_path / "unmounted")
    with pytest.raises(StorageError, match="is the disk mounted"):
        storage.put("a/second", b"x")
    assert not (tmp_path / "repository").exists()


def test_a_long_run_looks_now_and_then_whether_its_repository_is_still_there(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    take(job, catalog, run=run_number(1))
    storage, now = FolderStorage(tmp_path / "repository"), [0.0]
    marker = read_marker(storage)
    look = StillThere(storage, marker, every=10, monotonic=lambda: now[0])
    unmount(tmp_path, "an empty folder")
    now[0] = 9.0
    look()
    now[0] = 11.0
    with pytest.raises(RepositoryMissing):
        look()


def test_a_disk_that_goes_during_sync_or_prune_costs_no_memory_of_its_sets(
    job: PlainJob, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        take(job, catalog, run=run_number(number))
    known = {row.set_id for row in catalog.sets.of("wiki")}
    folders, delete = FolderStorage.folders, FolderStorage.delete

    def vanish() -> None:
        if not (tmp_path / "unmounted").exists():
            unmount(tmp_path, "an empty folder")

    def listed(self: FolderStorage, prefix: str = "") -> Iterator[str]:
        vanish()
        return folders(self, prefix)

    def deleted(self: FolderStorage, name: str) -> None:
        vanish()
        delete(self, name)

    storage = FolderStorage(tmp_path / "repository")
    monkeypatch.setattr(FolderStorage, "folders", listed)
    with pytest.raises(RepositoryMissing):
        sync(storage, job.repository, catalog)
    assert {row.set_id for row in catalog.sets.of("wiki")} == known
    assert catalog.sets.lost("wiki") == []
    shutil.rmtree(tmp_path / "repository")
    (tmp_path / "unmounted").rename(tmp_path / "repository")
    monkeypatch.setattr(FolderStorage, "folders", folders)
    monkeypatch.setattr(FolderStorage, "delete", deleted)
    with pytest.raises(RepositoryMissing):
        prune(
            job,
            catalog=catalog,
            connections=from_environment,
            clock=lambda: datetime.now(UTC),
            actor="ann",
        )
    assert {row.set_id for row in catalog.sets.of("wiki")} == known


def test_the_first_run_of_another_schedule_knows_the_repository_too(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    take(job, catalog, run=run_number(1))
    unmount(tmp_path, "an empty folder")
    with pytest.raises(RepositoryMissing):
        take(replace(job, id="another"), catalog, run=run_number(1))


def test_a_repository_of_before_markers_gets_one(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    take(job, catalog, run=run_number(1))
    (tmp_path / "repository" / MARKER_NAME).unlink()
    with catalog._database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM repositories")
    sync(FolderStorage(tmp_path / "repository"), job.repository, catalog)
    take(job, catalog, run=run_number(2))
    assert (tmp_path / "repository" / MARKER_NAME).exists()


def test_a_catalog_that_was_lost_takes_over_what_is_there(job: PlainJob, catalog: Catalog) -> None:
    take(job, catalog, run=run_number(1))
    with Catalog.open("sqlite://") as fresh:
        take(job, fresh, run=run_number(2))
        fresh.repositories.record(job.repository, "1" * 32)
        with pytest.raises(RepositoryMissing, match="its id is"):
            take(job, fresh, run=run_number(3))


def test_a_marker_that_is_none_is_not_overwritten(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    take(job, catalog, run=run_number(1))
    (tmp_path / "repository" / MARKER_NAME).chmod(0o600)
    (tmp_path / "repository" / MARKER_NAME).write_text("{}")
    with pytest.raises(VerifyError, match="is not the marker of a repository"):
        take(job, catalog, run=run_number(2))


def test_init_says_that_what_is_there_now_is_what_is_meant(
    job: PlainJob, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/catalog.db"
    command = ["init", "--repository", job.repository, "--catalog", url]
    assert main(command) == 0
    assert ": made, " in capsys.readouterr().out
    with Catalog.open(url) as catalog:
        take(job, catalog, run=run_number(1))
        shutil.rmtree(tmp_path / "repository")
        with pytest.raises(RepositoryMissing):
            take(job, catalog, run=run_number(2))
    assert main(command) == 0
    with Catalog.open(url) as catalog:
        take(job, catalog, run=run_number(2))
