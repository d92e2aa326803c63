"""PostgreSQL, logical and physical, while a writer is busy: what comes back is what was there at one moment."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import BackupError, EngineError, SourceDenied, SourceError
from airflow_backup.engines.postgres.engine import PostgresEngine
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.schedules.model.schedule import Schedule
from support.argument_lists import ArgumentLists
from support.servers.postgres import PASSWORD, Postgres, postgres

pytestmark = pytest.mark.service

INVARIANT = (
    "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(bbalance) FROM pgbench_branches)"
    " AND (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(tbalance) FROM pgbench_tellers)"
)


@contextmanager
def busy(bank: Postgres, *, clients: int = 2) -> Iterator[None]:
    """Move money all the time."""
    command = [
        str(bank.programs / "pgbench"),
        "-h",
        "127.0.0.1",
        "-p",
        str(bank.port),
        "-U",
        "keeper",
    ]
    command += ["-n", "-c", str(clients), "-T", "60", "bank"]
    with subprocess.Popen(
        command,
        env=os.environ | {"PGPASSWORD": PASSWORD},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as bench:
        try:
            yield
            assert bench.poll() is None, "the writer ended before the dump"
        finally:
            bench.terminate()


def schedule(folder: Path, bank: Postgres, **source: Any) -> Schedule:
    return Schedule.model_validate(
        {
            "id": "bank",
            "source": {
                "engine": "postgres",
                "connection": "pg",
                "tools": str(bank.programs),
                **source,
            },
            "repository": f"file://{folder}/repository",
            "preset": "daily",
        }
    )


def take(folder: Path, bank: Postgres, **source: Any) -> dict[str, Any]:
    """Back up while money moves; then restore into a folder."""

    def connections(name: str) -> Connection:
        return bank.connection("bank")

    now = datetime.now(UTC)
    with Catalog.open(f"sqlite:///{folder}/catalog.db") as catalog, busy(bank):
        result = backup(
            schedule(folder, bank, **source),
            Run("r1", now),
            catalog=catalog,
            connections=connections,
            clock=lambda: now,
        )
    restore(
        Trust("bank", "postgres"),
        repository=f"file://{folder}/repository",
        target=folder / "back",
        connections=connections,
        clock=lambda: now,
    )
    manifest = next((folder / "repository").rglob("manifest.json")).read_text()
    assert PASSWORD not in manifest
    return result.as_dict()


def test_a_logical_dump_holds_one_moment_and_its_counts_are_true(
    bank: Postgres, tmp_path: Path
) -> None:
    facts = take(tmp_path, bank)
    assert facts["status"] == "completed"
    bank.query("postgres", "DROP DATABASE IF EXISTS again")
    bank.query("postgres", "CREATE DATABASE again")
    bank.run(
        "pg_restore",
        "--no-owner",
        "--exit-on-error",
        "-d",
        "again",
        str(tmp_path / "back" / "database.dump"),
    )
    assert bank.query("again", INVARIANT) == "t"
    counts = _counts(tmp_path)
    assert counts["public.pgbench_accounts"] == 200_000
    assert counts['"Odd name"."T"'] == 77
    for table, rows in counts.items():
        assert bank.query("again", f"SELECT count(*) FROM {table}") == str(rows), table
    assert "CREATE ROLE keeper" in (tmp_path / "back" / "globals.sql").read_text()


def test_a_server_starts_on_a_physical_set(bank: Postgres, tmp_path: Path) -> None:
    take(tmp_path, bank, method="physical")
    with postgres(data=tmp_path / "back", found=bank.programs) as second:
        assert second.query("bank", INVARIANT) == "t"
        assert second.query("bank", 'SELECT count(*) FROM "Odd name"."T"') == "77"


def test_rows_that_the_role_may_not_see_fail_the_dump(bank: Postgres, tmp_path: Path) -> None:
    bank.query(
        "bank",
        "CREATE TABLE secrets AS SELECT generate_series(1, 9) AS n; ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;"
        "CREATE ROLE reader LOGIN PASSWORD 'r'; GRANT pg_read_all_data TO reader",
    )
    try:
        now = datetime.now(UTC)
        with (
            Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog,
            pytest.raises(EngineError, match="row"),
        ):
            backup(
                schedule(tmp_path, bank),
                Run("r1", now),
                catalog=catalog,
                connections=lambda name: bank.connection("bank", login="reader", password="r"),
                clock=lambda: now,
            )
        assert not list((tmp_path / "repository").rglob("manifest.json"))
    finally:
        bank.query("bank", "DROP TABLE secrets; DROP OWNED BY reader; DROP ROLE reader")


def check(bank: Postgres, found: Connection, **source: Any) -> BackupError:
    options = PostgresOptions(
        engine="postgres", connection="pg", tools=str(bank.programs), **source
    )
    (problem,) = PostgresEngine().check(options, EngineContext(connections=lambda name: found))
    assert PASSWORD not in str(problem)
    return problem


def test_what_is_in_the_way_is_said_before_anything_is_read(bank: Postgres) -> None:
    assert isinstance(check(bank, bank.connection("bank", password="wrong")), SourceDenied)
    missing = check(bank, bank.connection("bank"), database="bnak")
    assert isinstance(missing, SourceError)
    assert missing.message == "there is no database 'bnak' on 127.0.0.1"
    nobody = Connection(id="pg", host="127.0.0.1", port=1, login="x", schema="bank")
    assert check(bank, nobody).failure_class.retryable


def test_the_password_is_in_no_argument_of_any_process(bank: Postgres, tmp_path: Path) -> None:
    with ArgumentLists() as seen:
        take(tmp_path, bank)
    assert [line for line in seen if "pg_dump" in line]
    assert not [line for line in seen if PASSWORD in line]


def _counts(folder: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads(
        next((folder / "repository").rglob("manifest.json")).read_text()
    )["counts"]
    return found
