"""PostgreSQL's physical chains while money moves: every link, and any moment between links, comes back exactly."""

from __future__ import annotations

import os
import tempfile
import time
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import BackupResult, Run, backup
from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.rules.recovery import RecoveryChain
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import ConfigError, VerifyError
from airflow_backup.core.format.age import Identity
from airflow_backup.core.words import Kind
from airflow_backup.engines.postgres.physical import dump
from airflow_backup.engines.postgres.physical.tar import TarTap
from airflow_backup.schedules.model.policies import Encryption
from airflow_backup.schedules.model.schedule import Schedule
from contract.postgres.test_postgres import INVARIANT, busy, schedule
from support.servers.postgres import Postgres, postgres

pytestmark = pytest.mark.service

FULL, INCREMENTAL, DIFFERENTIAL, LOG = (
    Kind.FULL,
    Kind.INCREMENTAL,
    Kind.DIFFERENTIAL,
    Kind.ARCHIVE_LOG,
)
MOMENTS = int(os.environ.get("MOMENTS", "2"))
"""Of how many moments between links one is asked for."""

HISTORY = "SELECT ctid, xmin, * FROM pgbench_history ORDER BY ctid"


class Keeper:
    """A schedule over a server, its catalog, and what was in the bank at each set."""

    def __init__(self, folder: Path, bank: Postgres, **source: Any) -> None:
        self.folder, self.bank = folder, bank
        self.schedule: Schedule = schedule(folder, bank, **{"method": "physical", **source})
        self.catalog = Catalog.open(f"sqlite:///{folder}/catalog.db")
        weakref.finalize(self, self.catalog.close)
        self.started = datetime.now(UTC)
        self.number = 0

    def connections(self, name: str) -> Connection:
        return self.bank.connection("bank")

    def take(self, kind: Kind) -> BackupResult:
        self.number += 1
        run = Run(f"r{self.number}", self.started + timedelta(seconds=self.number))
        return backup(
            self.schedule,
            run,
            catalog=self.catalog,
            connections=self.connections,
            clock=lambda: datetime.now(UTC),
            kind=kind,
        )

    def moment_of(self, result: BackupResult) -> datetime:
        row = self.catalog.sets.get(result.set_id)
        assert row is not None
        return row.consistent_at

    def check(self, name: str, *, at: datetime | None = None, set_id: str | None = None) -> None:
        """Restore, start a server on it, and compare with what the source had then."""
        target = self.folder / name
        result = restore(
            Trust("bank", "postgres"),
            repository=self.schedule.repository,
            target=target,
            connections=self.connections,
            clock=lambda: datetime.now(UTC),
            set_id=set_id,
            at=at,
        )
        told = [each for each in result.report.warnings if "archives nothing" not in each]
        assert not told
        until = at if at is not None else result.consistent_at
        row = self.catalog.sets.get(result.set_ids[-1])
        assert row is not None
        ends_in_a_log = row.kind is LOG
        with postgres(
            data=target,
            found=self.bank.programs,
            settings={"track_commit_timestamp": "on"},
        ) as second:
            for _ in range(200):
                if second.query("bank", "SELECT pg_is_in_recovery()") == "f":
                    break
                time.sleep(0.1)
            assert second.query("bank", INVARIANT) == "t"
            found = second.query("bank", HISTORY)
            if not ends_in_a_log:  # it is of the moment at which the copy ended
                last = second.query(
                    "bank", "SELECT max(pg_xact_commit_timestamp(xmin)) FROM pgbench_history"
                )
                until = datetime.fromisoformat(last)
            assert not (second.folder / "data" / "restored_wal").exists()
        expected = self.bank.query(
            "bank",
            f"SELECT ctid, xmin, * FROM pgbench_history"
            f" WHERE pg_xact_commit_timestamp(xmin) <= '{until.isoformat()}' ORDER BY ctid",
        )
        assert found == expected
        assert found.count("\n") > 5


@pytest.fixture
def keeper(bank: Postgres, tmp_path: Path) -> Iterator[Keeper]:
    made = Keeper(tmp_path, bank, wal="slot")
    bank.query("bank", "TRUNCATE pgbench_history")
    bank.query(
        "bank",
        "UPDATE pgbench_accounts SET abalance = 0; UPDATE pgbench_tellers SET tbalance = 0;"
        "UPDATE pgbench_branches SET bbalance = 0",
    )
    yield made
    made.catalog.close()
    bank.query(
        "postgres",
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_type = 'physical'",
    )


