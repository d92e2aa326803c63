"""
Seeded loads into a PostgreSQL that holds two other databases in use: nothing outside the target changes.

The oracle is pg_dump, pg_dumpall and the sessions of those who use the others; nothing of ours is asked.
BACKUP_TEST_NEIGHBOURS=100 runs that many on each version.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import BackupError
from airflow_backup.engines.postgres.engine import PostgresEngine
from airflow_backup.engines.protocol import EngineContext
from contract.postgres.test_postgres_histories import make, run, version_of
from contract.postgres.test_postgres_rights_and_settings import take
from support.servers.postgres import PASSWORD, USER, Postgres, postgres, require
from support.sources.postgres_strange import described, quoted

pytestmark = pytest.mark.service

COUNT = int(os.environ.get("BACKUP_TEST_NEIGHBOURS", "4"))
NEIGHBOURS = ("bank", "restore_0a1b2c3d")
"""The second one is called as what a load makes; it is somebody's all the same."""


@pytest.fixture(scope="module", params=["debian", "18"])
def servers(request: pytest.FixtureRequest) -> Iterator[tuple[Postgres, Postgres]]:
    """A source, and a server with two other databases."""
    found = require(request.param)
    with postgres(found=found) as source, postgres(found=found) as live:
        for number, name in enumerate(NEIGHBOURS):
            strange = make(live, 900 + number)
            target = f"DATABASE {quoted(strange.database)}"
            run(
                live, "postgres", [f"ALTER {target} IS_TEMPLATE false", f"ALTER {target} RESET ALL"]
            )
            run(live, "postgres", [f"ALTER {target} RENAME TO {name}"])
            run(live, name, ["CREATE SCHEMA used", "CREATE TABLE used.t (n int)"])
        yield source, live


@contextlib.contextmanager
def in_use(live: Postgres, seed: int) -> Iterator[None]:
    """Hold a transaction open in each neighbour: who terminates it, or drops what it holds, shows."""
    sessions = [
        psycopg.connect(host="127.0.0.1", port=live.port, user=USER, password=PASSWORD, dbname=name)
        for name in NEIGHBOURS
    ]
    with contextlib.ExitStack() as stack:
        for session in sessions:
            stack.callback(session.close)
            session.execute("INSERT INTO used.t VALUES (%s)", [seed])
        yield
        for session in sessions:
            session.rollback()


def everything_else(live: Postgres, target: str) -> list[str]:
    """All of the server that is not the target: the others, roles, and the list of databases."""
    others = [described(live, name, version_of(live)) for name in NEIGHBOURS]
    # Which roles have settings in the target belongs to the target.
    roles = live.run_bytes("pg_dumpall", "--roles-only", "--no-role-passwords").decode()
    lines = [
        line
        for line in roles.splitlines()
        if not line.startswith(("--", "\\restrict", "\\unrestrict"))
        and f" IN DATABASE {quoted(target)}" not in line
    ]
    query = f"SELECT oid, datname, datdba, datacl::text FROM pg_database WHERE datname <> '{target}' ORDER BY 1"
    return [*others, *lines, live.query("postgres", query)]


@pytest.mark.parametrize("seed", range(1, 1 + COUNT))
def test_a_load_changes_nothing_outside_its_target(
    servers: tuple[Postgres, Postgres], tmp_path: Path, seed: int
) -> None:
    source, live = servers
    strange = make(source, seed)
    reader = take(tmp_path, source, source.connection(strange.database))
    target = f"target {seed}"

    def connections(name: str) -> Connection:
        return live.connection(target)

    roles = b"".join(reader.blocks("globals.sql"))
    way = ("missing", "empty", "full", "spoiled", "no roles")[seed % 5]
    if way != "no roles":
        live.run_bytes("psql", "-X", "-q", "-d", "postgres", given=roles)
    if way not in ("missing", "no roles"):
        live.query("postgres", f'CREATE DATABASE "{target}"')
    if way in ("full", "spoiled"):
        live.query(target, "CREATE TABLE old AS SELECT 1 AS n; CREATE SCHEMA used")
    before = everything_else(live, target)
    was = described(live, target, version_of(live)) if way in ("full", "spoiled") else None
    with in_use(live, seed):
        given: Any = Spoiled(reader) if way == "spoiled" else reader
        engine, context = PostgresEngine(), EngineContext(connections=connections)
        if way in ("spoiled", "no roles"):
            with pytest.raises(BackupError):
                engine.load([given], context, connection="pg", overwrite=True)
        else:
            engine.load([given], context, connection="pg", overwrite=way == "full")
    assert everything_else(live, target) == before
    version = version_of(live)
    if way == "spoiled":
        assert described(live, target, version) == was
    elif way == "no roles":
        assert target not in live.query("postgres", "SELECT datname FROM pg_database")
    else:
        assert described(live, target, version) == described(source, strange.database, version)
    for server, name in ((source, strange.database), (live, target)):
        if (server, way) != (live, "no roles"):
            run(server, "postgres", [f"ALTER DATABASE {quoted(name)} IS_TEMPLATE false"])
            run(server, "postgres", [f"DROP DATABASE {quoted(name)}"])


class Spoiled:
    """A set whose dump ends in the middle."""

    def __init__(self, reader: Any) -> None:
        self.reader, self.manifest = reader, reader.manifest

    def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield half of the dump, and all of anything else."""
        whole = b"".join(self.reader.blocks(stream, begin, end))
        yield whole[: len(whole) // 2] if stream == "database.dump" else whole
