"""A PostgreSQL server as a connection names it: sessions, snapshots, programs; the password never in an argument."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.errors import (
    EngineError,
    SourceDenied,
    SourceError,
    SourceUnavailable,
    ToolMissing,
)
from airflow_backup.core.process.process import Process
from airflow_backup.engines.postgres.client import libpq
from airflow_backup.engines.postgres.client.programs import fitting, version_of
from airflow_backup.engines.postgres.client.snapshot import Snapshot, begin_with_locks, first_line
from airflow_backup.engines.postgres.options import PostgresOptions

if TYPE_CHECKING:
    import psycopg

_DENIED = (
    "authentication failed",
    "no pg_hba.conf entry",
    "permission denied",
    "no password supplied",
)
_REPLICATING = ("pg_basebackup", "pg_receivewal")
_OURS = {
    "search_path": "pg_catalog",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "row_security": "off",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "lc_monetary": "C",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "client_min_messages": "warning",
}
"""
How our sessions work, whatever a server, a database or a role has set.

`row_security`: a role that may not see every row must fail, not read some of them.
"""

_THEIRS = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "array_nulls": "on",
    "standard_conforming_strings": "on",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "lc_monetary": "C",
}
"""
The same for programs that do not see to it themselves.

`array_nulls` changes what an array means, `lc_monetary` what an amount of money does: the same text is a hundred times
as much in another country.
"""

_SET = """
    SELECT set_config(there.name, wanted.value, false)
    FROM unnest(%s::text[], %s::text[]) AS wanted (name, value)
    JOIN pg_settings there ON there.name = wanted.name
