"""Connections to the catalog: how they are set up, and what their errors mean in our words."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Transaction, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import (
    DisconnectionError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.pool import StaticPool

from airflow_backup.catalog.address import SQLITE, parsed, shown
from airflow_backup.core.errors import CatalogError, CatalogUnavailable

logger = logging.getLogger(__name__)

BUSY_TIMEOUT = 30.0
_SHORTEST_WAIT, _LONGEST_WAIT = 0.5, 10.0
_LIBPQ = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""Seconds, and milliseconds of the last: a network that is gone is an error, and not a wait for ever."""

_OTHER_TABLES = ("no such table", "no such column", "already exists", "duplicate column name")
"""What SQLite says, in an error of the same class as of a busy file, of tables that are others than expected."""

_TAKE_TURN = text("SELECT pg_advisory_xact_lock(:key)")


class Database:
    """An engine, with transactions that say beforehand whether they will write."""

    def __init__(self, url: str, *, patience: float = 0.0, make: bool = True) -> None:
        """Prepare for the database at ``url``; without ``make`` a file is neither made nor changed."""
        self.url = parsed(url)
        self.engine = _engine(self.url, make=make)
        self.patience = patience
        """Seconds for which a database that does not answer is asked again."""

    def impatient(self) -> Database:
        """Return the same database for those who do not wait for it."""
        twin = copy.copy(self)
        twin.patience = 0.0
        return twin

    @property
    def name(self) -> str:
        """The address for messages, without its passwords."""
        return shown(self.url)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file that SQLite keeps."""
        return self.url.get_backend_name() == SQLITE

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads."""
        with self._errors(), self._connected() as connection, _open(connection):
            yield connection

    @contextmanager
    def writing(self, *, alone: str | Iterable[str] = ()) -> Iterator[Connection]:
        """
        Open a transaction that writes; on SQLite it takes the write lock at once.

        Of those that name the same thing in ``alone`` one is at work at a time, on PostgreSQL too: whoever looks
        whether a row is there before it is written names it, for else two look, and the second one's row is one too
        many.
        """
        # A deferred transaction that starts to write after another one did fails at once,
        # whatever the busy timeout.
        with (
            self._errors(),
            self._connected(backup_writes=True) as connection,
            _open(connection),
        ):
            if not self.is_sqlite:
                # In one order, so that no two who name several things wait for each other.
                for key in sorted(map(_number_of, [alone] if isinstance(alone, str) else alone)):
                    connection.execute(_TAKE_TURN, {"key": key})
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _connected(self, **options: Any) -> Connection:
        """Return a connection that was seen to work, in a transaction then; wait for it as long as patience lasts."""
        give_up_at = time.monotonic() + self.patience
        wait = _SHORTEST_WAIT
        while True:
            try:
                connection = self.engine.connect().execution_options(**options)
                try:
                    if self.patience:
                        # On SQLite a transaction that writes waits here for who else writes.
                        connection.begin()
                        connection.exec_driver_sql("SELECT 1")
                except BaseException:
                    connection.close()
                    raise
                return connection
            except (OperationalError, InterfaceError) as error:
                if time.monotonic() + wait > give_up_at:
                    raise
                logger.warning("the catalog does not answer, and is asked again: %s", error.orig)
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise _worded(error, self) from error


def _number_of(name: str) -> int:
    """Return the number, of 64 bits with a sign, that stands for a name among PostgreSQL's advisory locks."""
    digest = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _open(connection: Connection) -> Transaction:
    return connection.get_transaction() or connection.begin()


def _engine(url: URL, *, make: bool) -> Engine:
    try:
        if url.get_backend_name() != SQLITE:
            return create_engine(
                url,
                pool_pre_ping=True,
                # Whatever the server's own default is: who waited for a lock sees what was committed meanwhile.
                isolation_level="READ COMMITTED",
                connect_args=_ends(url),
            )
        if url.database in (None, "", ":memory:"):
            engine = create_engine(url, poolclass=StaticPool)
        else:
            if make:
                _prepare_file(Path(url.database))
            engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT})
            _follow_file(engine, Path(url.database))
    except ImportError as error:
        raise CatalogError(
            f"no driver for {url.drivername} is installed", hint="pip install 'psycopg[binary]'"
        ) from error
    event.listen(engine, "connect", _set_up if make else _set_up_to_look)
    event.listen(engine, "begin", _begin)
    return engine


def _follow_file(engine: Engine, file: Path) -> None:
    """
    Open a file anew where another one has its name: a copy was put back.

    A connection that was kept would go on with the one that is gone; what it writes would be lost, and nobody told.
    """

    def note(connection: Any, record: Any) -> None:
        record.info["file"] = _file_at(file)

    def compare(connection: Any, record: Any, proxy: Any) -> None:
        if _file_at(file) not in (None, record.info["file"]):
            raise DisconnectionError(f"{file} is another file now")

    event.listen(engine, "connect", note)
    event.listen(engine, "checkout", compare)


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:  # moved away: SQLite would make an empty one in its place
        return None
    return found.st_dev, found.st_ino


def _ends(url: URL) -> dict[str, Any]:
    """Return what lets libpq notice that nobody answers, where the address does not say it itself."""
    if url.get_driver_name() not in ("psycopg", "psycopg2"):
        return {}
    return {name: value for name, value in _LIBPQ.items() if name not in url.query}


def _prepare_file(file: Path) -> None:
    """Make a new file for its owner alone: the catalog says what lies where, and what may be restored."""
    if not file.parent.is_dir():
        raise CatalogError(
            f"the folder of the catalog '{file}' does not exist", hint=f"mkdir -p {file.parent}"
        )
    with contextlib.suppress(OSError):  # it is there, or SQLite says why it cannot be
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _set_up(connection: Any, record: object) -> None:
    # The driver begins transactions by itself, and late; SQLAlchemy's `begin` event does it.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA cache_size=-16000")  # a thousand schedules are looked up at once
    if connection.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
        _switch_to_wal(connection)


def _set_up_to_look(connection: Any, record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only=ON")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # The switch needs the file for itself, and SQLite does not wait for that.
    give_up_at = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("backup_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _worded(error: SQLAlchemyError, database: Database) -> CatalogError:
    """Word an error; one that may be over in a minute is of a class that is worth a retry then."""
    worded = _told(error, database)
    if isinstance(error, (OperationalError, InterfaceError)) and not (
        _is_about_tables(error) or "malformed" in worded.message
    ):
        return CatalogUnavailable(worded.message, hint=worded.hint)
    return worded


def _is_about_tables(error: SQLAlchemyError) -> bool:
    """Whether the tables are not what the statement takes them for; PostgreSQL has an error of its own for it."""
    text = str(getattr(error, "orig", None) or error)
    return isinstance(error, ProgrammingError) or any(sign in text for sign in _OTHER_TABLES)


def _told(error: SQLAlchemyError, database: Database) -> CatalogError:
    cause = getattr(error, "orig", None) or error
    text = str(cause).strip().partition("\n")[0]
    message = f"the catalog {database.name} failed: {text}"
    if _is_about_tables(error) and "permission denied" not in text:
        return CatalogError(message, hint="airflow-backup db check")
    if not database.is_sqlite:
        return CatalogError(message, hint="is the server up, and may this user connect?")
    path = database.url.database
    if "locked" in text or "busy" in text:
        return CatalogError(message, hint=f"who holds it? fuser -v {path}")
    if "not a database" in text or "malformed" in text:
        return CatalogError(message, hint=f"move {path} away, then rebuild it: airflow-backup sync")
    return CatalogError(message, hint=f"may this user read and write it? ls -l {path}*")
