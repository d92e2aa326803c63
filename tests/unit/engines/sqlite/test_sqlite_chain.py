"""What an incremental of an SQLite database stores, and that every link comes back page by page."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_backup.actions.backup.backup import BackupResult
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import ConfigError, EngineError, VerifyError
from airflow_backup.core.words import Kind
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.sqlite import pages as sqlite_pages
from airflow_backup.engines.sqlite.dump import _compare
from airflow_backup.engines.sqlite.engine import SqliteEngine
from airflow_backup.engines.sqlite.options import SqliteOptions
from airflow_backup.engines.sqlite.reader import messages
from support.sources.sqlite_writer import writer_at
from support.stored.sets import PlainJob, chain_of, run_number, stored, take

INCREMENTAL, DIFFERENTIAL = Kind.INCREMENTAL, Kind.DIFFERENTIAL


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.sqlite"


def job_of(path: Path) -> PlainJob:
    source = SqliteOptions(engine="sqlite", path=str(path))
    return PlainJob(source, f"file://{path.parent}/repository")


def fill(path: Path, *, rows: int, page_size: int = 4096, journal: str = "delete") -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA page_size={page_size}")
        connection.execute(f"PRAGMA journal_mode={journal}")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, note BLOB)")
        notes = ((random.randbytes(page_size * 3 // 4),) for _ in range(rows))
        connection.executemany("INSERT INTO t (note) VALUES (?)", notes)
        connection.commit()


def content(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return list(connection.iterdump())


def back(job: PlainJob, result: BackupResult, target: Path) -> Path:
    SqliteEngine().restore(chain_of(job, result), target, EngineContext())
    return target / "orders.sqlite"


STEPS = [
    "UPDATE t SET note = randomblob(3000) WHERE id % 50 = 0",
    "INSERT INTO t (note) SELECT randomblob(3000) FROM t",
    "DELETE FROM t WHERE id % 3 = 0",
    "VACUUM",
    "CREATE INDEX i ON t (note)",
    "DROP INDEX i",
]


@pytest.mark.parametrize("held_open", [False, True], ids=["closed", "held open"])
@pytest.mark.parametrize("journal", ["delete", "wal", "truncate", "memory"])
@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_every_link_is_the_database_of_its_moment(
    path: Path, catalog: Catalog, tmp_path: Path, journal: str, page_size: int, held_open: bool
) -> None:
    fill(path, rows=100, page_size=page_size, journal=journal)
    job = job_of(path)
    moments = []
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        if held_open:  # so that a write-ahead log stays behind
            holder.execute("PRAGMA wal_autocheckpoint=0")
        else:
            holder.close()
        for number, step in enumerate(["SELECT 1", *STEPS]):
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.execute(step).fetchall()
            kind = Kind.FULL if number == 0 else DIFFERENTIAL if number == 3 else INCREMENTAL
            result = take(job, catalog, run=run_number(number), kind=kind)
            assert (result.kind, result.reason) == (kind, None)
            moments.append((result, content(path)))
    for number, (result, expected) in enumerate(moments):
        assert content(back(job, result, tmp_path / f"restored-{number}")) == expected


def test_one_percent_of_the_pages_stores_one_and_a_half_percent(
    path: Path, catalog: Catalog
) -> None:
    fill(path, rows=50_000, journal="wal")
    job = job_of(path)
    take(job, catalog, run=run_number(1))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE t SET note = randomblob(3072) WHERE id % 100 = 0")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    result = take(job, catalog, run=run_number(2), kind=INCREMENTAL)
    assert result.bytes_stored <= 0.015 * path.stat().st_size


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_snapshot_under_a_writer_is_one_moment(
    path: Path, catalog: Catalog, tmp_path: Path, journal: str
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
        connection.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, balance)")
        connection.execute("CREATE TABLE moves (id INTEGER PRIMARY KEY, note)")
        connection.executemany(
            "INSERT INTO account VALUES (?, ?)", ((number, 100) for number in range(1000))
        )
        connection.commit()
    job = job_of(path)
    with writer_at(path):
        take(job, catalog, run=run_number(0))
        results = [
            take(job, catalog, run=run_number(number), kind=INCREMENTAL) for number in range(1, 8)
        ]
    moves = []
    for number, result in enumerate(results):
        restored = back(job, result, tmp_path / f"restored-{number}")
        with closing(sqlite3.connect(restored)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("SELECT sum(balance) FROM account").fetchone() == (100_000,)
            moves.append(connection.execute("SELECT count(*) FROM moves").fetchone()[0])
    assert moves == sorted(set(moves)), "each one has what the one before it had, and more"


def test_a_checkpoint_while_pages_are_read_changes_nothing(
    path: Path, catalog: Catalog, tmp_path: Path
) -> None:
    fill(path, rows=1000, journal="wal")
    job = job_of(path)
    take(job, catalog, run=run_number(1))
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute("UPDATE t SET note = randomblob(3000)")
        writer.execute("PRAGMA wal_checkpoint(PASSIVE)")
        writer.execute("UPDATE t SET note = randomblob(3000) WHERE id % 2")
        result = take(job, catalog, run=run_number(2), kind=INCREMENTAL)
        assert content(back(job, result, tmp_path / "x")) == content(path)
        writer.execute("PRAGMA wal_checkpoint(FULL)")
        again = take(job, catalog, run=run_number(3), kind=INCREMENTAL)
        assert stored(job, again).manifest.state["changed"] == 0
        assert content(back(job, again, tmp_path / "y")) == content(path)


def test_another_page_size_takes_a_full_set_and_says_so(path: Path, catalog: Catalog) -> None:
    fill(path, rows=10)
    job = job_of(path)
    take(job, catalog, run=run_number(1))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size=8192")
        connection.execute("VACUUM")
    result = take(job, catalog, run=run_number(2), kind=INCREMENTAL)
    assert result.kind is Kind.FULL
    assert result.reason == (
        f"full instead of incremental: the page size of '{path}' changed from 4096 to 8192"
    )


def test_pages_that_are_not_those_that_were_read_are_found(
    path: Path, catalog: Catalog, tmp_path: Path
) -> None:
    fill(path, rows=100)
    job = job_of(path)
    result = take(job, catalog, run=run_number(1))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(VerifyError, match="are not those that were read"):
        _compare(stored(job, result), path)


def test_a_database_is_restored_whole(path: Path, catalog: Catalog, tmp_path: Path) -> None:
    fill(path, rows=1)
    job = job_of(path)
    result = take(job, catalog, run=run_number(1))
    with pytest.raises(ConfigError, match="is restored whole"):
        SqliteEngine().restore(
            [stored(job, result)], tmp_path / "x", EngineContext(), only=["orders"]
        )


def test_a_reader_that_ends_in_the_middle_is_a_failure() -> None:
    with pytest.raises(EngineError, match="ended in the middle"):
        list(messages(iter([b"H\0\0\0\2{}", b"T\0\0\0\5ab"])))


def test_the_page_of_the_lock_byte_counts_as_zeros() -> None:
    assert sqlite_pages.LOCK_BYTE == 1 << 30
