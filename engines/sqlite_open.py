"""Opening a live SQLite database with its snapshot pinned; what it answers, in our words."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from airflow_backup.core.errors import (
    EngineError,
    SourceDenied,
    SourceError,
    SourceLocked,
    VerifyError,
)

LOCK_TIMEOUT = 60.0


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database with a snapshot pinned; makes nothing where nothing is."""
    with closing(connect(path)) as live, errors(path):
        live.execute("BEGIN")
        live.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield live


def connect(path: Path) -> sqlite3.Connection:
    """Open the database for reading."""
    _check_file(path)
    # Only mode=ro never creates the file, whatever happens between the check and here.
    address = f"file:{quote(str(path))}?mode=ro"
    with errors(path):
        return sqlite3.connect(address, uri=True, timeout=LOCK_TIMEOUT, isolation_level=None)


def _check_file(path: Path) -> None:
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


@contextmanager
def errors(path: Path) -> Iterator[None]:
    """Say what SQLite's failures mean."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = error.sqlite_errorcode & 0xFF
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


def prove(path: Path, what: str) -> dict[str, int]:
    """Run ``quick_check`` and return the rows of each table."""
    address = f"file:{quote(str(path))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
            if found != ["ok"]:
                raise VerifyError(
                    f"{what} is damaged: {'; '.join(found)}",
                    hint="run PRAGMA integrity_check on the source",
                )
            return {table: _rows(connection, table) for table in _tables(connection)}
    except sqlite3.DatabaseError as error:
        raise VerifyError(
            f"{what} is damaged: {error}", hint="run PRAGMA integrity_check on the source"
        ) from error


def _tables(connection: sqlite3.Connection) -> list[str]:
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' "
        "ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL %' ORDER BY name"
    )
    return [name for (name,) in connection.execute(query)]


def _rows(connection: sqlite3.Connection, table: str) -> int:
    name = table.replace('"', '""')
    rows: int = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608 -- quoted
    return rows
