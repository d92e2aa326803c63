"""A PostgreSQL server as a connection names it: sessions, snapshots, programs; the password never in an argument."""

from __future__ import annotations

import contextlib
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

_QUERY_CANCELED = "57014"
_TRIES, _LOCKED_AT_ONCE = 10, 200
_TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1
"""


_OWN_PATH = "SELECT reset_val FROM pg_settings WHERE name = 'search_path'"
_SCHEMAS = """
    SELECT quote_ident(nspname) FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY nspname <> 'public', nspname
"""


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
        return cls(libpq.facts_of(found, database), tools, found.password)

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
            return SourceDenied(f"{what} lets nobody in: {_first_line(error)}")
        if "role " in text and "does not exist" in text:
            return SourceDenied(f"{what} lets nobody in: {_first_line(error)}")
        if "does not exist" in text:
            return SourceError(f"there is no {what}", hint="is `database` spelled right?")
        return SourceUnavailable(
            f"{what} cannot be reached: {_first_line(error)}", hint="is the server up?"
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
                _begin_with_locks(connection)
                row = connection.execute(
                    "SELECT pg_export_snapshot()::bytea, pg_database_size(current_database())"
                ).fetchone()
            except psycopg.errors.InsufficientPrivilege as error:
                raise SourceDenied(
                    f"the role '{connection.info.user}' may not: {_first_line(error)}",
                    hint="which privileges are needed is in docs/how-to/databases.md",
                ) from error
            except psycopg.Error as error:
                raise EngineError(f"PostgreSQL refuses: {_first_line(error)}") from error
            assert row is not None
            yield Snapshot(connection, row[0].decode(), int(row[1]))
            connection.execute("ROLLBACK")

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a session in which every statement is its own transaction; what fails is an EngineError."""
        import psycopg

        with self.connect(autocommit=True) as connection:
            try:
                yield connection
            except psycopg.errors.InsufficientPrivilege as error:
                raise SourceDenied(
                    f"the role '{connection.info.user}' may not: {_first_line(error)}",
                    hint="which privileges are needed is in docs/how-to/databases.md",
                ) from error
            except psycopg.Error as error:
                raise EngineError(f"PostgreSQL refuses: {_first_line(error)}") from error

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
        # Where the database has an encoding that Python does not know, names come as bytes.
        raw = name if isinstance(name, bytes) else name.encode(connection.info.encoding)
        counts[text_of_name(name)] = _count(connection, raw)  # quoted by the server
    return counts


def _count(connection: psycopg.Connection[Any], table: bytes) -> int:
    """
    Count the rows of one table.

    To plan even that, the server reads the functions that the table's indexes call; one whose body names no
    schema is not understood with our search path. With which other one it is makes no difference to the count.
    """
    import psycopg

    try:
        return _count_with(connection, table, b"pg_catalog")
    except (psycopg.ProgrammingError, psycopg.DataError):
        rows = [connection.execute(_OWN_PATH).fetchone(), *connection.execute(_SCHEMAS).fetchall()]
        own, *schemas = [
            each if isinstance(each, bytes) else each.encode(connection.info.encoding)
            for (each,) in (row for row in rows if row is not None)
        ]
        for path in (own, b", ".join(schemas)):
            with contextlib.suppress(psycopg.Error):
                return _count_with(connection, table, path)
        raise


def _count_with(connection: psycopg.Connection[Any], table: bytes, path: bytes) -> int:
    with connection.transaction():
        connection.execute(b"SET LOCAL search_path TO " + (path or b"''"))
        row = connection.execute(b"SELECT pg_catalog.count(*) FROM " + table).fetchone()
        connection.execute("SET LOCAL search_path TO pg_catalog")  # also for what comes after us
        return int(row[0]) if row else 0


def text_of_name(name: str | bytes) -> str:
    """
    Return a name as text; bytes that are none in UTF-8 are written out.

    >>> text_of_name(b"caf\\xe9")
    'caf\\\\xe9'
    """
    return name if isinstance(name, str) else name.decode("utf-8", "backslashreplace")


def _settle(connection: psycopg.Connection[Any]) -> None:
    """Work as we do, before anything is asked; plain bytes, because the encoding is not known yet."""
    # One by one and first: with a limit of a millisecond no other statement would come to its end.
    connection.execute(b"SET statement_timeout TO 0")
    connection.execute(b"SET search_path TO pg_catalog")
    own = connection.info.parameter_status("server_encoding")
    encoding = "SQL_ASCII" if own in _WITHOUT_CODE else "UTF8"
    connection.execute(f"SET client_encoding TO '{encoding}'".encode())
    connection.execute(_SET, [list(_OURS), list(_OURS.values())])


def _begin_with_locks(connection: psycopg.Connection[Any]) -> None:
    """Begin a transaction that has locked every table before it takes its snapshot."""
    import psycopg

    for attempt in range(_TRIES):
        names = [row[0] for row in connection.execute(_TABLES).fetchall()]
        raw = [
            name if isinstance(name, bytes) else name.encode(connection.info.encoding)
            for name in names
        ]
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        try:
            for at in range(0, len(raw), _LOCKED_AT_ONCE):
                some = b", ONLY ".join(raw[at : at + _LOCKED_AT_ONCE])
                connection.execute(b"LOCK TABLE ONLY " + some + b" IN ACCESS SHARE MODE")
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            connection.execute("ROLLBACK")  # one was dropped meanwhile
            if attempt == _TRIES - 1:
                raise
        else:
            return


def tool_version(server: Server, program: str) -> int:
    """Return the major version of a client program; raise ToolMissing."""
    return version_of(fitting(program, server.version, server.tools))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
