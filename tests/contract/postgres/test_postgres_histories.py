"""
Seeded databases with everything odd in them come back as the same database, says PostgreSQL's own pg_dump.

BACKUP_TEST_HISTORIES=100 runs that many on each version, and BACKUP_TEST_FIRST_HISTORY begins elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.actions.sets.stored_set import open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connection
from airflow_backup.engines.postgres.engine import PostgresEngine
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.storage.open import open_storage
from contract.postgres.test_postgres import schedule
from support.servers.postgres import USER, Postgres, postgres, require
from support.sources.postgres_strange import Strange, described, quoted

pytestmark = pytest.mark.service

COUNT = int(os.environ.get("BACKUP_TEST_HISTORIES", "3"))
FIRST = int(os.environ.get("BACKUP_TEST_FIRST_HISTORY", "1"))


@pytest.fixture(scope="module", params=["debian", "18"])
def servers(request: pytest.FixtureRequest) -> Iterator[tuple[Postgres, Postgres]]:
    """Two servers of one version: the source, and an empty one with a neighbour in it."""
    found = require(request.param)
    with postgres(found=found) as source, postgres(found=found) as other:
        other.query("postgres", "CREATE DATABASE neighbour")
        other.query("neighbour", "CREATE TABLE kept AS SELECT 1 AS n")
        yield source, other


def version_of(server: Postgres) -> int:
    return int(server.query("postgres", "SHOW server_version_num")) // 10000


def make(server: Postgres, seed: int) -> Strange:
    icu = server.query("postgres", "SELECT count(*) FROM pg_collation WHERE collprovider = 'i'")
    strange = Strange(seed, version_of(server), int(icu) > 10)
    run(server, "postgres", strange.server_statements())
    run(server, strange.database, strange.contents(), encoding=strange.encoding)
    run(server, "postgres", strange.properties())
    return strange


def run(
    server: Postgres, database: str, statements: list[str], *, encoding: str = "UTF8", stop: int = 1
) -> None:
    code = "latin-1" if encoding == "LATIN1" else "utf-8"
    text = "".join(f"{each};\n" for each in [f"SET client_encoding = '{encoding}'", *statements])
    options = ("-X", "-q", "-v", f"ON_ERROR_STOP={stop}", "-f", "-", "-d")
    where = "dbname='" + database.replace("\\", "\\\\").replace("'", "\\'") + "'"
    server.run_bytes("psql", *options, where, given=text.encode(code, "surrogateescape"))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_a_strange_database_comes_back_as_the_same_database(
    servers: tuple[Postgres, Postgres], tmp_path: Path, seed: int
) -> None:
    source, other = servers
    version = version_of(source)
    strange = make(source, seed)
    expected = described(source, strange.database, version)

    def connections(name: str) -> Connection:
        return (source if name == "pg" else other).connection(strange.database)

    more = {"format": "directory", "jobs": 2} if seed % 3 == 0 else {}
    item = schedule(tmp_path, source, **more)
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        result = backup(
            item,
            Run("r1", datetime.now(UTC)),
            catalog=catalog,
            connections=connections,
            clock=lambda: datetime.now(UTC),
        )
    chain = open_chain(open_storage(item.repository), Trust(item.id), result.set_id)
    context = EngineContext(connections=connections)
    engine = PostgresEngine()

    globals_ = b"".join(chain[0].blocks("globals.sql"))
    theirs = source.run_bytes("pg_dumpall", "--globals-only", "--no-role-passwords")
    assert _plain(globals_) == _plain(theirs)
    kept = other.run_bytes("pg_dump", "neighbour")
    other.run_bytes("psql", "-X", "-q", "-d", "postgres", given=globals_)  # some roles are there

    copy = f"copy {seed}"
    engine.load(chain, context, connection="other", database=copy)
    assert described(other, copy, version) == expected
    engine.load(chain, context, connection="other", database=copy, overwrite=True)
    assert described(other, copy, version) == expected
    engine.load(chain, context, connection="pg", overwrite=True)
    assert described(source, strange.database, version) == expected

    report = engine.try_restore(chain, context)
    assert report.inconclusive is None
    assert report.counts == chain[0].manifest.counts
    assert _plain(other.run_bytes("pg_dump", "neighbour")) == _plain(kept)
    for server, database in ((source, strange.database), (other, copy)):
        target = f"DATABASE {quoted(database)}"
        run(server, "postgres", [f"ALTER {target} IS_TEMPLATE false", f"DROP {target}"])
    left = "SELECT datname FROM pg_database WHERE datname ~ '^(restore|replaced)_'"
    assert (source.query("postgres", left), other.query("postgres", left)) == ("", "")


def _plain(script: bytes) -> list[bytes]:
    """Without comments, the key of psql's restricted mode, and the encoding of the session."""
    return [
        line
        for line in script.splitlines()
        if not line.startswith((b"--", b"\\restrict", b"\\unrestrict", b"SET client_encoding"))
        and f"{USER} WITH".encode() not in line
    ]
