"""
SQLite databases, through a consistent view, while others write: never a copy of the file.

The source is read inside one read transaction by SQLite's own backup API into a temporary copy;
held open, the transaction pins the snapshot, so the copy cannot be restarted by writers. The
copy is checked, its rows are counted, and then it is stored.

By hand::

    cat database.sqlite.*.zst | zstd -d > restored.sqlite
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    EngineError,
    SourceDenied,
    SourceError,
    SourceLocked,
    VerifyError,
)
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import Kind
from airflow_backup.engines.jail import open_target
from airflow_backup.engines.protocol import (
    DumpReport,
    RestoreReport,
    SetReader,
    Sink,
    Stream,
    Surroundings,
)
from airflow_backup.engines.scratch import check_room
from airflow_backup.schedules.base import Model
from airflow_backup.schedules.sources import SqliteSource

STREAM: Final = "database.sqlite"
_LOCK_TIMEOUT = 60.0
_PAGES_A_STEP = 4096
_CHUNK = 1024 * 1024
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._-]{0,199}")


class SqliteEngine:
    """Backs up one SQLite database."""

    name = "sqlite"
    version = "1"
    kinds = frozenset({Kind.FULL})

    def check(self, source: Model, around: Surroundings) -> list[BackupError]:
        """Return why the database cannot be read now, if it cannot."""
        try:
            with _reading(_path(source, around)):
                return []
        except BackupError as error:
            return [error]

    def dump(
        self,
        source: Model,
        around: Surroundings,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """Copy a snapshot, prove the copy, store it."""
        path = _path(source, around)
        with tempfile.TemporaryDirectory(prefix="backup-", dir=around.scratch) as folder:
            copy = Path(folder) / "copy.sqlite"
            with _reading(path) as live:
                consistent_at = around.clock()
                size = _size(live)
                check_room(around.scratch, size)
                around.reporter.begin("copying", bytes_total=size)
                _copy(live, copy, around.reporter)
            around.reporter.begin("checking")
            counts = _prove(copy, f"the copy of '{path}'")
            around.reporter.begin("storing", bytes_total=size)
            with sink.stream(STREAM) as stream:
                stored = _store(copy, stream, around.reporter)
            around.reporter.finish()
        return DumpReport(
            consistent_at=consistent_at,
            files=1,
            bytes_read=stored,
            tools={"sqlite": sqlite3.sqlite_version},
            counts=counts,
            state={"file": path.name},
        )

    def restore(
        self,
        path: Sequence[SetReader],
        target: Path,
        around: Surroundings,
        *,
        only: Sequence[str] = (),
    ) -> RestoreReport:
        """Write the database into an empty folder, under its old name, and prove it."""
        if len(path) != 1:
            raise EngineError("a database is restored from one full set", hint="see `kind`")
        os.close(open_target(target))
        manifest = path[0].manifest
        around.reporter.begin("restoring", bytes_total=manifest.totals.bytes_read)
        partial, final = target / ".restoring", target / _file_name(manifest.state)
        with partial.open("xb") as file:
            for block in path[0].blocks(STREAM):
                file.write(block)
                around.reporter.advance(bytes_done=len(block))
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        counts = _prove(partial, f"set '{manifest.set_id}'")
        if counts != manifest.counts:
            raise VerifyError(f"set '{manifest.set_id}' has not the rows its manifest states")
        partial.rename(final)
        around.reporter.finish()
        return RestoreReport(files=1, bytes_written=size)


def _path(source: Model, around: Surroundings) -> Path:
    if not isinstance(source, SqliteSource):
        raise EngineError(f"the sqlite engine cannot read a {type(source).__name__}")
    if source.path is not None:
        return Path(source.path)
    found = around.connections(source.connection or "")
    # Airflow keeps the path in the host; a URI with four slashes puts it into the schema.
    path = found.host or (f"/{found.schema}" if found.schema else "")
    if not path.startswith("/"):
        raise ConfigError(
            f"connection '{found.id}' does not name a database file",
            hint="put its absolute path into the host field",
        )
    return Path(path)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database with a snapshot pinned; makes nothing where nothing is."""
    _check_file(path)
    # Only mode=ro never creates the file, whatever happens between the check and here.
    address = f"file:{quote(str(path))}?mode=ro"
    with _errors(path):
        live = sqlite3.connect(address, uri=True, timeout=_LOCK_TIMEOUT, isolation_level=None)
    with closing(live), _errors(path):
        live.execute("BEGIN")
        live.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield live


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
def _errors(path: Path) -> Iterator[None]:
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


def _size(live: sqlite3.Connection) -> int:
    pages: int = live.execute("PRAGMA page_count").fetchone()[0]
    page_size: int = live.execute("PRAGMA page_size").fetchone()[0]
    return pages * page_size


def _copy(live: sqlite3.Connection, copy: Path, reporter: Reporter) -> None:
    page_size: int = live.execute("PRAGMA page_size").fetchone()[0]
    left_before: int | None = None

    def advance(status: int, left: int, total: int) -> None:
        nonlocal left_before
        before = total if left_before is None else left_before
        if left > before:
            raise EngineError("the copy was started over, although its snapshot is pinned")
        reporter.advance(bytes_done=(before - left) * page_size)
        left_before = left

    with closing(sqlite3.connect(copy, isolation_level=None)) as target:
        target.execute("PRAGMA synchronous=OFF")  # gone in a minute, and proven before it is used
        target.execute("PRAGMA journal_mode=OFF")
        live.backup(target, pages=_PAGES_A_STEP, progress=advance, sleep=0)


def _prove(path: Path, what: str) -> dict[str, int]:
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


def _store(copy: Path, stream: Stream, reporter: Reporter) -> int:
    size = 0
    with copy.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            stream.write(chunk)
            size += len(chunk)
            reporter.advance(bytes_done=len(chunk))
    if not size:
        raise EngineError("the copy of the database is empty")
    return size


def _file_name(state: dict[str, object]) -> str:
    name = str(state.get("file", ""))
    return name if _PLAIN_NAME.fullmatch(name) else STREAM
