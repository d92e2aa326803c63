"""A view of a PostgreSQL server that all sessions of a dump share, and the rows that are in it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import EngineError

if TYPE_CHECKING:
    import psycopg


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
            raise EngineError(f"the rows cannot be counted: {first_line(error)}") from error

    def cancel(self) -> None:
        """Stop a count that is under way; a server that cannot be reached any more is no error of its own."""
        import psycopg

        with contextlib.suppress(psycopg.Error):
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


def begin_with_locks(connection: psycopg.Connection[Any]) -> None:
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


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