def test_every_link_and_every_moment_between_links_comes_back(
    keeper: Keeper, bank: Postgres
) -> None:
    kinds = [FULL, LOG, LOG, LOG, LOG, FULL, LOG]
    if bank.query("postgres", "SHOW server_version_num") >= "170000":
        kinds = [FULL, INCREMENTAL, LOG, DIFFERENTIAL, INCREMENTAL, INCREMENTAL, LOG, LOG]
    results = []
    with busy(bank, clients=1):
        for kind in kinds:
            time.sleep(0.4)
            result = keeper.take(kind)
            assert (result.kind, result.reason) == (kind, None)
            results.append(result)
    for number, result in enumerate(results):
        keeper.check(f"link-{number}", set_id=result.set_id)
    moments = [keeper.moment_of(result) for result in results]
    for number, (before, after) in list(enumerate(pairwise(moments)))[::-MOMENTS]:
        between = before + (after - before) / 2
        chain = keeper.catalog.sets.recovery_chain("bank", between)
        assert isinstance(chain, RecoveryChain)
        assert chain.consistent_at == between, chain
        keeper.check(f"between-{number}", at=between)


def test_what_is_committed_while_the_wal_is_fetched_is_after_the_moment_of_the_set(
    keeper: Keeper, bank: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed: list[datetime] = []

    class Slow(TarTap):
        def _begin(self, head: bytes) -> None:
            super()._begin(head)
            if head.startswith(b"pg_wal/0") and not committed:
                told = bank.query("postgres", "SELECT pg_current_xact_id(), clock_timestamp()")
                committed.append(datetime.fromisoformat(told.rpartition("|")[2]))

    monkeypatch.setattr(dump, "TarTap", Slow)
    moment = keeper.moment_of(keeper.take(FULL))
    assert keeper.started < moment < committed[0]


def test_a_failed_run_leaves_the_wal_on_the_server_for_the_next(
    keeper: Keeper, bank: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_backup.actions.backup.attempt import Attempt

    with busy(bank, clients=1):
        keeper.take(FULL)
        keeper.take(LOG)
        monkeypatch.setattr(Attempt, "_publish", _no_room)
        with pytest.raises(OSError, match="no room"):
            keeper.take(LOG)
        monkeypatch.undo()
        bank.query("postgres", "CHECKPOINT")
        result = keeper.take(LOG)
    assert (result.kind, result.reason) == (LOG, None)
    keeper.check("back", set_id=result.set_id)


def _no_room(*given: object) -> None:
    raise OSError("no room")


def test_a_lost_slot_takes_a_full_set_and_the_gap_is_refused(
    keeper: Keeper, bank: Postgres
) -> None:
    with busy(bank, clients=1):
        keeper.take(FULL)
        first = keeper.take(LOG)
        bank.query(
            "postgres", "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
        )
        for _ in range(2):
            bank.query("postgres", "SELECT pg_switch_wal()")
            bank.query("postgres", "CHECKPOINT")
        result = keeper.take(LOG)
        assert result.kind is FULL
        assert "full instead of archive_log: there is no slot 'airflow_backup_bank_" in str(
            result.reason
        )
        time.sleep(0.3)
        following = keeper.take(LOG)
    assert (following.kind, following.reason) == (LOG, None)
    keeper.check("after", set_id=following.set_id)
    begin, end = keeper.moment_of(first), keeper.moment_of(result)
    with pytest.raises(VerifyError, match="which is not where the sets before it end"):
        keeper.check("gap", at=begin + (end - begin) / 2)


def test_without_the_right_to_end_segments_moments_come_back_all_the_same(
    bank: Postgres, tmp_path: Path
) -> None:
    bank.query(
        "bank",
        "CREATE ROLE archivist LOGIN REPLICATION PASSWORD 'a'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO archivist",
    )

    class Poor(Keeper):
        def connections(self, name: str) -> Connection:
            return self.bank.connection("bank", login="archivist", password="a")

    keeper = Poor(tmp_path, bank, wal="slot", slot="poor")
    try:
        with busy(bank, clients=1):
            keeper.take(FULL)
            results = []
            for _ in range(3):
                time.sleep(0.2)
                results.append(keeper.take(LOG))
                assert results[-1].reason is None
        first, last = keeper.moment_of(results[0]), keeper.moment_of(results[-1])
        keeper.check("back", at=first + (last - first) / 2)
        keeper.check("last", set_id=results[-1].set_id)
    finally:
        keeper.catalog.close()
        bank.query("bank", "SELECT pg_drop_replication_slot('poor')")
        bank.query("bank", "DROP OWNED BY archivist; DROP ROLE archivist")


@pytest.fixture
def archive() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="backup-archive-", dir="/tmp") as folder:
        Path(folder).chmod(0o777)  # the user who runs the server writes here
        yield Path(folder)


def test_wal_from_an_archive_folder(tmp_path: Path, archive: Path, bank: Postgres) -> None:
    settings = {
        "archive_mode": "on",
        "archive_command": f"cp %p {archive}/%f",
        "track_commit_timestamp": "on",
    }
    with postgres(found=bank.programs, settings=settings) as own:
        own.query("postgres", "CREATE DATABASE bank")
        own.run("pgbench", "-i", "-q", "-s", "1", "bank")
        keeper = Keeper(tmp_path, own, wal="archive", archive=str(archive))
        with busy(own, clients=1):
            keeper.take(FULL)
            results = []
            for _ in range(2):
                time.sleep(0.3)
                results.append(keeper.take(LOG))
                assert results[-1].reason is None
            first, last = (keeper.moment_of(result) for result in results)
            time.sleep(0.2)
            own.query("postgres", "SELECT pg_switch_wal()")
            time.sleep(0.5)
        keeper.check("between", at=first + (last - first) / 2)
        keeper.check("last", set_id=results[-1].set_id)
        for path in sorted(archive.glob("0*"))[-3:]:
            path.unlink()
        result = keeper.take(LOG)
        assert result.kind is FULL
        assert "full instead of archive_log: " in str(result.reason)
        keeper.catalog.close()


def test_what_a_kind_needs_is_said_before_anything_is_read(bank: Postgres, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, bank)
    with pytest.raises(ConfigError, match="takes no archive_log set of this source"):
        keeper.take(LOG)
    with postgres(found=bank.programs) as plain:  # one that does not summarize
        modern = plain.query("postgres", "SHOW server_version_num") >= "170000"
        keeper.bank = plain
        plain.query("postgres", "CREATE DATABASE bank")
        message = "does not summarize its WAL" if modern else "takes no incremental set"
        with pytest.raises(ConfigError, match=message):
            keeper.take(INCREMENTAL)
        plain.query("postgres", "CREATE ROLE nobody LOGIN PASSWORD 'n'")
        with pytest.raises(ConfigError, match="may not take a physical backup"):
            backup(
                keeper.schedule,
                Run("x", datetime.now(UTC)),
                catalog=keeper.catalog,
                connections=lambda name: plain.connection(login="nobody", password="n"),
                clock=lambda: datetime.now(UTC),
            )
    assert not list(tmp_path.rglob("manifest.json"))
    keeper.catalog.close()


def test_an_encrypted_chain_is_continued_with_public_keys_alone(
    bank: Postgres, tmp_path: Path
) -> None:
    if bank.query("postgres", "SHOW server_version_num") < "170000":
        pytest.skip("incrementals begin with PostgreSQL 17")
    key = Identity(os.urandom(32))
    keeper = Keeper(tmp_path, bank)
    encryption = Encryption(recipients=[key.recipient.text])
    keeper.schedule = keeper.schedule.model_copy(update={"encryption": encryption})
    with busy(bank, clients=1):
        for kind in (FULL, INCREMENTAL, INCREMENTAL, DIFFERENTIAL):
            result = keeper.take(kind)
            assert (result.kind, result.reason) == (kind, None)
    restore(
        Trust("bank", "postgres"),
        repository=keeper.schedule.repository,
        target=tmp_path / "back",
        connections=keeper.connections,
        clock=lambda: datetime.now(UTC),
        keys=[key],
    )
    with postgres(data=tmp_path / "back", found=bank.programs) as second:
        assert second.query("bank", INVARIANT) == "t"
    keeper.catalog.close()
