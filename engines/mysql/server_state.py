"""What a MariaDB or MySQL server is, what it holds, where its binary log stands, and what we may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import BackupError, SourceDenied
from airflow_backup.engines.mysql.client.server import OWN, Server, ask, quoted

if TYPE_CHECKING:
    import pymysql

_NEEDED = ("SELECT", "SHOW VIEW", "TRIGGER", "EVENT")
_POSITION = ("SHOW MASTER STATUS", "SHOW BINARY LOG STATUS")
_TABLES = """
    SELECT t.table_schema, t.table_name, t.engine, e.transactions
    FROM information_schema.tables t LEFT JOIN information_schema.engines e ON e.engine = t.engine
    WHERE t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND t.table_schema IN ({})
    ORDER BY 1, 2
"""

_EVERYWHERE = "information_schema.user_privileges"
_BY_SCHEMA = "information_schema.schema_privileges"


@dataclass(frozen=True, slots=True)
class ServerState:
    """Version, identity and time of a server at one moment."""

    version: str
    identity: str
    """Which server it is: a set of another cannot be built upon."""

    has_binlog: bool
    datadir: str
    now: datetime
    """By its own clock, which is the one in its binary log."""

    @property
    def is_mariadb(self) -> bool:
        """Whether it is MariaDB, and not MySQL."""
        return "mariadb" in self.version.lower()

    @classmethod
    def of(cls, session: pymysql.Connection[Any]) -> ServerState:
        """Read the state of a server in one session."""
        ((version, host, port, number, datadir, binlog, now),) = ask(
            session,
            "SELECT @@version, @@hostname, @@port, @@server_id, @@datadir, @@log_bin, UTC_TIMESTAMP(6)",
        )
        return cls(
            version=str(version),
            identity=f"{host}:{port}:{number}:{datadir}",
            has_binlog=bool(binlog),
            datadir=str(datadir),
            now=now.replace(tzinfo=UTC),
        )


def settings(session: pymysql.Connection[Any], names: Sequence[str]) -> dict[str, str]:
    """Return the server's own settings of these names, those that it knows."""
    marks = ", ".join(["%s"] * len(names))
    rows = ask(session, f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({marks})", *names)
    return {str(name): str(value) for name, value in rows}


def number_of(file: str) -> int:
    """
    Return which file of the binary log it is: after number 999999 the names grow longer.

    >>> sorted(["b.1000000", "b.999999"], key=number_of)
    ['b.999999', 'b.1000000']
    """
    return int(file.rpartition(".")[2])


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the binary log."""

    file: str
    offset: int
    gtid: str | None = None
    """What MariaDB calls this place; where it calls it otherwise later, the log was begun anew."""

    def is_same_moment(self, other: Position) -> bool:
        """
        Whether nothing was committed between the two.

        Where transactions have names, those count: MariaDB adds checkpoints to its log whenever it
        likes, and with them bytes that are no change of anything.
        """
        if self.gtid is not None and other.gtid is not None:
            return self.gtid == other.gtid
        return (self.file, self.offset) == (other.file, other.offset)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {"file": self.file, "offset": self.offset, "gtid": self.gtid}


def position(session: pymysql.Connection[Any]) -> Position:
    """Return where the binary log stands."""
    import pymysql

    for query in _POSITION:
        try:
            rows = ask(session, query)
        except pymysql.err.ProgrammingError:
            continue  # the other server's word for it
        file, offset = str(rows[0][0]), int(rows[0][1])
        return Position(file, offset, gtid_at(session, file, offset))
    raise SourceDenied("the server does not say where its binary log stands")


def gtid_at(session: pymysql.Connection[Any], file: str, offset: int) -> str | None:
    """Return MariaDB's name for a place in the binary log; None where it has none."""
    import pymysql

    try:
        rows = ask(session, "SELECT BINLOG_GTID_POS(%s, %s)", file, offset)
    except pymysql.Error:
        return None  # MySQL has no such function
    return None if rows[0][0] is None else str(rows[0][0])


def lost(session: pymysql.Connection[Any], place: Position) -> str | None:
    """Return why a place is not in the server's binary log any more; None where it is."""
    if place.file not in _sizes(session):
        return f"'{place.file}' is gone"
    return differs(session, place)


def differs(session: pymysql.Connection[Any], place: Position) -> str | None:
    """Return why a file of the binary log is not the one that it was; None where it is, or is gone."""
    size = _sizes(session).get(place.file)
    if size is None:
        return None
    if place.offset > size:
        return f"'{place.file}' is shorter than it was"
    if place.gtid is not None and gtid_at(session, place.file, place.offset) != place.gtid:
        return f"'{place.file}' is another file than it was"
    return None


def _sizes(session: pymysql.Connection[Any]) -> dict[str, int]:
    return {str(row[0]): int(row[1]) for row in ask(session, "SHOW BINARY LOGS")}


def databases(session: pymysql.Connection[Any], server: Server) -> list[str]:
    """Return the databases that a logical set of the source holds."""
    if server.database is not None:
        return [server.database]
    names = [str(row[0]) for row in ask(session, "SHOW DATABASES")]
    return sorted(name for name in names if name.lower() not in OWN)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of some databases: those that one transaction can read, and the others."""

    safe: tuple[tuple[str, str], ...]
    unsafe: tuple[str, ...]

    @classmethod
    def of(cls, session: pymysql.Connection[Any], names: list[str]) -> Tables:
        """Read which tables these databases have, and which of them one transaction can read."""
        if not names:
            return cls((), ())
        query = _TABLES.format(", ".join(["%s"] * len(names)))
        rows = ask(session, query, *names)
        return cls(
            tuple((str(row[0]), str(row[1])) for row in rows if row[3] == "YES"),
            tuple(f"{row[0]}.{row[1]} ({row[2]})" for row in rows if row[3] != "YES"),
        )

    def count(self, session: pymysql.Connection[Any]) -> dict[str, int]:
        """Count the rows of the tables that one transaction can read."""
        counts = {}
        for database, table in self.safe:
            ((rows,),) = ask(session, f"SELECT count(*) FROM {quoted(database, table)}")  # noqa: S608  # quoted
            counts[f"{database}.{table}"] = int(rows)
        return counts


def not_seen(session: pymysql.Connection[Any], names: list[str]) -> list[BackupError]:
    """
    Return a problem for each database of which we may not see everything.

    What a user may not see is left out of a dump without a word: whole tables, triggers, events.
    """
    holders = _holders(session)
    marks = ", ".join(["%s"] * len(holders))
    everywhere = {
        str(row[0])
        for row in ask(
            session,
            f"SELECT privilege_type FROM {_EVERYWHERE} WHERE grantee IN ({marks})",  # noqa: S608 -- marks
            *holders,
        )
    }
    rows = ask(
        session,
        f"SELECT table_schema, privilege_type FROM {_BY_SCHEMA} WHERE grantee IN ({marks})",  # noqa: S608
        *holders,
    )
    problems: list[BackupError] = []
    for name in names:
        here = {str(row[1]) for row in rows if _covers(str(row[0]), name)}
        missing = [each for each in _NEEDED if each not in everywhere | here]
        if missing:
            problems.append(
                SourceDenied(
                    f"the user may not see all of database '{name}', it lacks {', '.join(missing)}",
                    hint=f"GRANT {', '.join(missing)} ON {quoted(name)}.* TO ...",
                )
            )
    return problems


def _holders(session: pymysql.Connection[Any]) -> list[str]:
    import pymysql

    ((user,),) = ask(session, "SELECT CURRENT_USER()")
    name, _, host = str(user).rpartition("@")
    holders = [f"'{name}'@'{host}'"]
    try:
        roles = ask(session, "SELECT role_name FROM information_schema.applicable_roles")
    except pymysql.Error:
        return holders
    return [*holders, *(f"'{row[0]}'@''" for row in roles), *(f"'{row[0]}'" for row in roles)]


def _covers(pattern: str, name: str) -> bool:
    """
    Whether a grant on a pattern of database names is one on ``name``.

    >>> _covers("shop\\\\_%", "shop_eu"), _covers("shop", "shops")
    (True, False)
    """
    import re

    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    words = {"%": ".*", "_": "."}
    text = "".join(words.get(part) or re.escape(part[-1]) for part in parts)
    return re.fullmatch(text, name, re.DOTALL) is not None
