"""Which set an incremental builds upon, and when a run takes a full one instead, and says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.parent import choose_parent, newest_log
from airflow_backup.actions.backup.result import Run
from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import ConfigError, SourceError
from airflow_backup.core.format.manifest import ReadBy
from airflow_backup.core.words import ExecutionStatus, Kind
from airflow_backup.core.worker import Worker
from airflow_backup.engines.files.engine import FilesEngine
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.sqlite.options import SqliteOptions
from airflow_backup.storage.open import open_storage
from support.stored.sets import Clock, PlainJob, run_number, stored, take

INCREMENTAL, DIFFERENTIAL = Kind.INCREMENTAL, Kind.DIFFERENTIAL


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def job(tmp_path: Path) -> PlainJob:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_bytes(b"first")
    return job_of(tmp_path)


def job_of(tmp_path: Path, **options: object) -> PlainJob:
    source = FilesOptions.model_validate(
        {"engine": "files", "path": str(tmp_path / "source"), **options}
    )
    return PlainJob(source, f"file://{tmp_path}/repository")


def test_an_incremental_builds_upon_the_last_set_and_a_differential_upon_the_last_full(
    job: PlainJob, catalog: Catalog
) -> None:
    kinds = [Kind.FULL, INCREMENTAL, DIFFERENTIAL, INCREMENTAL, Kind.FULL, DIFFERENTIAL]
    results = [
        take(job, catalog, run=run_number(number), kind=kind) for number, kind in enumerate(kinds)
    ]
    ids = [result.set_id for result in results]
    assert [result.parent for result in results] == [
        None,
        ids[0],
        ids[0],
        ids[2],
        None,
        ids[4],
    ]
    bases = [stored(job, result).manifest.base for result in results]
    assert bases == [None, ids[0], ids[0], ids[0], None, ids[4]]
    rows = {row.set_id: row for row in catalog.sets.of("wiki")}
    assert [rows[each].parent for each in ids] == [result.parent for result in results]


def test_the_first_incremental_is_a_full_set_and_says_so(job: PlainJob, catalog: Catalog) -> None:
    result = take(job, catalog, kind=INCREMENTAL)
    assert (result.kind, result.parent) == (Kind.FULL, None)
    assert result.reason == "full instead of incremental: there is no set yet"
    execution = catalog.executions.last()["wiki"]
    assert execution.status is ExecutionStatus.COMPLETED
    assert (execution.kind, execution.reason) == (Kind.FULL, result.reason)
    assert execution.warnings == 0


def folder_of(tmp_path: Path, set_id: str) -> Path:
    return tmp_path / "repository" / "wiki" / "sets" / set_id


Damage = Callable[[Path, Catalog, str, str], None]


def lose_a_piece_of_the_full(folder: Path, catalog: Catalog, full: str, last: str) -> None:
    next(folder_of(folder, full).glob("files.tar*")).unlink()


def lose_the_parent(folder: Path, catalog: Catalog, full: str, last: str) -> None:
    (folder_of(folder, last) / "manifest.json").unlink()


def change_a_manifest(folder: Path, catalog: Catalog, full: str, last: str) -> None:
    manifest = folder_of(folder, last) / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"attempt":1', '"attempt":2'))


def damage_the_index(folder: Path, catalog: Catalog, full: str, last: str) -> None:
    index = next(folder_of(folder, last).glob("index*"))
    index.write_bytes(bytes(index.stat().st_size))


def quarantine_the_last(folder: Path, catalog: Catalog, full: str, last: str) -> None:
    catalog.sets.mark(last, "quarantined")


def quarantine_the_full(folder: Path, catalog: Catalog, full: str, last: str) -> None:
    catalog.sets.mark(full, "quarantined")


def forget_the_full(folder: Path, catalog: Catalog, full: str, last: str) -> None:
    catalog.sets.forget(full)


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a piece is lost": (lose_a_piece_of_the_full, "has lost its piece 'files.tar.000000."),
    "the parent is gone": (lose_the_parent, "is not stored any more"),
    "a manifest was changed": (change_a_manifest, "is not the one that the catalog knows"),
    "the index is damaged": (damage_the_index, "is damaged at bytes 0 to"),
    "the last is quarantined": (quarantine_the_last, "is quarantined"),
    "the full is quarantined": (quarantine_the_full, "is quarantined"),
    "the full is unknown": (forget_the_full, "has lost its parent"),
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES)
def test_a_chain_that_is_broken_is_not_built_upon(
    job: PlainJob, catalog: Catalog, tmp_path: Path, damage: Damage, reason: str
) -> None:
    full = take(job, catalog, run=run_number(1))
    last = take(job, catalog, run=run_number(2), kind=INCREMENTAL)
    damage(tmp_path, catalog, full.set_id, last.set_id)
    (tmp_path / "source" / "a").write_bytes(b"third")
    result = take(job, catalog, run=run_number(3), kind=INCREMENTAL)
    assert result.kind is Kind.FULL
    assert result.reason is not None
    assert result.reason.startswith("full instead of incremental: ")
    assert reason in result.reason
    restore(
        Trust("wiki"),
        repository=job.repository,
        target=tmp_path / "x",
        connections=from_environment,
        clock=Clock(),
    )
    assert (tmp_path / "x" / "a").read_bytes() == b"third"
    following = take(job, catalog, run=run_number(4), kind=INCREMENTAL)
    assert (following.kind, following.parent) == (INCREMENTAL, result.set_id)


def test_options_that_changed_take_a_full_set(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    take(job, catalog, run=run_number(1))
    result = take(job_of(tmp_path, exclude=["*.tmp"]), catalog, run=run_number(2), kind=INCREMENTAL)
    assert result.kind is Kind.FULL
    assert "the source's options changed since set" in str(result.reason)


def test_another_repository_takes_a_full_set(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    take(job, catalog, run=run_number(1))
    moved = PlainJob(job.source, f"file://{tmp_path}/elsewhere")
    result = take(moved, catalog, run=run_number(2), kind=INCREMENTAL)
    assert result.kind is Kind.FULL
    assert "lies in another repository" in str(result.reason)


def test_another_engine_takes_a_full_set(job: PlainJob, catalog: Catalog, tmp_path: Path) -> None:
    import sqlite3

    take(job, catalog, run=run_number(1))
    path = tmp_path / "a.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (a)")
    connection.close()
    other = PlainJob(SqliteOptions(engine="sqlite", path=str(path)), job.repository)
    result = take(other, catalog, run=run_number(2), kind=INCREMENTAL)
    assert result.kind is Kind.FULL
    assert "'wiki' is backed up by sqlite" in str(result.reason)


def test_one_part_of_a_set_is_restored(job: PlainJob, catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "source" / "b").write_bytes(b"b")
    take(job, catalog, run=run_number(1))
    restore(
        Trust("wiki"),
        repository=job.repository,
        target=tmp_path / "x",
        connections=from_environment,
        clock=Clock(),
        only=["b"],
    )
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["b"]


def on(host: str, number: int, **more: Any) -> Run:
    """The n-th run, on a machine."""
    return replace(run_number(number), worker=Worker(host, "nas", "CeleryExecutor", **more))


def test_an_incremental_never_builds_upon_a_set_of_another_host(
    job: PlainJob, catalog: Catalog
) -> None:
    first = take(job, catalog, run=on("nas1", 1))
    assert take(job, catalog, run=on("nas1", 2), kind=INCREMENTAL).kind is INCREMENTAL
    other = take(job, catalog, run=on("nas2", 3), kind=INCREMENTAL)
    assert (other.kind, other.parent) == (Kind.FULL, None)
    last = catalog.sets.of("wiki")[1].set_id
    assert other.reason == (
        f"full instead of incremental: set '{last}' was read on host 'nas1', and this is 'nas2'"
    )
    worker = stored(job, other).manifest.worker
    assert worker == ReadBy(host="nas2", queue="nas", executor="CeleryExecutor")
    assert [row.host for row in catalog.sets.of("wiki")] == ["nas2", "nas1", "nas1"]
    execution = catalog.executions.get("wiki", "run-3")
    assert execution is not None
    (attempt,) = catalog.executions.attempts(execution)
    for row in (execution, attempt):
        assert (row.host, row.queue, row.executor) == ("nas2", "nas", "CeleryExecutor")
    assert first.kind is Kind.FULL


def test_a_path_that_is_the_same_everywhere_has_one_chain(job: PlainJob, catalog: Catalog) -> None:
    shared = replace(job, host="any")
    take(shared, catalog, run=on("nas1", 1))
    assert take(shared, catalog, run=on("nas2", 2), kind=INCREMENTAL).kind is INCREMENTAL


def test_a_pod_whose_name_is_new_each_time_has_one_chain(job: PlainJob, catalog: Catalog) -> None:
    take(job, catalog, run=on("pod-1", 1, is_lasting=False))
    again = take(job, catalog, run=on("pod-2", 2, is_lasting=False), kind=INCREMENTAL)
    assert again.kind is INCREMENTAL


def test_a_set_of_an_earlier_release_that_names_no_host_is_built_upon(
    job: PlainJob, catalog: Catalog
) -> None:
    take(job, catalog, run=run_number(1))
    assert take(job, catalog, run=on("nas1", 2), kind=INCREMENTAL).kind is INCREMENTAL


def test_a_run_on_another_host_than_the_pinned_one_is_refused_and_stores_nothing(
    job: PlainJob, catalog: Catalog
) -> None:
    pinned = replace(job, host="nas1")
    with pytest.raises(
        ConfigError,
        match=r"'wiki' is to be read on host 'nas1', and this is 'nas2' of queue 'nas'",
    ):
        take(pinned, catalog, run=on("nas2", 1))
    assert catalog.sets.of("wiki") == []
    assert not Path(job.repository.removeprefix("file://")).exists()
    assert take(pinned, catalog, run=on("nas1", 1)).kind is Kind.FULL


def test_what_is_missing_is_missing_on_a_host(job: PlainJob, catalog: Catalog) -> None:
    gone = replace(job, source=job.source.model_copy(update={"path": "/not/there"}))
    with pytest.raises(SourceError, match=r"/not/there.*\(on host 'nas2'\)"):
        take(gone, catalog, run=on("nas2", 1))
    assert str(catalog.executions.last()["wiki"].error).endswith("(on host 'nas2')")


def test_a_differential_without_any_full_set_is_a_full_one(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    full = take(job, catalog, run=run_number(1))
    last = take(job, catalog, run=run_number(2), kind=INCREMENTAL)
    forget_the_full(tmp_path, catalog, full.set_id, last.set_id)
    result = take(job, catalog, run=run_number(3), kind=DIFFERENTIAL)
    assert (result.kind, result.reason) == (
        Kind.FULL,
        "full instead of differential: there is no full set",
    )


def test_another_layout_of_an_engine_takes_a_full_set(
    job: PlainJob, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = take(job, catalog, run=run_number(1))
    monkeypatch.setattr(FilesEngine, "version", "999")
    result = take(job, catalog, run=run_number(2), kind=INCREMENTAL)
    assert result.kind is Kind.FULL
    assert f"set '{first.set_id}' has the layout" in str(result.reason)
    assert "this release writes 999" in str(result.reason)


def test_a_parent_that_is_pruned_while_it_is_chosen_is_not_built_upon(
    job: PlainJob, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = take(job, catalog, run=run_number(1))
    monkeypatch.setattr(catalog.sets, "chain", lambda set_id: ())
    result = take(job, catalog, run=run_number(2), kind=INCREMENTAL)
    assert result.kind is Kind.FULL
    assert f"set '{first.set_id}' was removed meanwhile" in str(result.reason)


def test_an_archived_log_continues_the_newest_set_of_any_kind(
    job: PlainJob, catalog: Catalog
) -> None:
    engine, storage = FilesEngine(), open_storage(job.repository)
    choice = choose_parent(job, Kind.ARCHIVE_LOG, engine, storage, catalog)
    assert choice.reason == "full instead of archive_log: there is no set yet"
    take(job, catalog, run=run_number(1))
    last = take(job, catalog, run=run_number(2), kind=INCREMENTAL)
    choice = choose_parent(job, Kind.ARCHIVE_LOG, engine, storage, catalog)
    assert choice.kind is Kind.ARCHIVE_LOG
    assert choice.parent is not None
    assert choice.parent.manifest.set_id == last.set_id


def test_only_a_log_that_is_stored_here_and_whole_is_continued(
    job: PlainJob, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(job.repository)
    assert newest_log(job, storage, catalog) is None
    stored_log = take(job, catalog, run=run_number(1))
    row = catalog.sets.of("wiki")[0]
    monkeypatch.setattr(catalog.sets, "latest_log", lambda schedule_id: row)
    found = newest_log(job, storage, catalog)
    assert found is not None
    assert found.set_id == stored_log.set_id
    moved = PlainJob(job.source, f"file://{tmp_path}/elsewhere")
    assert newest_log(moved, storage, catalog) is None
    lose_the_parent(tmp_path, catalog, "", stored_log.set_id)
    assert newest_log(job, storage, catalog) is None
