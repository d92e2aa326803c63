"""
One database, or all but the server's own, by ``mariadb-dump`` or ``mysqldump``.

A set has the stream ``database.sql``. The rows of every table are counted by a second session whose
snapshot begins under the same short global read lock as that of the dump; the binary log's position
in the dump must then be the one that was read under the lock. Where the lock is not allowed, nothing
is counted rather than something else, and a warning says so.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import EngineError, SourceDenied
from airflow_backup.core.process.process import Process
from airflow_backup.engines.mysql.client.programs import environment
from airflow_backup.engines.mysql.client.replica import behind
from airflow_backup.engines.mysql.client.server import Server, ask
from airflow_backup.engines.mysql.dump_program import dump_command, lost_by, spoken, version_by
from airflow_backup.engines.mysql.left_out import (
    ALWAYS,
    empty_members,
    floats,
    is_dumped_as_bytes,
    letters,
    versioned,
)
from airflow_backup.engines.mysql.server_state import (
    Position,
    ServerState,
    Tables,
    databases,
    gtid_at,
    position,
    settings,
)
from airflow_backup.engines.mysql.test_server import SETTINGS
from airflow_backup.engines.protocol import DumpReport, EngineContext, Sink

if TYPE_CHECKING:
    import pymysql

DUMP = "database.sql"
COMPLETE = b"-- Dump completed"
HEADS = (b"-- MariaDB dump", b"-- MySQL dump")
_KEPT = 65536
_LOCK_TIMEOUT = 30
_BEGUN = 4096
_PLACE = re.compile(
    rb"(?:MASTER|SOURCE)_LOG_FILE='([^']+)', (?:MASTER|SOURCE)_LOG_POS=(\d+)", re.IGNORECASE
)
_SIZE = """
    SELECT COALESCE(SUM(data_length), 0) FROM information_schema.tables WHERE table_schema IN ({})
