"""A set of a standby, what is restored from it, and what happens when the standby takes over."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.sets.stored_set import StoredSet, open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.core.errors import VerifyError
from airflow_backup.core.words import Kind
from airflow_backup.engines.postgres import restore as postgres_restore
from airflow_backup.engines.postgres.client import standby as standbys
from airflow_backup.engines.postgres.engine import PostgresEngine
from airflow_backup.engines.postgres.restore_test import activity
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.storage.open import open_storage
from contract.postgres.test_postgres_chain import Keeper
from support.servers.postgres import PASSWORD, Postgres, postgres, require

pytestmark = pytest.mark.service


@pytest.fixture(scope="module", params=["debian", "18"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Postgres, Postgres]]:
    """A primary with a bank in it, and a standby that follows it."""
    found = require(request.param)
    with (
        postgres(found=found) as primary,
        tempfile.TemporaryDirectory(prefix="backup-standby-", dir="/tmp") as folder,
    ):
        primary.query("postgres", "CREATE DATABASE bank")
        primary.run("pgbench", "-i", "-q", "-s", "1", "bank")
        data = Path(folder) / "data"
        primary.run("pg_basebackup", "-D", str(data), "-R", "--checkpoint=fast")
        with postgres(data=data, found=found) as standby:
            yield primary, standby


def wait_until(server: Postgres, query: str, answer: str) -> None:
    for _ in range(200):
        if server.query("bank", query) == answer:
            return
        time.sleep(0.1)
    raise AssertionError(f"{query} never gives {answer}")


def take(folder: Path, server: Postgres, **source: Any) -> list[StoredSet]:
    folder.mkdir(exist_ok=True)
    keeper = Keeper(folder, server, **source)
    result = keeper.take(Kind.FULL)
    keeper.catalog.close()
    return open_chain(open_storage(keeper.schedule.repository), Trust("bank"), result.set_id)


def test_what_is_restored_from_a_standby_follows_nobody_and_knows_no_password(
    pair: tuple[Postgres, Postgres], tmp_path: Path
) -> None:
    primary, standby = pair
    assert standby.query("bank", "SELECT pg_is_in_recovery()") == "t"
    path = take(tmp_path, standby)
    target = tmp_path / "back"
    report = PostgresEngine().restore(path, target, EngineContext())
    assert any("follows no other server" in each for each in report.warnings)
    assert not (target / "standby.signal").exists()
    for file in target.glob("*.conf"):
        assert PASSWORD.encode() not in file.read_bytes()
        assert str(primary.port).encode() not in file.read_bytes()
    with postgres(data=target, found=primary.programs) as alone:
        wait_until(alone, "SELECT pg_is_in_recovery()", "f")
        assert alone.query("bank", "SELECT count(*) FROM pgbench_accounts") == "100000"
        alone.query("bank", "CREATE TABLE alone (n int)")
        assert alone.query("bank", "SHOW primary_conninfo") == ""
        assert primary.query("bank", "SELECT count(*) FROM pg_stat_replication") == "1"


def test_the_restore_test_of_a_set_of_a_standby_ends(
    pair: tuple[Postgres, Postgres], tmp_path: Path
) -> None:
    path = take(tmp_path, pair[1])
    report = PostgresEngine().try_restore(path, EngineContext())
    assert report.inconclusive is None
    assert report.counts["bank: public.pgbench_accounts"] == 100_000


@pytest.mark.parametrize("method", ["logical", "physical"])
def test_a_standby_that_is_behind_is_told_in_the_set(
    pair: tuple[Postgres, Postgres], method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, standby = pair
    monkeypatch.setattr(standbys, "_LATE", timedelta(0))
    receives = "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'"
    primary.query("bank", f"CREATE TABLE of_{method} (n int)")
    wait_until(standby, f"SELECT count(*) FROM pg_class WHERE relname = 'of_{method}'", "1")
    wait_until(standby, receives, "1")
    wait_until(
        standby, "SELECT latest_end_lsn <= pg_last_wal_replay_lsn() FROM pg_stat_wal_receiver", "t"
    )
    (well,) = take(tmp_path / "well", standby, method=method)
    assert not any("standby" in each for each in well.manifest.warnings), well.manifest.warnings
    standby.query("bank", "SELECT pg_wal_replay_pause()")
    try:
        primary.query("bank", f"DROP TABLE of_{method}")
        wait_until(
            standby,
            "SELECT latest_end_lsn > pg_last_wal_replay_lsn() FROM pg_stat_wal_receiver",
            "t",
        )
        (late,) = take(tmp_path / "late", standby, method=method)
    finally:
        standby.query("bank", "SELECT pg_wal_replay_resume()")
    told = late.manifest.warnings
    assert any("the newest change that it has is of 20" in each for each in told), told


def test_a_standby_holds_the_wal_of_its_copy_and_keeps_a_slot(
    pair: tuple[Postgres, Postgres], tmp_path: Path
) -> None:
    primary, standby = pair
    take(tmp_path, standby, wal="slot", slot="kept")
    try:
        assert standby.query("bank", "SELECT slot_name FROM pg_replication_slots") == "kept"
        assert primary.query("bank", "SELECT count(*) FROM pg_replication_slots") == "0"
    finally:
        standby.query(
            "bank", "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
        )


def test_a_test_server_that_waits_for_something_that_never_comes_is_given_up_with_a_reason(
    pair: tuple[Postgres, Postgres], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = take(tmp_path, pair[1])
    monkeypatch.setattr(postgres_restore, "_stand_alone", lambda target, state: [])
    monkeypatch.setattr(activity, "_STILL", 4.0)
    monkeypatch.setattr(activity, "_LOOK", 1.0)
    begun = time.monotonic()
    report = PostgresEngine().try_restore(path, EngineContext())
    assert report.inconclusive is not None
    assert "has done nothing for 4 seconds and does not answer" in report.inconclusive
    assert time.monotonic() - begun < 60


def test_a_standby_that_takes_over_begins_a_chain_of_its_own(tmp_path: Path) -> None:
    with (
        postgres() as primary,
        tempfile.TemporaryDirectory(prefix="backup-standby-", dir="/tmp") as folder,
    ):
        primary.query("postgres", "CREATE DATABASE bank")
        primary.query("bank", "CREATE TABLE kept (n int)")
        data = Path(folder) / "data"
        primary.run("pg_basebackup", "-D", str(data), "-R", "--checkpoint=fast")
        with postgres(data=data) as standby:
            keeper = Keeper(tmp_path, primary, wal="slot")
            keeper.take(Kind.FULL)
            primary.query("bank", "INSERT INTO kept VALUES (1)")
            first = keeper.take(Kind.ARCHIVE_LOG)
            assert first.reason is None
            wait_until(standby, "SELECT count(*) FROM kept", "1")
            standby.query("bank", "SELECT pg_promote()")
            standby.query("bank", "INSERT INTO kept VALUES (2)")
            keeper.bank = standby
            second = keeper.take(Kind.ARCHIVE_LOG)
            assert second.kind is Kind.FULL
            assert "timeline" in str(second.reason)
            standby.query("bank", "INSERT INTO kept VALUES (3)")
            third = keeper.take(Kind.ARCHIVE_LOG)
            assert (third.kind, third.reason) == (Kind.ARCHIVE_LOG, None)
            for result, rows in ((first, "1"), (second, "1,2"), (third, "1,2,3")):
                target = tmp_path / result.set_id
                chain = open_chain(
                    open_storage(keeper.schedule.repository), Trust("bank"), result.set_id
                )
                is_log = chain[-1].manifest.kind is Kind.ARCHIVE_LOG
                until = chain[-1].manifest.consistent_at if is_log else None
                PostgresEngine().restore(chain, target, EngineContext(), until=until)
                with postgres(data=target) as back:
                    wait_until(back, "SELECT pg_is_in_recovery()", "f")
                    found = back.query(
                        "bank", "SELECT string_agg(n::text, ',' ORDER BY n) FROM kept"
                    )
                    assert found == rows
            # The log of one timeline does not continue the base of another.
            old = open_chain(open_storage(keeper.schedule.repository), Trust("bank"), first.set_id)
            new = open_chain(open_storage(keeper.schedule.repository), Trust("bank"), third.set_id)
            with pytest.raises(VerifyError, match="which is not where the sets before it end"):
                postgres_restore.restore_physical(
                    [old[0], new[-1]], tmp_path / "mixed", EngineContext(), until=datetime.now(UTC)
                )
            keeper.catalog.close()
