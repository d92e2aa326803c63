"""
Rolls a test server forward over stored binary logs, as a replica does, up to a moment.

A log holds the statements of a whole server. Played through a client, those of other databases run as well, and
those that were given while another database was the current one get lost. A replica knows which tables a
statement means, so the logs are given to one as its relay logs, and it is told which databases are wanted.
What it is asked to do and cannot, because the set does not hold what the statement reads, ends it with a reason.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import EngineError, ToolMissing
from airflow_backup.engines.mysql.binlog.events import first_since, is_about_others, switched_off
from airflow_backup.engines.mysql.binlog.replay import since
from airflow_backup.engines.mysql.client.rights import give
from airflow_backup.engines.mysql.client.server import Server, ask, quoted
from airflow_backup.engines.protocol import EngineContext, SetReader

if TYPE_CHECKING:
    import pymysql

INDEX = "relay.index"
_SERVER_ID = 4_294_967_290
"""Not that of any server whose log this is: a replica leaves out what it wrote itself."""

_ABOUT_USERS = (1133, 1141, 1147, 1268, 1269, 1396, 1403, 1404, 1410, 1524, 1699, 1959, 1960, 1961)
"""Errors that only statements about users, roles and grants give; those are of no database."""

_NO_DATABASE, _NO_DEFINER, _NO_ZONE = 1049, 1449, 1298
_NOT_ALLOWED = (1044, 1142, 1143, 1227, 1370)
_NO_TABLE = (1146, 1305)
_NOTHING_THERE = (1008, 1051, 1146, 1305, 1360, 1539)
"""A database, view, table, routine, trigger or event that does not exist."""

_QUERY = re.compile(r"on query\. Default database: '(.*?)'\. Query: '(.*)", re.DOTALL)
_READ_ALL = "has read all relay log"
_MOST_MENDED = 200


def options_of(folder: Path, files: Sequence[Path], databases: Iterable[str] | None) -> list[str]:
    """Return the options of a server that is to play ``files``, of which only ``databases`` are wanted."""
    stem = files[0].name.rpartition(".")[0]
    wanted = (
        [] if databases is None else [re.sub(r"([\\\\_%])", r"\\\1", each) for each in databases]
    )
    return [
        f"--server-id={_SERVER_ID}",
        f"--relay-log={folder / stem}",
        f"--relay-log-index={folder / INDEX}",
        "--relay-log-purge=OFF",
        "--slave-sql-verify-checksum=ON",
        f"--slave-skip-errors={','.join(map(str, _ABOUT_USERS))}",
        *(f"--replicate-wild-do-table={each}.%" for each in wanted),
    ]


def prepare(
    base: SetReader, files: Sequence[Path], folder: Path, *, stop: datetime | None
) -> list[Path]:
    """Write the list of what is played, cut off at ``stop``; return it."""
    begin = base.manifest.state["binlog"]
    wanted = since(files, begin["file"])
    if stop is not None:
        wanted = _cut(wanted, int(begin["offset"]), int(stop.timestamp()))
    (folder / INDEX).write_text("".join(f"{file}\n" for file in wanted))
    return wanted


def _cut(files: Sequence[Path], begin: int, stop: int) -> list[Path]:
    """Cut the files off before the first event that began at ``stop`` or later."""
    for number, file in enumerate(files):
        end = first_since(file, begin if number == 0 else 0, stop)
        if end is not None:
            with file.open("r+b") as log:
                log.truncate(end)
            return list(files[: number + 1])
    return list(files)


def play(
    server: Server,
    base: SetReader,
    files: Sequence[Path],
    context: EngineContext,
    *,
    only: str | None,
) -> None:
    """Play the logs on the test server that was started for them."""
    begin = base.manifest.state["binlog"]
    # A replica does not run the events of its primary, and forgets which ones that one does not run either.
    told = switched_off(files, int(begin["offset"]))
    with server.session() as session:
        off = _events(session)
        ask(
            session,
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_USER='nobody', MASTER_USE_GTID=no,"
            " RELAY_LOG_FILE=%s, RELAY_LOG_POS=%s",
            begin["file"],
            int(begin["offset"]),
        )
        _follow(session, server, files[-1], context, only=only)
        ask(session, "STOP SLAVE")
        ask(session, "RESET SLAVE ALL")
        for place in sorted(_events(session) - off):
            ask(
                session,
                "UPDATE mysql.event SET status = %s WHERE db = %s AND name = %s",
                "DISABLED" if told.get(place) else "ENABLED",
                *place,
            )


def _events(session: pymysql.Connection[Any]) -> set[tuple[str, str]]:
    rows = ask(session, "SELECT db, name FROM mysql.event WHERE status = 'SLAVESIDE_DISABLED'")
    return {(str(row[0]), str(row[1])) for row in rows}


def _follow(
    session: pymysql.Connection[Any],
    server: Server,
    last: Path,
    context: EngineContext,
    *,
    only: str | None,
) -> None:
    mended: dict[tuple[str, int, int], int] = {}
    ask(session, "START SLAVE SQL_THREAD")
    while True:
        context.reporter.advance()
        told = _status(session)
        number = int(told["Last_SQL_Errno"])
        place = str(told["Relay_Log_File"]), int(told["Relay_Log_Pos"])
        if number:
            mended[(*place, number)] = times = mended.get((*place, number), 0) + 1
            if _is_elsewhere(told, only):
                ask(session, "SET GLOBAL sql_slave_skip_counter = 1")
            elif times > 3 or len(mended) > _MOST_MENDED or not _mend(session, server, told):
                raise _reason(number, str(told["Last_SQL_Error"]), place, only)
            ask(session, "START SLAVE SQL_THREAD")
        elif told["Slave_SQL_Running"] != "Yes":
            raise EngineError(f"the binary log was not played to its end, it stopped at {place}")
        elif _READ_ALL in str(told["Slave_SQL_Running_State"]).lower() and place[0] >= last.name:
            return
        time.sleep(0.05)


def _status(session: pymysql.Connection[Any]) -> dict[str, Any]:
    with session.cursor() as cursor:
        cursor.execute("SHOW SLAVE STATUS")
        row = cursor.fetchone()
        assert row is not None
        return dict(zip([each[0] for each in cursor.description], row, strict=True))


def _is_elsewhere(told: Mapping[str, Any], only: str | None) -> bool:
    """Whether what failed is about another database than the wanted one: which tables are wanted does not tell all."""
    if only is None or int(told["Last_SQL_Errno"]) not in _NOTHING_THERE:
        return False
    found = _QUERY.search(str(told["Last_SQL_Error"]))
    return found is not None and is_about_others(found[2], found[1], only)


def _mend(session: pymysql.Connection[Any], server: Server, told: dict[str, Any]) -> bool:
    """Give the server what is outside every database and changes nothing in one: an empty database, a definer."""
    number, text = int(told["Last_SQL_Errno"]), str(told["Last_SQL_Error"])
    if number == _NO_DATABASE:
        found = re.search(r"Unknown database '(.+?)'' on query", text)
        if found is not None:
            ask(session, f"CREATE DATABASE IF NOT EXISTS {quoted(found[1])}")
        return found is not None
    if number in (_NO_DEFINER, *_NOT_ALLOWED):
        found = re.search(r"\('(.*?)'@'(.*?)'\)|user '(.*?)'@'(.*?)'", text)
        if found is not None:
            trust(session, found[1] or found[3] or "", found[2] or found[4] or "")
        return found is not None
    return number == _NO_ZONE and load_zones(server)


def trust(
    session: pymysql.Connection[Any],
    user: str,
    host: str,
    databases: Iterable[str] | None = None,
) -> None:
    """Make a user, or a role, in whose name a trigger runs: it may do everything in ``databases``, or in all."""
    who = f"{quoted(user)}@{quoted(host)}"
    try:
        ask(session, f"CREATE USER IF NOT EXISTS {who}")
        give(session, who, databases)
    except Exception:
        if host:
            raise
        ask(session, f"CREATE ROLE IF NOT EXISTS {quoted(user)}")
        give(session, quoted(user), databases)


def trust_definers(session: pymysql.Connection[Any]) -> None:
    """Make all in whose names there are views, triggers, routines and events: the log may have removed them."""
    rows = ask(
        session,
        "SELECT definer FROM information_schema.views UNION SELECT definer FROM information_schema.triggers"
        " UNION SELECT definer FROM information_schema.routines UNION SELECT definer FROM information_schema.events",
    )
    for (definer,) in rows:
        user, _, host = str(definer).rpartition("@")
        if user and not user.startswith("mariadb.sys"):
            trust(session, user, host)


def load_zones(server: Server) -> bool:
    """Teach the test server the names of time zones; False where this machine does not know them."""
    from airflow_backup.engines.mysql.client.client import apply
    from airflow_backup.engines.mysql.client.programs import told_by

    zones = Path("/usr/share/zoneinfo")
    try:
        program = server.tool("mariadb-tzinfo-to-sql")
        if not zones.is_dir():
            return False
        apply(server.other("mysql"), [told_by([program, str(zones)]).output])
    except ToolMissing:
        return False
    return True


def _reason(number: int, text: str, place: tuple[str, int], only: str | None) -> EngineError:
    where = f"at {place[1]} of '{place[0]}'"
    if number in _NO_TABLE and only is not None:
        found = re.search(r"Error '(Table|FUNCTION|PROCEDURE) '?([^' ]+)", text)
        what = "something" if found is None else f"'{found[2]}'"
        return EngineError(
            f"the binary log {where} has a statement of '{only}' that needs {what}, which the set does not hold",
            hint="restore the full set alone, or a set of all databases; with binlog_format = ROW this does not happen",
        )
    return EngineError(
        f"the binary log {where} cannot be played: error {number}",
        hint="does the set hold all that its statements need? the full set alone can be restored",
    )
