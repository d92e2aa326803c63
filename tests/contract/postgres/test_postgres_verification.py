"""PostgreSQL sets are decoded without a server, restored into test servers, and loaded into running ones."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.actions.sets.stored_set import StoredSet, open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import ConfigError, EngineError, Refused, VerifyError
from airflow_backup.core.words import Kind
from airflow_backup.engines.postgres.engine import PostgresEngine
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.storage.open import open_storage
from contract.postgres.test_postgres import INVARIANT, busy, schedule
from support.servers.postgres import Postgres

pytestmark = pytest.mark.service

SOURCES: dict[str, dict[str, Any]] = {
    "custom": {},
    "directory": {"format": "directory", "jobs": 3},
    "physical": {"method": "physical"},
}


def take(folder: Path, bank: Postgres, *kinds: Kind, **source: Any) -> list[StoredSet]:
    """Back up while money moves; return the sets in order."""
    item = schedule(folder, bank, **source)
    taken = ""
    with Catalog.open(f"sqlite:///{folder}/catalog.db") as catalog, busy(bank):
        for number, kind in enumerate(kinds or [Kind.FULL]):
            result = backup(
                item,
                Run(f"r{number}", datetime.now(UTC)),
                catalog=catalog,
                connections=lambda name: bank.connection("bank"),
                clock=lambda: datetime.now(UTC),
                kind=kind,
            )
            assert result.reason is None
            taken = result.set_id
    return open_chain(open_storage(item.repository), Trust("bank"), taken)


@pytest.fixture
def context(bank: Postgres) -> Iterator[EngineContext]:
    # Not below pytest's own folder, which the user who runs a test server cannot enter.
    with tempfile.TemporaryDirectory(prefix="backup-scratch-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        yield EngineContext(connections=lambda name: bank.connection(name), scratch=Path(folder))


@pytest.fixture
def again(bank: Postgres) -> Iterator[str]:
    """A name for a database."""
    yield "again"
    bank.query("postgres", "DROP DATABASE IF EXISTS again WITH (FORCE)")


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_set_is_decoded_and_restored_into_a_test_server(
    bank: Postgres, tmp_path: Path, context: EngineContext, source: dict[str, Any]
) -> None:
    path = take(tmp_path, bank, **source)
    before = set(context.scratch.iterdir())
    decoded = PostgresEngine().decode(path, context)
    assert decoded.inconclusive is None
    assert decoded.checks
    physical = source.get("method") == "physical"
    report = PostgresEngine().try_restore(path, context, assertions=[INVARIANT])
    assert report.inconclusive is None
    if physical:
        assert report.counts["bank: public.pgbench_accounts"] == 200_000
    else:
        assert report.counts == path[0].manifest.counts
        assert report.counts['"Odd name"."T"'] == 77
    with pytest.raises(VerifyError, match="the assertion 'SELECT false' does not hold"):
        PostgresEngine().try_restore(path, context, assertions=["SELECT false"])
    left = set(context.scratch.iterdir()) - before
    assert not [found for found in left if found.name.startswith("airflow-backup-")]


def test_a_chain_with_logs_is_decoded_and_tried(
    bank: Postgres, tmp_path: Path, context: EngineContext
) -> None:
    kinds = [Kind.FULL, Kind.ARCHIVE_LOG]
    if bank.query("postgres", "SHOW server_version_num") >= "170000":
        kinds = [Kind.FULL, Kind.INCREMENTAL, Kind.ARCHIVE_LOG]
    try:
        path = take(tmp_path, bank, *kinds, method="physical", wal="slot", slot="tried")
    finally:
        bank.query("bank", "SELECT pg_drop_replication_slot('tried')")
    for length in range(1, len(path) + 1):
        report = PostgresEngine().decode(path[:length], context)
        assert report.inconclusive is None
    report = PostgresEngine().try_restore(path, context, assertions=[INVARIANT])
    assert report.inconclusive is None


@pytest.mark.parametrize("source", [SOURCES["custom"], SOURCES["directory"]], ids=["c", "d"])
def test_a_set_is_loaded_into_a_database_that_is_new_empty_or_may_be_replaced(
    bank: Postgres, tmp_path: Path, context: EngineContext, again: str, source: dict[str, Any]
) -> None:
    path = take(tmp_path, bank, **source)
    engine = PostgresEngine()
    engine.load(path, context, connection="pg", database=again)
    assert bank.query(again, INVARIANT) == "t"
    bank.query(again, "CREATE TABLE later (n int)")
    with pytest.raises(Refused, match="the database 'again' is not empty"):
        engine.load(path, context, connection="pg", database=again)
    engine.load(path, context, connection="pg", database=again, overwrite=True)
    assert bank.query(again, INVARIANT) == "t"
    assert bank.query(again, "SELECT to_regclass('later')") == ""
    bank.query("postgres", "DROP DATABASE again")
    bank.query("postgres", "CREATE DATABASE again")
    engine.load(path, context, connection="pg", database=again)
    assert bank.query(again, INVARIANT) == "t"
    databases = bank.query("postgres", "SELECT datname FROM pg_database WHERE datname ~ '_'")
    assert databases == ""


def test_a_load_that_fails_leaves_what_was_there(
    bank: Postgres, tmp_path: Path, context: EngineContext, again: str
) -> None:
    bank.query("bank", "CREATE ROLE owner_of_one; CREATE TABLE one (n int)")
    bank.query("bank", "ALTER TABLE one OWNER TO owner_of_one")
    try:
        path = take(tmp_path, bank)
    finally:
        bank.query("bank", "DROP TABLE one; DROP ROLE owner_of_one")
    bank.query("postgres", "CREATE DATABASE again")
    bank.query(again, "CREATE TABLE precious AS SELECT 1 AS n")
    with pytest.raises(EngineError, match='role "owner_of_one" does not exist') as caught:
        PostgresEngine().load(path, context, connection="pg", database=again, overwrite=True)
    assert caught.value.hint == "make the roles first: psql -f globals.sql of the set"
    assert bank.query(again, "SELECT n FROM precious") == "1"
    databases = bank.query("postgres", "SELECT datname FROM pg_database WHERE datname ~ '_'")
    assert databases == ""


def test_rows_that_are_fewer_than_the_source_had_fail_a_load(
    bank: Postgres, tmp_path: Path, context: EngineContext, again: str
) -> None:
    (reader,) = take(tmp_path, bank)
    counts = reader.manifest.counts | {'"Odd name"."T"': 78}
    reader.manifest = reader.manifest.model_copy(update={"counts": counts})
    with pytest.raises(VerifyError, match=r"has 77 rows, and in set '.*' it had 78"):
        PostgresEngine().load([reader], context, connection="pg", database=again)
    assert bank.query("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'again'") == "0"


def test_a_physical_set_goes_into_no_running_server(
    bank: Postgres, tmp_path: Path, context: EngineContext
) -> None:
    path = take(tmp_path, bank, method="physical")
    with pytest.raises(ConfigError, match="goes into no running server"):
        PostgresEngine().load(path, context, connection="pg")


@pytest.mark.parametrize("share", [0.99, 0.7, 0.4, 0.05])
def test_a_dump_that_was_cut_is_found_by_decoding(
    bank: Postgres, tmp_path: Path, context: EngineContext, share: float
) -> None:
    (reader,) = take(tmp_path, bank)

    class Cut:
        manifest = reader.manifest

        def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
            whole = b"".join(reader.blocks(stream))
            yield whole[: int(len(whole) * share)] if stream == "database.dump" else whole

    with pytest.raises(VerifyError, match="is not whole: pg_restore failed"):
        PostgresEngine().decode([Cut()], context)
    with pytest.raises(VerifyError, match="cannot be restored"):
        PostgresEngine().try_restore([Cut()], context)


def test_a_missing_program_is_no_verdict(
    bank: Postgres, tmp_path: Path, context: EngineContext
) -> None:
    (reader,) = take(tmp_path, bank)
    tools = dict(reader.manifest.tools) | {"pg_dump": "99", "postgresql": "99.1"}
    reader.manifest = reader.manifest.model_copy(update={"tools": tools})
    for report in (
        PostgresEngine().decode([reader], context),
        PostgresEngine().try_restore([reader], context),
    ):
        assert report.inconclusive is not None
        assert "of PostgreSQL 99 or newer is not installed" in report.inconclusive
