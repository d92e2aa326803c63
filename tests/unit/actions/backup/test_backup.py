"""What a backup leaves behind when something fails, and what its retry makes of it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup import backup as backup_module
from airflow_backup.actions.backup.backup import BackupResult, Run, backup
from airflow_backup.actions.backup.control import Control, Limits
from airflow_backup.actions.sets.repository import MARKER_NAME
from airflow_backup.actions.sets.stored_set import open_set
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import (
    BackupError,
    Cancelled,
    CatalogError,
    ConfigError,
    NameTaken,
    SourceError,
    StorageFull,
    StorageUnavailable,
    VerifyError,
)
from airflow_backup.core.format.manifest import MANIFEST_NAME
from airflow_backup.core.progress import Progress
from airflow_backup.core.words import ExecutionStatus, Kind
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.sqlite.options import SqliteOptions
from support.stored.failing_storage import FailingStorage
from support.stored.sets import START, Clock, PlainJob, run_number, stored, take


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def job(tmp_path: Path) -> PlainJob:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(30):
        (source / f"file-{number}").write_bytes(bytes([number]) * 100_000)
    return PlainJob(FilesOptions(engine="files", path=str(source)), f"file://{tmp_path}/repository")


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> FailingStorage:
    """Put a storage that may fail in place of the real one."""
    failing = FailingStorage()
    monkeypatch.setattr(backup_module, "open_storage", lambda *given, **named: failing)
    return failing


def run(job: PlainJob, catalog: Catalog, *, attempt: int = 1) -> BackupResult:
    return take(job, catalog, run=run_number(1, attempt=attempt))


def test_a_backup_is_stored_and_known(job: PlainJob, catalog: Catalog) -> None:
    result = run(job, catalog)
    assert result.status is ExecutionStatus.COMPLETED
    assert result.files == 31
    assert result.bytes_read == 3_000_000
    assert result.as_dict()["set_id"] == result.set_id
    execution = catalog.executions.get("wiki", "run-1")
    assert execution is not None
    assert execution.status is ExecutionStatus.COMPLETED
    assert (execution.set_id, execution.attempts) == (result.set_id, 1)
    assert (execution.files, execution.bytes_read) == (31, 3_000_000)
    assert execution.finished_at is not None
    row = catalog.sets.get(result.set_id)
    assert row is not None
    assert row.bytes_stored == result.bytes_stored
    assert sum(piece.size for piece in catalog.sets.pieces(result.set_id)) == row.bytes_stored
    assert stored(job, result).manifest.run_id == "run-1"


def test_each_manifest_carries_the_hash_of_the_one_before(job: PlainJob, catalog: Catalog) -> None:
    first = take(job, catalog, run=run_number(1))
    second = take(job, catalog, run=run_number(2))
    previous = stored(job, second).manifest.previous
    row = catalog.sets.get(first.set_id)
    assert previous is not None
    assert row is not None
    assert (previous.set_id, previous.hash) == (first.set_id, row.manifest_hash)
    assert stored(job, first).manifest.previous is None


FAILURES = {
    "the first piece is begun": ("create", "files.tar", 1),
    "a piece is written": ("write", "files.tar", 2),
    "a piece is committed": ("commit", "files.tar", 1),
    "the index is committed": ("commit", "index", 1),
    "the manifest is written": ("put", MANIFEST_NAME, 1),
}


def sets_in(storage: FailingStorage) -> list[str]:
    """Return the names of everything but the repository's own marker."""
    return [each.name for each in storage.list() if each.name != MARKER_NAME]


@pytest.mark.parametrize(("operation", "name", "nth"), FAILURES.values(), ids=FAILURES)
def test_a_failure_before_the_manifest_leaves_nothing_and_the_retry_makes_the_set(
    job: PlainJob, catalog: Catalog, storage: FailingStorage, operation: str, name: str, nth: int
) -> None:
    count = 0

    def blow(now: str, where: str) -> None:
        nonlocal count
        if now == operation and name in where:
            count += 1
            if count == nth:
                raise StorageFull("no room left", hint="df -h")

    storage.blow = blow
    with pytest.raises(StorageFull, match="no room left"):
        run(job, catalog)
    assert sets_in(storage) == []
    assert list(storage.leftovers()) == []
    execution = catalog.executions.get("wiki", "run-1")
    assert execution is not None
    assert (execution.status, execution.error) == (ExecutionStatus.FAILED, "no room left")
    assert (execution.hint, execution.failure_class) == ("df -h", "space")
    assert execution.set_id is None
    assert catalog.sets.of("wiki") == []

    result = run(job, catalog, attempt=2)
    execution = catalog.executions.get("wiki", "run-1")
    assert execution is not None
    assert (execution.status, execution.attempts) == (ExecutionStatus.COMPLETED, 2)
    assert execution.error is None
    tries = catalog.executions.attempts(execution)
    assert [each.status for each in tries] == [ExecutionStatus.FAILED, ExecutionStatus.COMPLETED]
    assert manifests(storage) == [f"wiki/sets/{result.set_id}/manifest.json"]


