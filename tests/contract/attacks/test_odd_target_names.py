"""
A restore into ``connection:ID/NAME``: a name that looks like an option, an address or a path is a name, or is
refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.restore.target import ServerTarget, target_of
from airflow_backup.actions.sets.stored_set import StoredSet
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import BackupError
from airflow_backup.engines.capabilities import Loader
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.registry import registry
from airflow_backup.schedules.model.schedule import Schedule
from contract.attacks.test_child_environment import taken
from support.servers import postgres as servers
from support.servers.mariadb import mariadb, require
from support.servers.postgres import postgres

pytestmark = pytest.mark.service

NAMES = (
    *("--version", "--help", "-fout", "--host=elsewhere.example", "-", "--", "--defaults-file=x"),
    *("host=elsewhere.example dbname=postgres", "postgresql://elsewhere.example/postgres"),
    *(
        "dbname=bank",
        "bank --clean",
        "a'b",
        'a"b',
        "a`b",
        "a;b",
        "a\\b",
        "../x",
        "$(touch x)",
        "%s",
    ),
)


@pytest.fixture(scope="module", params=["postgres", "mysql"])
def stored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Any, list[StoredSet], Connection]]:
    """A server with the database `bank`, and a set of it."""
    folder = tmp_path_factory.mktemp("odd")
    if request.param == "postgres":
        servers.require()
        with postgres() as server:
            server.query("postgres", "CREATE DATABASE bank")
            server.query("bank", "CREATE TABLE kept AS SELECT 7 AS n")
            yield (
                "postgres",
                server,
                _set(folder, "postgres", server.connection()),
                server.connection(),
            )
        return
    require()
    with mariadb() as running:
        running.query("CREATE DATABASE bank;\nCREATE TABLE bank.kept (n INT PRIMARY KEY)")
        running.query("INSERT INTO bank.kept VALUES (7)")
        yield "mysql", running, _set(folder, "mysql", running.connection()), running.connection()


def _set(folder: Path, engine: str, connection: Connection) -> list[StoredSet]:
    item = Schedule.model_validate(
        {
            "id": "x",
            "source": {"engine": engine, "connection": "c", "database": "bank"},
            "repository": f"file://{folder}/repository",
            "preset": "daily",
        }
    )
    return next(iter(taken(item, connection, registry().get(engine).kinds)))


def _databases(engine: str, server: Any) -> set[str]:
    if engine == "postgres":
        return {*server.query("postgres", "SELECT datname FROM pg_database").splitlines()}
    return {
        str(row[0]) for row in server.query("SELECT schema_name FROM information_schema.schemata")
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_a_database_is_a_name(
    stored: tuple[str, Any, list[StoredSet], Connection],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    engine_name, server, path, connection = stored
    target = target_of(f"connection:c/{name}")
    assert isinstance(target, ServerTarget)
    assert (target.connection, target.database) == ("c", name)
    engine = registry().get(engine_name)
    assert isinstance(engine, Loader)
    before = _databases(engine_name, server)
    try:
        engine.load(
            path, EngineContext(connections=lambda _: connection), connection="c", database=name
        )
        expected = before | {name}
    except BackupError:
        expected = before
    assert _databases(engine_name, server) == expected
    assert list(tmp_path.iterdir()) == []