"""
_WITHOUT_CODE = ("SQL_ASCII", "MULE_INTERNAL")
"""Encodings that convert to no other: what has one is read as bytes."""


@dataclass(frozen=True)
class Server:
    """Where the database is and who we are there; ``facts`` are libpq's keywords, without the password."""

    facts: Mapping[str, str]
    tools: str | None
    password: str | None = field(default=None, repr=False)
    version: int = 0
    """The major version, where a session has told it."""

    @classmethod
    def of(cls, source: PostgresOptions, connections: Connections) -> Server:
        """Read the connection of a source."""
        return cls.at(connections(source.connection), source.database, tools=source.tools)

    @classmethod
    def at(cls, found: Connection, database: str | None, *, tools: str | None = None) -> Server:
        """Read a connection; ``database`` is the connection's own when it is None."""
        return cls(libpq.parameters_of(found, database), tools, found.password)

    def other(self, database: str) -> Server:
        """Return the same server, with another database."""
        return replace(self, facts={**self.facts, "dbname": database})

    @property
    def database(self) -> str:
        """The name of the database."""
        return self.facts["dbname"]

    def connect(self, *, autocommit: bool = False) -> psycopg.Connection[Any]:
        """Open a session; raise SourceError, SourceDenied or ToolMissing."""
        try:
            import psycopg  # an extra; only those who back up PostgreSQL have it
            from psycopg.conninfo import make_conninfo
        except ImportError as error:
            raise ToolMissing(
                "the postgres engine needs psycopg", hint="pip install 'airflow-backup[postgres]'"
            ) from error
        facts: dict[str, Any] = {**self.facts, "password": self.password}
        connection = None
        try:
            with libpq.undisturbed():
                connection = psycopg.connect(make_conninfo("", **facts), autocommit=True)
            _settle(connection)
            connection.autocommit = autocommit
        except psycopg.Error as error:
            if connection is not None:
                connection.close()
            raise self._refusal(error) from error
        return connection

    def _refusal(self, error: psycopg.Error) -> SourceError | SourceDenied:
        what = f"database '{self.database}' on {self.facts.get('host', 'the local socket')}"
        text = str(error)
        if any(sign in text for sign in _DENIED):
            return SourceDenied(f"{what} lets nobody in: {first_line(error)}")
        if "role " in text and "does not exist" in text:
            return SourceDenied(f"{what} lets nobody in: {first_line(error)}")
        if "does not exist" in text:
            return SourceError(f"there is no {what}", hint="is `database` spelled right?")
        return SourceUnavailable(
            f"{what} cannot be reached: {first_line(error)}", hint="is the server up?"
        )

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """
        Hold a transaction open whose snapshot other sessions may share.

        Every table is locked first, against what a snapshot does not protect from: a table that is
        truncated or rewritten after the snapshot and before it is read looks empty.
        """
        import psycopg

        with self.connect(autocommit=True) as connection:
            try:
                begin_with_locks(connection)
                row = connection.execute(
                    "SELECT pg_export_snapshot()::bytea, pg_database_size(current_database())"
                ).fetchone()
                assert row is not None
                yield Snapshot(connection, row[0].decode(), int(row[1]))
                connection.execute("ROLLBACK")
            except psycopg.errors.InsufficientPrivilege as error:
                raise SourceDenied(
                    f"the role '{connection.info.user}' may not: {first_line(error)}",
                    hint="which privileges are needed: airflow-backup help privileges",
                ) from error
            except psycopg.Error as error:
                raise EngineError(f"PostgreSQL refuses: {first_line(error)}") from error

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a session in which every statement is its own transaction; what fails is an EngineError."""
        import psycopg

        with self.connect(autocommit=True) as connection:
            try:
                yield connection
            except psycopg.errors.InsufficientPrivilege as error:
                raise SourceDenied(
                    f"the role '{connection.info.user}' may not: {first_line(error)}",
                    hint="which privileges are needed: airflow-backup help privileges",
                ) from error
            except psycopg.Error as error:
                raise EngineError(f"PostgreSQL refuses: {first_line(error)}") from error

    def beside(self, session: psycopg.Connection[Any], *, tempered: bool = False) -> Server:
        """
        Return where a session of ours is, for programs that work beside it: the same server, by its name.

        ``tempered``: a program that sees to no settings itself gets ours, where the server's differ.
        """
        facts = {**self.facts, "port": str(session.info.port)}
        if "host" not in facts and "hostaddr" not in facts:
            facts["host"] = (
                session.info.host
            )  # a socket: each program may look in a folder of its own
        if "," in facts.get("host", "") or "," in facts.get("hostaddr", ""):
            facts["host"] = session.info.host
            facts.pop("hostaddr", None)
            facts.pop("load_balance_hosts", None)
        if tempered:
            rows = session.execute(
                "SELECT name::bytea, reset_val::bytea FROM pg_settings WHERE name = ANY(%s)",
                [list(_THEIRS)],
            ).fetchall()
            found = {name.decode(): value.decode("utf-8", "replace") for name, value in rows}
            differ = [name for name, value in found.items() if value != _THEIRS[name]]
            more = ["-c " + f"{name}={_THEIRS[name]}".replace(" ", "\\ ") for name in differ]
            options = " ".join([*([facts["options"]] if "options" in facts else []), *more])
            if options:
                facts["options"] = options
        return replace(self, facts=facts, version=session.info.server_version // 10000)

    def tool(self, program: str, *options: str, path: str | None = None) -> list[str]:
        """Return the command line of a client program, without the password."""
        facts = {
            key: value
            for key, value in self.facts.items()
            if program not in _REPLICATING or key != "dbname"
        }
        path = path or fitting(program, self.version, self.tools)
        return [path, *options, f"--dbname={libpq.conninfo(facts)}"]

    def start(self, program: str, *options: str) -> Process:
        """Start a client program, to be used in a ``with`` block."""
        return libpq.start(self.tool(program, *options), password=self.password)


def _settle(connection: psycopg.Connection[Any]) -> None:
    """Work as we do, before anything is asked; plain bytes, because the encoding is not known yet."""
    # One by one and first: with a limit of a millisecond no other statement would come to its end.
    connection.execute(b"SET statement_timeout TO 0")
    connection.execute(b"SET search_path TO pg_catalog")
    own = connection.info.parameter_status("server_encoding")
    encoding = "SQL_ASCII" if own in _WITHOUT_CODE else "UTF8"
    connection.execute(f"SET client_encoding TO '{encoding}'".encode())
    connection.execute(_SET, [list(_OURS), list(_OURS.values())])


def tool_version(server: Server, program: str) -> int:
    """Return the major version of a client program; raise ToolMissing."""
    return version_of(fitting(program, server.version, server.tools))