def manifests(storage: FailingStorage) -> list[str]:
    return [each.name for each in storage.list() if each.name.endswith(MANIFEST_NAME)]


LOST = {
    "the answer to the manifest": ("after put", 1),
    "the answer when the manifest is read back": ("read", 2),
    "the answer to everything from the manifest on": ("after put", 10**6),
}


@pytest.mark.parametrize(("operation", "times"), LOST.values(), ids=LOST)
def test_a_lost_answer_leaves_no_manifest_without_its_pieces(
    job: PlainJob, catalog: Catalog, storage: FailingStorage, operation: str, times: int
) -> None:
    left, is_out = times, False

    def blow(now: str, name: str) -> None:
        nonlocal left, is_out
        is_out |= now == "after put" and name.endswith(MANIFEST_NAME)
        is_meant = now == operation or times > 2
        if is_out and is_meant and left and name.endswith(MANIFEST_NAME):
            left -= 1
            raise StorageUnavailable("nobody answers")

    storage.blow = blow
    with contextlib.suppress(StorageUnavailable):
        run(job, catalog)
    assert is_out
    storage.blow = lambda operation, name: None
    for name in manifests(storage):
        set_id = name.split("/")[2]
        assert (
            sum(map(len, open_set(storage, Trust("wiki"), set_id).blocks("files.tar"))) > 3_000_000
        )
    result = run(job, catalog, attempt=2)
    assert (
        sum(map(len, open_set(storage, Trust("wiki"), result.set_id).blocks("files.tar")))
        > 3_000_000
    )


def test_a_manifest_that_is_sent_twice_because_of_a_lost_answer_is_no_other_attempts(
    job: PlainJob, catalog: Catalog, storage: FailingStorage
) -> None:
    def send_again(now: str, name: str) -> None:
        if now == "after put" and name.endswith(MANIFEST_NAME):
            raise NameTaken(f"'{name}' exists already")  # what the service says the second time

    storage.blow = send_again
    result = run(job, catalog)
    assert result.status is ExecutionStatus.COMPLETED
    assert len(sets_in(storage)) == 3


def test_a_cancel_after_the_manifest_takes_it_back_before_its_pieces(
    job: PlainJob, catalog: Catalog, storage: FailingStorage
) -> None:
    removed: list[str] = []

    def blow(now: str, name: str) -> None:
        if now == "after put" and name.endswith(MANIFEST_NAME):
            raise Cancelled("the run was cancelled")
        if now == "delete":
            removed.append(name)

    storage.blow = blow
    with pytest.raises(Cancelled):
        run(job, catalog)
    assert sets_in(storage) == []
    assert removed[0].endswith(MANIFEST_NAME)


def test_what_a_killed_attempt_left_is_removed_by_the_retry(
    job: PlainJob, catalog: Catalog, storage: FailingStorage
) -> None:
    result = run(job, catalog)
    prefix = f"wiki/sets/{result.set_id}/"
    storage.delete(prefix + MANIFEST_NAME)
    left = set(sets_in(storage))
    unfinished = storage.create(prefix + "half")
    unfinished.write(b"half")
    run(job, catalog, attempt=2)
    assert not left & {each.name for each in storage.list()}
    assert list(storage.leftovers()) == []
    assert len(manifests(storage)) == 1


