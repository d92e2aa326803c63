"""Airflow's metadata database: where it is, whether it is one, and what only it knows."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from airflow_backup.core.errors import ConfigError, SourceError
from airflow_backup.core.paths.roots import real_path
from airflow_backup.engines.airflow.configuration import HIDDEN, Configuration
from airflow_backup.engines.airflow.fernet import Encrypted
from airflow_backup.engines.airflow.options import AirflowOptions, DatabaseOptions, database_at
from airflow_backup.engines.mysql.client import server as mysql
from airflow_backup.engines.mysql.options import MysqlOptions
from airflow_backup.engines.postgres.client import quoting
from airflow_backup.engines.postgres.client.server import Server as PostgresServer
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.sqlite.open import reading
from airflow_backup.engines.sqlite.options import SqliteOptions, file_of

_MARK = "dag_bundle"
"""A table that every Airflow since 3.0 has, and nothing else."""

_BEATS = timedelta(minutes=10)
_NAME_IT = "make an Airflow connection that leads to it, and name it: source: {engine: airflow, connection: airflow_db}"
_SCHEMES = ("sqlite", "sqlite+pysqlite", "sqlite+aiosqlite")

# Longer ones are few, and say nothing that the others do not.
_CONNECTIONS = (
    "SELECT conn_id, password, extra, is_encrypted, is_extra_encrypted FROM {}connection "
    "WHERE (is_encrypted OR is_extra_encrypted) AND length(coalesce(extra, '')) < 20000 LIMIT 10000"
)
_VARIABLES = "SELECT id, val, is_encrypted FROM {}variable WHERE is_encrypted AND length(val) < 20000 LIMIT 10000"

Ask = Callable[[str], list[tuple[Any, ...]]]
"""Runs a query, in which ``{}`` stands before the name of a table."""


@dataclass(frozen=True)
class Database:
    """Which engine reads it, and how; ``guessed`` where Airflow hides its address from us."""

    options: DatabaseOptions
    guessed: bool = False


@dataclass(frozen=True)
class DatabaseContents:
    """What a set needs of the content of Airflow's database: versions of bundles, encrypted values."""

    versions: dict[str, str | None]
    """The version of each bundle that Airflow last saw."""

    encrypted: list[Encrypted]


def database_of(
    given: AirflowOptions, configuration: Configuration, context: EngineContext
) -> Database:
    """Return where the database is; ConfigError where only a connection could tell, and none is named."""
    if given.connection is not None:
        return Database(database_at(context.connections(given.connection), given.tools))
    found = configuration.get("database", "sql_alchemy_conn")
    hidden = configuration.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "").startswith(HIDDEN)
    address = found.text
    if hidden:
        address = configuration.in_file("database", "sql_alchemy_conn")
    elif found.unknown:
        raise ConfigError(
            f"the address of Airflow's database is not known here: {found.unknown}", hint=_NAME_IT
        )
    if not address:
        address = f"sqlite:///{configuration.home}/airflow.db"
    path = _file_in(address)
    if hidden and not os.path.exists(path):
        raise ConfigError("Airflow hides the address of its database from tasks", hint=_NAME_IT)
    return Database(SqliteOptions(engine="sqlite", path=path), guessed=hidden)


def contents_of(database: Database, context: EngineContext) -> DatabaseContents:
    """Ask the database; SourceError where it is not Airflow's, or perhaps not the one that Airflow uses."""
    with _asking(database.options, context) as ask:
        if database.guessed:
            _check_beats(ask, context)
        rows = ask("SELECT name, version FROM {}dag_bundle")
        versions = {_text(name): version and _text(version) for name, version in rows}
        connections = ask(_CONNECTIONS)
        variables = ask(_VARIABLES)
    return DatabaseContents(versions, [*_of_connections(connections), *_of_variables(variables)])


def _of_connections(rows: list[tuple[Any, ...]]) -> Iterator[Encrypted]:
    for name, password, extra, password_is, extra_is in rows:
        for value, is_encrypted in ((password, password_is), (extra, extra_is)):
            if value and is_encrypted:
                yield Encrypted(f"connection {_text(name)}", _text(value))


def _of_variables(rows: list[tuple[Any, ...]]) -> Iterator[Encrypted]:
    for number, value, is_encrypted in rows:
        if value and is_encrypted:
            yield Encrypted(f"variable {number}", _text(value))


def _check_beats(ask: Ask, context: EngineContext) -> None:
    """See that a living Airflow writes to it: a file that was left behind by a move to a server is no backup."""
    ((last,),) = ask("SELECT max(latest_heartbeat) FROM {}job")
    moment = None if last is None else datetime.fromisoformat(str(last))
    if moment is not None and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if moment is None or context.clock() - moment > _BEATS:
        raise SourceError(
            "Airflow hides the address of its database from tasks, and the file that its configuration names is "
            "not it: no scheduler wrote to it in the last minutes",
            hint=_NAME_IT,
        )


@contextmanager
def _asking(options: DatabaseOptions, context: EngineContext) -> Iterator[Ask]:
    if isinstance(options, PostgresOptions):
        with PostgresServer.of(options, context.connections).session() as session:
            before = _schema(session)
            yield lambda query: session.execute(query.format(before).encode()).fetchall()
    elif isinstance(options, MysqlOptions):
        with mysql.Server.of(options, context.connections).session() as session:
            found = mysql.ask(
                session,
                "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s",
                _MARK,
            )
            _must_be_airflow(found)
            yield lambda query: mysql.ask(session, query.format(""))
    else:
        with reading(_path_of(options, context)) as live:
            _must_be_airflow(
                live.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [_MARK]).fetchall()
            )
            yield lambda query: _fetched(live, query.format(""))


def _fetched(live: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    return live.execute(query).fetchall()


def _schema(session: Any) -> str:
    rows = session.execute(
        "SELECT n.nspname::bytea FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relname = %s AND c.relkind IN ('r', 'p') ORDER BY n.nspname <> 'public', n.nspname",
        [_MARK],
    ).fetchall()
    _must_be_airflow(rows)
    return quoting.name(rows[0][0].decode()) + "."


def _must_be_airflow(rows: list[Any]) -> None:
    if not rows:
        raise SourceError(
            f"the database is not that of an Airflow 3: it has no table {_MARK}",
            hint="does the connection lead to Airflow's metadata database, and was it migrated?",
        )


def _path_of(options: SqliteOptions, context: EngineContext) -> Path:
    path = options.path or file_of(context.connections(options.connection or ""))
    return Path(real_path(path, context.source_roots, what="the database"))


def _file_in(address: str) -> str:
    scheme, _, rest = address.partition("://")
    path = unquote(rest.partition("?")[0]).removeprefix("/")
    if scheme not in _SCHEMES:
        raise ConfigError(
            "the address of Airflow's database, on a server, is hidden from tasks", hint=_NAME_IT
        )
    if not path.startswith("/"):
        raise ConfigError(
            "Airflow's database has no absolute path in [database] sql_alchemy_conn", hint=_NAME_IT
        )
    return path


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
