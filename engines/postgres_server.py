"""A PostgreSQL server as a connection names it: sessions, snapshots, programs; the password never in an argument."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.errors import (
    EngineError,
    SourceDenied,
    SourceError,
    SourceUnavailable,
    ToolMissing,
)
from airflow_backup.engines.postgres_programs import program_path, version_of
from airflow_backup.engines.scratch import scratch_folder
from airflow_backup.schedules.sources import PostgresSource

if TYPE_CHECKING:
    import psycopg

_PASSED_ON = ("sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "options")
_DENIED = (
    "authentication failed",
    "no pg_hba.conf entry",
    "permission denied",
    "no password supplied",
)
_REPLICATING = ("pg_basebackup", "pg_receivewal")
_QUERY_CANCELED = "57014"
_TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1
"""


@dataclass(frozen=True)
class Server:
    """Where the database is and who we are there; ``facts`` are libpq's keywords, without the password."""

    facts: Mapping[str, str]
    tools: str | None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, source: PostgresSource, connections: Connections) -> Server:
        """Read the connection of a source."""
        return cls.at(connections(source.connection), source.database, tools=source.tools)

    @classmethod
    def at(cls, found: Connection, database: str | None, *, tools: str | None = None) -> Server:
        """Read a connection; ``database`` is the connection's own when it is None."""
        facts = {
            "host": found.host,
            "port": str(found.port) if found.port else None,
            "user": found.login,
            "dbname": database or found.schema or "postgres",
            **{key: str(found.extra[key]) for key in _PASSED_ON if key in found.extra},
        }
        known = {key: value for key, value in facts.items() if value}
        return cls(known, tools, found.password)

    def other(self, database: str) -> Server:
        """Return the same server, with another database."""
        return replace(self, facts={**self.facts, "dbname": database})

    @property
    def database(self) -> str:
        """The name of the database."""
        return self.facts["dbname"]

    def connect(self) -> psycopg.Connection[Any]:
        """Open a session; raise SourceError, SourceDenied or ToolMissing."""
        try:
            import psycopg  # an extra; only those who back up PostgreSQL have it
            from psycopg.conninfo import make_conninfo
        except ImportError as error:
            raise ToolMissing(
                "the postgres engine needs psycopg", hint="pip install 'airflow-backup[postgres]'"
            ) from error
        facts: dict[str, Any] = {"connect_timeout": "20", **self.facts, "password": self.password}
        try:
            return psycopg.connect(make_conninfo("", **facts))
        except psycopg.OperationalError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: psycopg.OperationalError) -> SourceError | SourceDenied:
        what = f"database '{self.database}' on {self.facts.get('host', 'the local socket')}"
        text = str(error)
        if any(sign in text for sign in _DENIED):
            return SourceDenied(f"{what} lets nobody in: {_first_line(error)}")
        if "does not exist" in text:
            return SourceError(f"there is no {what}", hint="is `database` spelled right?")
        return SourceUnavailable(
            f"{what} cannot be reached: {_first_line(error)}", hint="is the server up?"
        )

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Hold a transaction open whose snapshot other sessions may share."""
        with self.connect() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute("SET LOCAL row_security = off")
            row = connection.execute(
                "SELECT pg_export_snapshot(), pg_database_size(current_database())"
            ).fetchone()
            assert row is not None
            yield Snapshot(connection, str(row[0]), int(row[1]))
            connection.rollback()

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a session in which every statement is its own transaction; what fails is an EngineError."""
        import psycopg

        with self.connect() as connection:
            connection.autocommit = True
            try:
                yield connection
            except psycopg.errors.InsufficientPrivilege as error:
                raise SourceDenied(
                    f"the role '{connection.info.user}' may not: {_first_line(error)}",
                    hint="which privileges are needed is in docs/how-to/databases.md",
                ) from error
            except psycopg.Error as error:
                raise EngineError(f"PostgreSQL refuses: {_first_line(error)}") from error

    def tool(self, program: str, *options: str) -> list[str]:
        """Return the command line of a client program, without the password."""
        facts = {
            key: value
            for key, value in self.facts.items()
            if program not in _REPLICATING or key != "dbname"
        }
        conninfo = " ".join(f"{key}={_quoted(value)}" for key, value in facts.items())
        return [program_path(self.tools, program), *options, f"--dbname={conninfo}"]

    @contextmanager
    def password_file(self) -> Iterator[dict[str, str]]:
        """Write the password where libpq reads it and nobody else can; yield the environment for it."""
        if self.password is None:
            yield {}
            return
        with scratch_folder() as folder:
            file = Path(folder) / "pgpass"
            text = re.sub(r"([\\:])", r"\\\1", self.password)
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(f"*:*:*:*:{text}\n")
            yield {"PGPASSFILE": str(file)}


@dataclass(frozen=True)
class Snapshot:
    """A moment of the database that stays as it is: its name for other sessions, and its size in bytes."""

    connection: psycopg.Connection[Any]
    id: str
    size: int

    @property
    def version(self) -> str:
        """The server's version."""
        return self.connection.info.parameter_status("server_version") or "?"

    @property
    def encoding(self) -> str:
        """The database's encoding."""
        return self.connection.info.parameter_status("server_encoding") or "UTF8"

    def count_rows(self) -> dict[str, int]:
        """Count the rows of every table; EngineError where the role may not see all of them."""
        import psycopg

        try:
            return count_rows(self.connection)
        except psycopg.Error as error:
            raise EngineError(f"the rows cannot be counted: {_first_line(error)}") from error

    def cancel(self) -> None:
        """Stop a count that is under way."""
        self.connection.cancel()

    @staticmethod
    def was_cancelled(error: EngineError) -> bool:
        """Whether a count failed only because it was stopped."""
        return getattr(error.__cause__, "sqlstate", None) == _QUERY_CANCELED


def count_rows(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Count the rows of every table that is not the server's or an extension's own."""
    counts = {}
    for (name,) in connection.execute(_TABLES).fetchall():
        row = connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchone()  # noqa: S608  # quoted by the server
        counts[str(name)] = int(row[0]) if row else 0
    return counts


def tool_version(source: PostgresSource, program: str) -> int:
    """Return the major version of a client program; raise ToolMissing."""
    return version_of(program_path(source.tools, program))


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