"""


def size_of(session: pymysql.Connection[Any], names: Sequence[str]) -> int:
    """Return how many bytes the tables of some databases take."""
    if not names:
        return 0
    ((size,),) = ask(session, _SIZE.format(", ".join(["%s"] * len(names))), *names)
    return int(size)


def dump_logical(server: Server, context: EngineContext, sink: Sink) -> DumpReport:
    """Dump, and count in the same snapshot."""
    with server.session() as session:
        server_state = ServerState.of(session)
        late = behind(session)
        names = databases(session, server)
        if not names:
            raise EngineError("the server has no database but its own")
        tables = Tables.of(session, names)
        size = size_of(session, names)
        charset = _charset_of(session, server.database)
        own = settings(session, SETTINGS)
        kept_history, odd = versioned(session, names), letters(session, names)
        as_bytes = is_dumped_as_bytes(session, names)
        doubts = [*floats(session, names), *empty_members(session, names)]
        has_place = server_state.has_binlog and _may_ask_for_position(session)
    context.reporter.begin("dumping", bytes_total=size or None)
    with CountingSession.beside(server, tables, has_place=has_place) as counting:
        command = dump_command(
            server,
            names,
            server_state,
            has_place=has_place,
            history=kept_history,
            as_bytes=as_bytes,
        )
        read = _dump(command, server, context, sink, counting)
        context.reporter.begin("counting")
        counts = counting.counts(read.place)
    context.reporter.finish()
    return DumpReport(
        consistent_at=counting.at or server_state.now,
        files=len(names),
        bytes_read=read.size,
        tools={"server": server_state.version, "dump": version_by(command[0])},
        counts=counts,
        warnings=[
            *late,
            *counting.warnings,
            *_unsafe(tables),
            *doubts,
            *lost_by(kept_history, odd, command),
        ],
        state={
            "method": "logical",
            "database": server.database,
            "databases": names,
            "charset": charset,
            "settings": own,
            "leaves_out": [*ALWAYS, *lost_by(kept_history, odd, command)],
            "identity": server_state.identity,
            "binlog": None if read.place is None else read.place.as_dict(),
        },
    )


def _charset_of(session: pymysql.Connection[Any], database: str | None) -> list[str] | None:
    """Return character set and collation of a database: a dump of one does not make it."""
    query = (
        "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata"
        " WHERE schema_name = %s"
    )
    rows = ask(session, query, database) if database is not None else ()
    return [str(word) for word in rows[0]] if rows else None


class CountingSession:
    """
    A session that sees what the dump sees.

    Its snapshot begins while a read lock stands, and the lock stands until the dump has begun: nothing
    is written between the two. Where the lock is refused, there is nothing to count in.
    """

    def __init__(self) -> None:
        self.at: datetime | None = None
        self.warnings: list[str] = []
        self._place: Position | None = None
        self._lock: pymysql.Connection[Any] | None = None
        self._counting: Future[dict[str, int]] | None = None
        self._number = 0
        self._is_late = False
        self._once = threading.Lock()

    @classmethod
    @contextmanager
    def beside(
        cls, server: Server, tables: Tables, *, has_place: bool
    ) -> Iterator[CountingSession]:
        """Take the lock, begin the snapshot, and start to count."""
        counting = cls()
        with server.session() as eye, server.session() as lock, ThreadPoolExecutor(1) as aside:
            counting._begin(eye, lock, has_place=has_place)
            if counting._lock is not None:
                counting._counting = aside.submit(tables.count, eye)
            timer = threading.Timer(_LOCK_TIMEOUT, counting.give_up)
            timer.start()
            try:
                yield counting
            except BaseException:
                with suppress(Exception):  # the count ends; what failed is raised
                    ask(lock, f"KILL QUERY {counting._number}")
                raise
            finally:
                timer.cancel()
                counting.release()

    def _begin(
        self, eye: pymysql.Connection[Any], lock: pymysql.Connection[Any], *, has_place: bool
    ) -> None:
        import pymysql

        try:
            ask(lock, f"SET SESSION lock_wait_timeout = {_LOCK_TIMEOUT}")
            ask(lock, "FLUSH TABLES WITH READ LOCK")
        except pymysql.Error as error:
            self.warnings.append(
                f"rows were not counted, because the lock that needs was refused: {error.args[-1]}"
            )
            return
        self._lock = lock
        ((self._number,),) = ask(eye, "SELECT CONNECTION_ID()")
        ask(eye, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        ask(eye, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
        ((now,),) = ask(lock, "SELECT UTC_TIMESTAMP(6)")
        self.at = now.replace(tzinfo=UTC)
        self._place = position(lock) if has_place else None

    def give_up(self) -> None:
        """Let the others write again, though the dump has not begun: what it will see is another moment."""
        self._is_late = self._lock is not None
        self.release()

    def release(self) -> None:
        """Let the others write again: the dump has begun, or takes too long to."""
        with self._once:
            lock, self._lock = self._lock, None
            if lock is not None:
                ask(lock, "UNLOCK TABLES")

    def counts(self, place: Position | None) -> dict[str, int]:
        """Return the rows, if the dump began at the place where we did."""
        if self._counting is None:
            return {}
        counts = self._counting.result()
        if place is None or self._place is None:
            is_same = not self._is_late
        else:
            is_same = place.is_same_moment(self._place)
        if is_same:
            return counts
        self.warnings.append("rows were not counted, because the dump began late")
        return {}


@dataclass(frozen=True, slots=True)
class _Read:
    size: int
    place: Position | None


def _dump(
    command: list[str],
    server: Server,
    context: EngineContext,
    sink: Sink,
    counting: CountingSession,
) -> _Read:
    size, head, tail = 0, b"", b""
    with sink.stream(DUMP) as stream, server.options_file() as options:
        whole = [command[0], f"--defaults-file={options}", *command[1:]]
        with Process(whole, environment=environment()) as child:
            for chunk in spoken(child.chunks(), command):
                stream.write(chunk)
                size += len(chunk)
                head += chunk[: _KEPT - len(head)]
                tail = (tail + chunk)[-_KEPT:]
                if size > _BEGUN:
                    counting.release()
                context.reporter.advance(bytes_done=len(chunk))
        counting.release()
        if not any(mark in head for mark in HEADS):
            raise EngineError("the dump program wrote nothing that is a dump")
        if COMPLETE not in tail[-4096:]:
            raise EngineError("the dump ended before its last line")
    return _Read(size, _place(head, server))


def _place(head: bytes, server: Server) -> Position | None:
    found = _PLACE.search(head)
    if found is None:
        return None
    file, offset = found[1].decode(), int(found[2])
    with server.session() as session:
        return Position(file, offset, gtid_at(session, file, offset))


def _may_ask_for_position(session: pymysql.Connection[Any]) -> bool:
    import pymysql

    try:
        position(session)
    except (pymysql.Error, SourceDenied):
        return False
    return True


def _unsafe(tables: Tables) -> Iterator[str]:
    if tables.unsafe:
        shown = ", ".join(tables.unsafe[:10]) + (" ..." if len(tables.unsafe) > 10 else "")
        yield f"not of one moment and not counted, because their engines know no transactions: {shown}"
