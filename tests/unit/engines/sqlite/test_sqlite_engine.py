"""SQLite databases that are locked, damaged, out of reach, or named by a connection."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import ConfigError, ScratchFull, SourceLocked, VerifyError
from airflow_backup.core.words import Kind
from airflow_backup.engines.protocol import EngineContext, Stream
from airflow_backup.engines.sqlite import open as sqlite_open
from airflow_backup.engines.sqlite.engine import SqliteEngine
from airflow_backup.engines.sqlite.options import SqliteOptions


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "orders.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 2000)
        connection.commit()
    return path


def test_a_database_that_another_holds_is_locked_and_worth_a_retry(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_open, "LOCK_TIMEOUT", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        problems = SqliteEngine().check(
            SqliteOptions(engine="sqlite", path=str(path)), EngineContext()
        )
    assert [type(problem) for problem in problems] == [SourceLocked]
    assert problems[0].failure_class.retryable


@pytest.mark.parametrize("host", [True, False], ids=["in the host", "in the schema"])
def test_the_path_may_come_from_a_connection(path: Path, host: bool) -> None:
    found = (
        Connection("orders", host=str(path))
        if host
        else Connection("orders", schema=str(path).lstrip("/"))
    )
    source = SqliteOptions(engine="sqlite", connection="orders")
    assert SqliteEngine().check(source, EngineContext(connections=lambda _: found)) == []


def test_a_connection_without_a_path_is_named() -> None:
    source = SqliteOptions(engine="sqlite", connection="orders")
    context = EngineContext(connections=lambda _: Connection("orders"))
    problems = SqliteEngine().check(source, context)
    assert [type(problem) for problem in problems] == [ConfigError]
    assert "connection 'orders' does not name a database file" in problems[0].message


def test_a_damaged_source_is_no_set(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 * 5 : 4096 * 5 + 100] = os.urandom(100)
    path.write_bytes(data)
    with pytest.raises(VerifyError, match=r"the copy of '.*' is damaged"):
        SqliteEngine().dump(
            SqliteOptions(engine="sqlite", path=str(path)),
            EngineContext(),
            kind=Kind.FULL,
            parent=None,
            sink=NoSink(),
        )


class NoSink:
    """Nothing may be stored."""

    def stream(self, name: str, *, is_index: bool = False) -> AbstractContextManager[Stream]:
        raise AssertionError(name)


def test_a_copy_that_has_no_room_says_how_much_it_needs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
    with pytest.raises(ScratchFull, match=r"a temporary copy needs 1\.\d MB, and '.*' has 1.0 kB"):
        SqliteEngine().dump(
            SqliteOptions(engine="sqlite", path=str(path)),
            EngineContext(),
            kind=Kind.FULL,
            parent=None,
            sink=NoSink(),
        )


_AS_NOBODY = """
import os, sys
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.sqlite.engine import SqliteEngine
from airflow_backup.engines.sqlite.options import SqliteOptions
source = SqliteOptions(engine="sqlite", path=sys.argv[1])
os.setgid(65534)
os.setuid(65534)
print(SqliteEngine().check(source, EngineContext())[0])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which only root may")
def test_a_database_in_a_folder_that_may_not_be_written_says_what_it_needs(tmp_path: Path) -> None:
    folder = Path("/tmp") / f"backup-test-{os.getpid()}"
    folder.mkdir(mode=0o755)
    path = folder / "orders.sqlite"
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE t (a)")
        told = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY, str(path)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    finally:
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()
    assert "reading in WAL mode needs to write beside it" in told
