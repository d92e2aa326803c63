"""A dump while tables are rewritten, truncated and dropped under it, and servers that die in the middle."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.actions.sets.stored_set import StoredSet, open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import BackupError, EngineError
from airflow_backup.engines.postgres import dump as postgres_logical
from airflow_backup.engines.postgres.client.server import Server
from airflow_backup.engines.postgres.engine import PostgresEngine
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.storage.open import open_storage
from contract.postgres.test_postgres import schedule
from support.servers.postgres import Postgres, postgres

pytestmark = pytest.mark.service


@pytest.fixture
def server() -> Iterator[Postgres]:
    with postgres(settings={"max_wal_size": "2MB", "min_wal_size": "2MB"}) as running:
        running.query("postgres", "CREATE DATABASE shop")
        yield running


def take(folder: Path, server: Postgres, run: str = "r1", **source: object) -> StoredSet:
    item = schedule(folder, server, **source)
    now = datetime.now(UTC)
    with Catalog.open(f"sqlite:///{folder}/catalog.db") as catalog:
        result = backup(
            item,
            Run(run, now),
            catalog=catalog,
            connections=lambda name: server.connection("shop"),
            clock=lambda: now,
        )
    return open_chain(open_storage(item.repository), Trust(item.id), result.set_id)[-1]


@pytest.mark.parametrize(
    "change", ["ALTER TABLE kept ALTER n TYPE bigint", "CLUSTER kept USING i", "VACUUM FULL kept"]
)
def test_a_table_that_is_rewritten_as_the_dump_begins_is_not_dumped_empty(
    server: Postgres, tmp_path: Path, change: str
) -> None:
    server.query("shop", "CREATE TABLE kept AS SELECT g AS n FROM generate_series(1, 1000) g")
    server.query("shop", "CREATE INDEX i ON kept (n)")
    begin = (
        "SELECT 1"
        if change.startswith("VACUUM")
        else f"BEGIN; {change}; SELECT pg_sleep(2); COMMIT"
    )
    other = threading.Thread(target=server.query, args=("shop", begin))
    other.start()
    time.sleep(0.7)
    reader = take(tmp_path, server)
    other.join()
    assert reader.manifest.counts == {"public.kept": 1000}
    context = EngineContext(connections=lambda name: server.connection("back"))
    PostgresEngine().load([reader], context, connection="pg")
    assert server.query("back", "SELECT count(*) FROM kept") == "1000"


def test_tables_that_come_and_go_fail_no_dump_or_leave_no_set(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_logical, "LOCK_WAIT", "1s")
    server.query("shop", "CREATE TABLE kept AS SELECT g AS n FROM generate_series(1, 1000) g")
    ended = threading.Event()

    def change() -> None:
        while not ended.is_set():
            server.query(
                "shop",
                "SET client_min_messages = error; CREATE TABLE a (n int); CREATE TABLE b AS SELECT 1 AS x;"
                "CREATE SCHEMA s; CREATE TABLE s.t (n int)",
            )
            server.query(
                "shop", "SET client_min_messages = error; DROP TABLE a, b; DROP SCHEMA s CASCADE"
            )

    other = threading.Thread(target=change)
    other.start()
    completed = 0
    try:
        for number in range(8):
            folder = tmp_path / str(number)
            folder.mkdir()
            try:
                reader = take(folder, server)
            except BackupError:
                assert not list(folder.rglob("manifest.json"))
                continue
            completed += 1
            report = PostgresEngine().try_restore([reader], EngineContext())
            assert report.inconclusive is None
            assert report.counts == reader.manifest.counts
    finally:
        ended.set()
        other.join()
    assert completed


def _take_again_and_again(folder: Path, server: Postgres, method: str) -> None:
    for number in range(20):
        take(folder, server, f"r{number}", method=method)
        for found in folder.rglob("manifest.json"):
            found.unlink()


@pytest.mark.parametrize("method", ["logical", "physical"])
def test_a_server_that_dies_in_the_middle_leaves_no_set_and_the_next_run_takes_one(
    server: Postgres, tmp_path: Path, method: str
) -> None:
    server.query(
        "shop",
        "CREATE TABLE kept AS SELECT g AS n, repeat('x', 500) FROM generate_series(1, 300000) g",
    )
    pid = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    killer = threading.Timer(0.9, os.kill, args=(pid, signal.SIGQUIT))  # an immediate shutdown
    killer.start()
    with pytest.raises(BackupError):
        _take_again_and_again(tmp_path, server, method)
    assert not list(tmp_path.rglob("manifest.json"))
    killer.join()


def _knock(port: int) -> int:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port))


def test_a_count_is_given_up_also_when_the_server_is_gone(server: Postgres) -> None:
    given = PostgresOptions(engine="postgres", connection="pg")
    pid = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    opened = Server.of(given, lambda name: server.connection("shop"))

    def ask_the_dead() -> None:
        with opened.snapshot() as snapshot:
            os.kill(pid, signal.SIGQUIT)
            while _knock(server.port) != errno.ECONNREFUSED:
                time.sleep(0.01)
            snapshot.cancel()
            snapshot.connection.execute("SELECT 1")

    with pytest.raises(EngineError, match="PostgreSQL refuses"):
        ask_the_dead()


def test_a_busy_server_with_little_wal_is_copied_whole(server: Postgres, tmp_path: Path) -> None:
    server.query(
        "shop",
        "CREATE TABLE kept AS SELECT g AS n, repeat('x', 900) FROM generate_series(1, 150000) g",
    )
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            server.query("shop", "UPDATE kept SET n = n + 1 WHERE n % 5 = 0; CHECKPOINT")

    threads = [threading.Thread(target=write) for _ in range(2)]
    for each in threads:
        each.start()
    try:
        reader = take(tmp_path, server, method="physical")
    finally:
        ended.set()
        for each in threads:
            each.join()
    report = PostgresEngine().try_restore([reader], EngineContext())
    assert report.inconclusive is None
    assert report.counts["shop: public.kept"] == 150_000
    assert server.query("shop", "SELECT count(*) FROM pg_replication_slots") == "0"