def test_a_set_that_the_catalog_does_not_know_is_adopted_by_the_retry(
    job: PlainJob, catalog: Catalog, storage: FailingStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def fail(*given: object, **named: object) -> None:
            raise CatalogError("the disk is full")

        patch.setattr(catalog.sets, "record", fail)
        with pytest.raises(
            CatalogError, match="is stored, and the catalog does not know it"
        ) as caught:
            run(job, catalog)
    assert caught.value.failure_class.retryable
    before = [each.name for each in storage.list()]
    result = run(job, catalog, attempt=2)
    assert result.adopted
    assert [each.name for each in storage.list()] == before
    assert [row.set_id for row in catalog.sets.of("wiki")] == [result.set_id]


def test_a_second_run_of_the_same_run_adopts_its_set(job: PlainJob, catalog: Catalog) -> None:
    first = run(job, catalog)
    second = run(job, catalog)
    assert (second.set_id, second.adopted) == (first.set_id, True)


def test_an_earlier_attempt_that_lost_its_pieces_takes_its_manifest_back(
    job: PlainJob, catalog: Catalog, storage: FailingStorage
) -> None:
    def lose_a_piece(now: str, name: str) -> None:
        if now == "after put" and name.endswith(MANIFEST_NAME):
            storage.blow = lambda operation, where: None
            storage.delete(next(each.name for each in storage.list() if "files.tar" in each.name))

    storage.blow = lose_a_piece
    with pytest.raises(VerifyError, match="is not as it was written"):
        run(job, catalog)
    assert sets_in(storage) == []


def test_a_manifest_whose_pieces_are_gone_is_not_adopted(
    job: PlainJob, catalog: Catalog, storage: FailingStorage
) -> None:
    run(job, catalog)
    storage.delete(next(each.name for each in storage.list() if "files.tar" in each.name))
    result = run(job, catalog, attempt=2)
    assert not result.adopted
    blocks = open_set(storage, Trust("wiki"), result.set_id).blocks("files.tar")
    assert sum(map(len, blocks)) > 3_000_000


def test_two_attempts_at_once_make_one_set(
    job: PlainJob, catalog: Catalog, storage: FailingStorage
) -> None:
    def overtake(now: str, name: str) -> None:
        if now == "put" and name.endswith(MANIFEST_NAME):
            storage.blow = lambda operation, where: None
            run(job, catalog, attempt=2)

    storage.blow = overtake
    with pytest.raises((VerifyError, StorageUnavailable)):
        run(job, catalog)
    execution = catalog.executions.get("wiki", "run-1")
    assert execution is not None
    assert execution.status is ExecutionStatus.COMPLETED
    assert execution.set_id is not None
    opened = open_set(storage, Trust("wiki"), execution.set_id)
    assert sum(map(len, opened.blocks("files.tar"))) > 3_000_000
    assert len(manifests(storage)) == 1


def test_a_cancelled_run_is_cancelled_and_leaves_nothing(
    job: PlainJob, catalog: Catalog, storage: FailingStorage
) -> None:
    def listen(progress: Progress) -> None:
        if progress.stage == "reading" and progress.bytes_done:
            raise Cancelled("the run was cancelled")

    control = Control(limits=Limits(), clock=Clock(), listener=listen)
    control.reporter.interval = 0
    with pytest.raises(Cancelled):
        backup(
            job,
            run_number(1),
            catalog=catalog,
            connections=from_environment,
            clock=Clock(),
            control=control,
        )
    assert sets_in(storage) == []
    execution = catalog.executions.get("wiki", "run-1")
    assert execution is not None
    assert (execution.status, execution.reason) == (
        ExecutionStatus.CANCELLED,
        "the run was cancelled",
    )


def test_a_bug_in_an_engine_is_a_failed_execution_with_nothing_left(
    job: PlainJob, catalog: Catalog, storage: FailingStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(self: object, entry: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("airflow_backup.engines.files.dump.FilesDump.add", bug)
    with pytest.raises(ZeroDivisionError):
        run(job, catalog)
    assert sets_in(storage) == []
    execution = catalog.executions.get("wiki", "run-1")
    assert execution is not None
    assert (execution.status, execution.error) == (ExecutionStatus.FAILED, "a bug")


def test_a_kind_that_the_engine_does_not_take_is_refused_before_anything_is_read(
    job: PlainJob, catalog: Catalog, storage: FailingStorage
) -> None:
    with pytest.raises(ConfigError, match="the files engine takes no archive_log set"):
        backup(
            job,
            run_number(1),
            catalog=catalog,
            connections=from_environment,
            clock=Clock(),
            kind=Kind.ARCHIVE_LOG,
        )
    assert sets_in(storage) == []


def test_patterns_that_leave_nothing_are_a_failure(catalog: Catalog, job: PlainJob) -> None:
    source = FilesOptions(engine="files", path=job.source.path, include=["*.nothing"])  # type: ignore[attr-defined]
    with pytest.raises(SourceError, match="nothing was read"):
        run(PlainJob(source, job.repository), catalog)


@pytest.mark.parametrize("algorithm", ["sha512", "sha1", "md5", "blake3"])
def test_every_checksum_may_be_chosen(algorithm: str, job: PlainJob, catalog: Catalog) -> None:
    chosen = PlainJob(job.source, job.repository, checksum=algorithm)  # type: ignore[arg-type]
    manifest = stored(chosen, run(chosen, catalog)).manifest
    assert manifest.checksum_algorithm == algorithm
    assert len(manifest.pieces[0].checksum) in (32, 40, 64, 128)


def test_a_repository_that_cannot_be_written_is_named(catalog: Catalog, job: PlainJob) -> None:
    with pytest.raises(BackupError, match="/proc/nowhere"):
        run(PlainJob(job.source, "file:///proc/nowhere"), catalog)


def test_an_sqlite_file_that_is_none_is_a_failure(tmp_path: Path, catalog: Catalog) -> None:
    for name, content in {"empty": b"", "text": b"hello" * 1000}.items():
        path = tmp_path / name
        path.write_bytes(content)
        source = SqliteOptions(engine="sqlite", path=str(path))
        with pytest.raises(SourceError, match="not a database"):
            take(
                PlainJob(source, f"file://{tmp_path}/repository"),
                catalog,
                run=Run(name, START),
            )


def test_the_rows_of_each_table_are_in_the_manifest(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "orders.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute('CREATE TABLE "odd ""name" (a)')
        connection.execute("CREATE TABLE empty (a)")
        connection.executemany('INSERT INTO "odd ""name" VALUES (?)', [(1,)] * 3)
        connection.commit()
    job = PlainJob(SqliteOptions(engine="sqlite", path=str(path)), f"file://{tmp_path}/repository")
    manifest = stored(job, run(job, catalog)).manifest
    assert manifest.counts == {"empty": 0, 'odd "name': 3}
    assert manifest.state == {"file": "orders.sqlite", "page_size": 4096, "pages": 3, "link": 0}


def test_a_clock_that_went_backwards_is_told(job: PlainJob, catalog: Catalog) -> None:
    take(job, catalog, run=run_number(3))
    result = take(job, catalog, run=run_number(1))
    assert result.warnings[0].startswith("the clock says 2026-05-05 02:00:")
    assert "restored by --set" in result.warnings[0]
    assert not take(job, catalog, run=run_number(4)).warnings


def test_a_set_of_another_source_is_never_taken_for_this_ones(tmp_path: Path) -> None:
    """Two tasks of a DAG under one schedule id, say mapped ones: the second has not backed up anything."""
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:

        def take(name: str) -> BackupResult:
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "file").write_text(name)
            source = FilesOptions(engine="files", path=str(tmp_path / name))
            return backup(
                PlainJob(source, f"file://{tmp_path}/repository"),
                Run("run-1", START),
                catalog=catalog,
                connections=from_environment,
                clock=Clock(),
            )

        assert take("one").status is ExecutionStatus.COMPLETED
        assert take("one").adopted
        with pytest.raises(ConfigError, match="of another source"):
            take("two")


def test_a_run_whose_last_answer_was_lost_has_completed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _something(tmp_path)
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        finish = catalog.executions.finish

        def lost(*given: Any, **named: Any) -> Any:
            finish(*given, **named)
            raise CatalogError("the server closed the connection")

        monkeypatch.setattr(catalog.executions, "finish", lost)
        result = backup(
            PlainJob(source, f"file://{tmp_path}/repository"),
            Run("run-1", START),
            catalog=catalog,
            connections=from_environment,
            clock=Clock(),
        )
        assert result.status is ExecutionStatus.COMPLETED
        (row,) = catalog.executions.history("wiki")
        assert (row.status, row.error) == (ExecutionStatus.COMPLETED, None)
        assert [event.action for event in catalog.events.after(0)] == ["started", "completed"]


def test_a_set_that_is_stored_is_not_told_as_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _something(tmp_path)
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        control = Control(limits=Limits(), clock=Clock())

        def away(*given: Any, **named: Any) -> None:
            control.stop(Cancelled("cancelled by ann"))
            raise CatalogError("it does not answer")

        monkeypatch.setattr(catalog.sets, "record", away)
        with pytest.raises(CatalogError, match="is stored, and the catalog does not know it"):
            backup(
                PlainJob(source, f"file://{tmp_path}/repository"),
                Run("run-1", START),
                catalog=catalog,
                connections=from_environment,
                clock=Clock(),
                control=control,
            )
        assert catalog.executions.history("wiki")[0].status is ExecutionStatus.FAILED


def _something(tmp_path: Path) -> FilesOptions:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("hello")
    return FilesOptions(engine="files", path=str(tmp_path / "source"))
