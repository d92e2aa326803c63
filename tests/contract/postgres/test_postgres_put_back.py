"""A PostgreSQL server whose data folder was put back: nothing is built upon what it does not remember."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import BackupResult
from airflow_backup.actions.sets.stored_set import open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.core.connections import Connection
from airflow_backup.core.words import Kind
from airflow_backup.engines.postgres.engine import PostgresEngine
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.storage.open import open_storage
from contract.postgres.test_postgres_chain import Keeper
from support.servers.postgres import Machine, Postgres, machine, postgres, require

pytestmark = pytest.mark.service

SETTINGS = {"summarize_wal": "on"}


@pytest.fixture
def modern() -> Iterator[Machine]:
    found = require("18")
    with machine(found=found) as place:
        yield place


@pytest.fixture
def place() -> Iterator[Machine]:
    require()
    with machine() as made:
        yield made


def restored(keeper: Keeper, result: BackupResult, target: Path, *queries: str) -> list[str]:
    """Start a server on what a set restores to, and ask it."""
    chain = open_chain(open_storage(keeper.schedule.repository), Trust("bank"), result.set_id)
    report = PostgresEngine().try_restore(chain, EngineContext())
    assert report.inconclusive is None
    last = chain[-1].manifest
    until = last.consistent_at if last.kind is Kind.ARCHIVE_LOG else None
    PostgresEngine().restore(chain, target, EngineContext(), until=until)
    with postgres(data=target, found=keeper.bank.programs) as back:
        for _ in range(100):
            if back.query("bank", "SELECT pg_is_in_recovery()") == "f":
                break
            time.sleep(0.1)
        return [back.query("bank", query) for query in queries]


def test_an_incremental_is_not_built_upon_a_time_that_was_taken_back(
    modern: Machine, tmp_path: Path
) -> None:
    with modern.up(SETTINGS) as server:
        server.query("postgres", "CREATE DATABASE bank")
        for table in ("t", "u"):
            server.query(
                "bank",
                f"CREATE TABLE {table} AS SELECT n, repeat('a', 100) AS v FROM generate_series(1, 9000) n",
            )
    modern.save(tmp_path / "saved")
    with modern.up(SETTINGS) as server:
        keeper = Keeper(tmp_path, server)
        server.query("bank", "UPDATE t SET v = repeat('b', 100)")
        keeper.take(Kind.FULL)
        server.query("bank", "UPDATE u SET v = repeat('b', 100)")
        again = keeper.take(Kind.INCREMENTAL)
        assert (again.kind, again.reason) == (Kind.INCREMENTAL, None)
    with modern.up(SETTINGS) as server:  # a restart alone changes nothing
        again = keeper.take(Kind.INCREMENTAL)
        assert (again.kind, again.reason) == (Kind.INCREMENTAL, None)
    modern.put_back(tmp_path / "saved")
    with modern.up(SETTINGS) as server:
        for letter in "cdef":  # the WAL goes past where it was
            server.query("bank", f"UPDATE u SET v = repeat('{letter}', 100)")
            server.query("bank", "CHECKPOINT")
        result = keeper.take(Kind.INCREMENTAL)
        assert result.kind is Kind.FULL
        assert "was its data folder put back?" in str(result.reason)
        queries = [f"SELECT left(v, 1), count(*) FROM {table} GROUP BY 1" for table in ("t", "u")]
        assert restored(keeper, result, tmp_path / "back", *queries) == ["a|9000", "f|9000"]


@pytest.mark.parametrize(
    ("wal", "may_switch"), [("slot", True), ("slot", False), ("archive", True)]
)
def test_a_log_does_not_go_on_after_a_time_that_was_taken_back(
    place: Machine, tmp_path: Path, wal: str, may_switch: bool
) -> None:
    archive = place.folder / "archive"
    archive.mkdir()
    shutil.chown(archive, (place.folder / "data").owner())
    settings = {"archive_mode": "on", "archive_command": f"cp %p {archive}/%f"}
    source: dict[str, Any] = {"wal": "slot"} if wal == "slot" else {"wal": wal, "archive": archive}
    source = {key: str(value) for key, value in source.items()}
    role = "keeper" if may_switch else "humble"

    def insert(server: Postgres, number: int) -> None:
        server.query("bank", f"INSERT INTO t VALUES ({number})")

    class Humble(Keeper):
        def connections(self, name: str) -> Connection:
            return self.bank.connection(
                "bank", login=role, password="x" if not may_switch else None
            )

    kept = Keeper if may_switch else Humble
    with place.up(settings) as server:
        server.query("postgres", "CREATE DATABASE bank")
        server.query("bank", "CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
        server.query("bank", "CREATE ROLE humble LOGIN REPLICATION PASSWORD 'x'")
        keeper = kept(tmp_path, server, **source)
        keeper.take(Kind.FULL)
        insert(server, 2)
        first = keeper.take(Kind.ARCHIVE_LOG)
        assert (first.kind, first.reason) == (Kind.ARCHIVE_LOG, None)
    place.save(tmp_path / "saved")
    with place.up(settings) as server:  # a restart alone changes nothing
        insert(server, 3)
        second = keeper.take(Kind.ARCHIVE_LOG)
        assert (second.kind, second.reason) == (Kind.ARCHIVE_LOG, None)
        rows = "SELECT string_agg(n::text, ',' ORDER BY n) FROM t"
        assert restored(keeper, second, tmp_path / "second", rows) == ["1,2,3"]
    place.put_back(tmp_path / "saved")
    with place.up(settings) as server:
        for number in range(10, 16):
            insert(server, number)
            server.query("bank", "SELECT pg_switch_wal()")
        third = keeper.take(Kind.ARCHIVE_LOG)
        assert third.kind is Kind.FULL
        assert "a data folder that was put back" in str(third.reason)
        insert(server, 20)
        fourth = keeper.take(Kind.ARCHIVE_LOG)
        assert (fourth.kind, fourth.reason) == (Kind.ARCHIVE_LOG, None)
        assert restored(keeper, fourth, tmp_path / "back", rows) == ["1,2,10,11,12,13,14,15,20"]


def test_a_log_is_not_built_upon_a_full_set_of_before_a_restart(
    place: Machine, tmp_path: Path
) -> None:
    with place.up() as server:
        server.query("postgres", "CREATE DATABASE bank")
        keeper = Keeper(tmp_path, server, wal="slot")
        keeper.take(Kind.FULL)
    with place.up():
        result = keeper.take(Kind.ARCHIVE_LOG)
        assert result.kind is Kind.FULL
        assert "was started anew" in str(result.reason)


def test_a_restored_server_goes_on_in_a_timeline_of_its_own(place: Machine, tmp_path: Path) -> None:
    with place.up() as server:
        server.query("postgres", "CREATE DATABASE bank")
        server.query("bank", "CREATE TABLE t AS SELECT 1 AS n")
        keeper = Keeper(tmp_path, server)
        full = keeper.take(Kind.FULL)
        timeline = "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)"
        assert server.query("bank", timeline) == "00000001"
        found = restored(keeper, full, tmp_path / "back", timeline, "SELECT count(*) FROM t")
        assert found == ["00000002", "1"]


def test_unlogged_tables_are_told_of(place: Machine, tmp_path: Path) -> None:
    with place.up() as server:
        server.query("postgres", "CREATE DATABASE bank")
        keeper = Keeper(tmp_path, server)
        assert keeper.take(Kind.FULL).warnings == ()
        server.query("bank", "CREATE UNLOGGED TABLE t AS SELECT 1 AS n")
        (warning,) = keeper.take(Kind.FULL).warnings
        assert warning.startswith("the rows of unlogged tables are in no physical set")
