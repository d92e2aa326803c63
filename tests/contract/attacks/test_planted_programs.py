"""A set lies where others may write: what its manifest says of programs is never run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.actions.sets.stored_set import open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.actions.verify.verify import Verifier
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection
from airflow_backup.core.words import VerificationLevel, VerificationOutcome
from airflow_backup.engines.mysql.engine import MysqlEngine
from airflow_backup.engines.postgres.engine import PostgresEngine
from airflow_backup.engines.protocol import EngineContext, SetReader
from airflow_backup.engines.restic.engine import ResticEngine
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.storage.open import open_storage
from support.servers import postgres as servers
from support.servers.mariadb import mariadb, require
from support.servers.postgres import postgres

pytestmark = pytest.mark.service

NAMES = (
    *("pg_restore", "pg_dump", "pg_verifybackup", "pg_waldump", "initdb", "postgres", "psql"),
    *("mariadb", "mariadb-dump", "mariadbd", "mariadb-install-db", "mariadb-binlog", "mbstream"),
    *("mariadb-backup", "restic"),
)


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A folder of programs that leave a mark when they run, and what they should have done undone."""
    folder = tmp_path / "evil"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
        (folder / name).chmod(0o755)
    return folder


class Planted:
    """A stored set whose manifest says more than was written."""

    def __init__(self, reader: SetReader, state: dict[str, Any]) -> None:
        more = {**reader.manifest.state, **state}
        self.manifest = reader.manifest.model_copy(update={"state": more})
        self.blocks = reader.blocks


def context(source: dict[str, Any], connection: Connection) -> EngineContext:
    item = Schedule.model_validate(
        {"id": "x", "source": source, "repository": "file:///r", "preset": "daily"}
    )
    return EngineContext(connections=lambda name: connection, source=item.source)


def sets(folder: Path, source: dict[str, Any], connection: Connection) -> list[SetReader]:
    item = Schedule.model_validate(
        {
            "id": "x",
            "source": source,
            "repository": f"file://{folder}/repository",
            "preset": "daily",
        }
    )
    with Catalog.open("sqlite://") as catalog:
        result = backup(
            item,
            Run("r1", datetime.now(UTC)),
            catalog=catalog,
            connections=lambda name: connection,
            clock=lambda: datetime.now(UTC),
        )
    return [*open_chain(open_storage(item.repository), Trust("x"), result.set_id)]


@pytest.fixture(params=["postgres", "postgres physical", "mysql", "mysql physical", "restic"])
def taken(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Any, list[SetReader], EngineContext]]:
    engine, _, method = request.param.partition(" ")
    source = {"engine": engine, "connection": "c", **({"method": method} if method else {})}
    if engine == "postgres":
        servers.require()
        with postgres() as server:
            server.query("postgres", "CREATE TABLE kept AS SELECT 1 AS n")
            own = server.connection()
            yield PostgresEngine(), sets(tmp_path, source, own), context(source, own)
    elif engine == "mysql":
        require()
        with mariadb() as running:
            running.query("CREATE DATABASE bank;\nCREATE TABLE bank.kept (n INT PRIMARY KEY)")
            connection = running.connection()
            yield MysqlEngine(), sets(tmp_path, source, connection), context(source, connection)
    else:
        (tmp_path / "tree").mkdir()
        (tmp_path / "tree" / "file").write_text("x")
        source |= {"path": f"{tmp_path}/tree", "restic_repository": f"{tmp_path}/restic"}
        connection = Connection("c", password="secret")
        path = sets(tmp_path, source | {"init": True}, connection)
        yield ResticEngine(), path, context(source, connection)


def test_programs_that_a_manifest_names_are_not_run(
    taken: tuple[Any, list[SetReader], EngineContext], evil: Path, tmp_path: Path
) -> None:
    engine, path, context = taken
    own = [Planted(each, {"tools": str(evil), "program": str(evil / "restic")}) for each in path]
    doors: list[Callable[[], object]] = [
        lambda: engine.decode(own, context),
        lambda: engine.try_restore(own, context),
        lambda: engine.restore(own, tmp_path / "back", context),
    ]
    for door in doors:
        door()
        assert not (tmp_path / "ran").exists()


def test_programs_that_the_schedule_names_are_run(evil: Path, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_text("x")
    source = {
        "engine": "restic",
        "connection": "c",
        "path": f"{tmp_path}/tree",
        "restic_repository": f"{tmp_path}/restic",
        "init": True,
    }
    connection = Connection("c", password="secret")
    (reader,) = sets(tmp_path, source, connection)
    item = Schedule.model_validate(
        {
            "id": "x",
            "source": source | {"program": str(evil / "restic")},
            "repository": f"file://{tmp_path}/repository",
            "preset": "daily",
        }
    )
    verifier = Verifier(
        item,
        catalog=None,
        connections=lambda name: connection,
        clock=lambda: datetime.now(UTC),
    )
    results = verifier.verify(reader.manifest.set_id, VerificationLevel.FULL)
    assert (tmp_path / "ran").exists()
    assert results[0].outcome is not VerificationOutcome.PASSED
