"""Opening a live SQLite database with its snapshot pinned; what it answers, in our words."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote

from airflow_backup.core.errors import (
    EngineError,
    SourceDenied,
    SourceError,
    SourceLocked,
    VerifyError,
)

LOCK_TIMEOUT = 60.0

Check = Literal["quick_check", "integrity_check"]


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database with a snapshot pinned; makes nothing where nothing is."""
    with closing(connect(path)) as live, errors(path):
        live.execute("BEGIN")
        live.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield live


def connect(path: Path) -> sqlite3.Connection:
    """Open the database for reading."""
    check_file(path)
    # Only mode=ro never creates the file, whatever happens between the check and here.
    address = f"file:{quote(str(path))}?mode=ro"
    with errors(path):
        return sqlite3.connect(address, uri=True, timeout=LOCK_TIMEOUT, isolation_level=None)


def check_file(path: Path) -> os.stat_result:
    """Return what the file is; SourceError when it is no database that can be read."""
    # The file is not opened here: closing any descriptor of it would drop the locks that this
    # process may hold on it through SQLite.
    hint = f"ls -l {path}"
    try:
        found = path.stat()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise SourceError(f"cannot read the database '{path}': {why}", hint=hint) from error
    if not stat.S_ISREG(found.st_mode):
        raise SourceError(f"'{path}' is not a file", hint=hint)
    if not os.access(path, os.R_OK):
        raise SourceDenied(f"may not read the database '{path}'", hint=hint)
    if not found.st_size:
        raise SourceError(f"'{path}' is empty, and not a database", hint=hint)
    return found


@contextmanager
def errors(path: Path) -> Iterator[None]:
    """Say what SQLite's failures mean."""
    try:
        yield
    except sqlite3.OperationalError as error:
        # Python's own, of a text that is not UTF-8, has no code.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            raise SourceDenied(
                f"cannot read the database '{path}': {error}",
                hint=f"reading in WAL mode needs to write beside it; ls -ld {path.parent}",
            ) from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise SourceLocked(
                f"the database '{path}' is locked by another process", hint=f"fuser -v {path}"
            ) from error
        raise EngineError(f"cannot read the database '{path}': {error}") from error
    except sqlite3.DatabaseError as error:
        raise SourceError(
            f"cannot read the database '{path}': {error}",
            hint=f"sqlite3 {path} 'PRAGMA integrity_check'",
        ) from error


class Looked(NamedTuple):
    """What a look through a database came to."""

    counts: dict[str, int]
    """The rows of each table."""

    uncounted: tuple[str, ...]
    """Tables whose rows could not be counted here."""

    unsaid: dict[str, str]
    """Tables that could not be looked through here, with their indexes, and why."""

    @property
    def notes(self) -> list[str]:
        """What could not be told, in words."""
        return [
            f"table '{table}' was not looked through: {why}" for table, why in self.unsaid.items()
        ]


def look_through(path: Path, what: str, *, check: Check = "quick_check") -> Looked:
    """
    Check a database and count the rows of each table; VerifyError when it is damaged.

    An application may have collations and functions of its own, in indexes, generated columns and checks.
    What needs them cannot be told here, and is not damage.
    """
    address = f"file:{quote(str(path))}?mode=ro&immutable=1"
    with telling_damage(what), closing(sqlite3.connect(address, uri=True)) as connection:
        # A name need not be UTF-8. Such a table is not found under what we make of its name, and not counted.
        connection.text_factory = lambda data: data.decode("utf-8", "backslashreplace")
        tables = _tables(connection)
        unsaid = _checked(connection, check, what)
        counts: dict[str, int] = {}
        uncounted: list[str] = []
        for table in tables:
            try:
                counts[table] = _rows(connection, table)
            except sqlite3.OperationalError as error:
                if not _lacks_something(error):
                    raise
                uncounted.append(table)
                unsaid.setdefault(table, str(error))
        return Looked(counts, tuple(uncounted), unsaid)


@contextmanager
def telling_damage(what: str) -> Iterator[None]:
    """Call damage what SQLite calls damage; anything else that it cannot do says nothing of the data."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise EngineError(f"{what} cannot be looked through: {error}") from error
        raise VerifyError(
            f"{what} is damaged: {error}", hint="run PRAGMA integrity_check on the source"
        ) from error


def _checked(connection: sqlite3.Connection, check: Check, what: str) -> dict[str, str]:
    """Check all tables at once, or one by one where something is missing; return what could not be."""
    try:
        _check(connection, f"PRAGMA {check}(5)", what)
        return {}
    except sqlite3.OperationalError as error:
        if not _lacks_something(error):
            raise
    unsaid: dict[str, str] = {}
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
        try:
            _check(connection, f"PRAGMA {check}({_quoted(table)})", what)
        except sqlite3.OperationalError as error:
            if not _lacks_something(error):
                raise
            unsaid[table] = str(error)
    return unsaid


def _check(connection: sqlite3.Connection, pragma: str, what: str) -> None:
    found = [row[0] for row in connection.execute(pragma)]
    if found != ["ok"]:
        raise VerifyError(
            f"{what} is damaged: {'; '.join(found)}",
            hint="run PRAGMA integrity_check on the source",
        )


def _lacks_something(error: sqlite3.OperationalError) -> bool:
    # A function, a collation, a module, an extension: SQLite has one code for all of them.
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_ERROR


def _tables(connection: sqlite3.Connection) -> list[str]:
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' "
        "ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL %' ORDER BY name"
    )
    return [name for (name,) in connection.execute(query)]


def _rows(connection: sqlite3.Connection, table: str) -> int:
    query = f"SELECT count(*) FROM {_quoted(table)} NOT INDEXED"  # noqa: S608 -- quoted
    rows: int = connection.execute(query).fetchone()[0]
    return rows


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
