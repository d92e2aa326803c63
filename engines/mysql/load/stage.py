"""
The databases beside: where a set is loaded before it takes its place, and what makes them ours.

Nothing here drops what others made: a database is only dropped when it carries our mark.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import Refused
from airflow_backup.engines.mysql.client.server import OWN, Server, ask, quoted

if TYPE_CHECKING:
    import pymysql

MARK = "airflow_backup_definitions"
"""The table that makes a database ours to drop, and holds what RENAME TABLE cannot move."""

_FOLLOWERS = """
    SELECT constraint_schema, table_name, referenced_table_name
    FROM information_schema.referential_constraints
    WHERE unique_constraint_schema = %s AND constraint_schema <> %s
"""
_ENGINES = """
    SELECT table_name, engine FROM information_schema.tables WHERE table_schema = %s
    AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')
"""
_FOLDER = re.compile(
    r"^(?:\) ENGINE=| *\(?(?:SUB)?PARTITION ).*\bDATA DIRECTORY ?= ?'", re.MULTILINE
)
_LONGEST = 64
"""Characters of a database's name."""

_HOLDS = """
    SELECT (SELECT count(*) FROM information_schema.tables WHERE table_schema = %s)
         + (SELECT count(*) FROM information_schema.routines WHERE routine_schema = %s)
         + (SELECT count(*) FROM information_schema.events WHERE event_schema = %s)
"""


def beside(name: str) -> str:
    """
    Return under which name a database is loaded before it takes its place.

    >>> beside("shop"), len(beside("s" * 64))
    ('shop__restoring', 64)
    """
    return long_name(name, "__restoring")


def long_name(name: str, end: str) -> str:
    """Return a name with an end, cut where a server knows no longer one."""
    if len(name) + len(end) > _LONGEST:
        mark = hashlib.sha256(name.encode()).hexdigest()[:6]
        name = f"{name[: _LONGEST - len(end) - 7]}_{mark}"
    return name + end


def holds(session: pymysql.Connection[Any], name: str) -> bool:
    """Whether a database has anything in it."""
    return bool(ask(session, _HOLDS, name, name, name)[0][0])


def check(session: pymysql.Connection[Any], name: str, *, overwrite: bool) -> None:
    """Raise Refused where ``name`` cannot be replaced, before anything is read."""
    if name.lower() in OWN:  # whatever the case: some servers do not tell it apart
        raise Refused(
            f"the database '{name}' is the server's own: its users and settings are in it",
            hint="load it under another name",
        )
    if holds(session, name) and not overwrite:
        raise Refused(
            f"the database '{name}' is not empty",
            hint="name a new one, or say that it may be replaced",
        )
    followers = ask(session, _FOLLOWERS, name, name)
    if followers:
        schema, table, parent = followers[0]
        raise Refused(
            f"the table '{schema}.{table}' refers to '{name}.{parent}' by a foreign key: "
            f"'{name}' cannot be replaced without changing '{schema}'",
            hint="load it under another name, or drop that key first",
        )
    _check_folders(session, name)
    stage = beside(name)
    if holds(session, stage) and not _is_ours(session, stage):
        raise Refused(
            f"there is a database '{stage}', which no restore has made",
            hint=f"'{name}' is loaded there before it takes its place: rename it",
        )


def _check_folders(session: pymysql.Connection[Any], name: str) -> None:
    """
    Raise Refused for a table with a folder of its own: moved to another database, InnoDB does not find it any more.
    """
    for table, engine in ask(session, _ENGINES, name):
        if engine != "InnoDB":
            continue
        ((_, made, *_),) = ask(session, f"SHOW CREATE TABLE {quoted(name, str(table))}")
        if _FOLDER.search(str(made)):
            raise Refused(
                f"the table '{name}.{table}' lies in a folder of its own (DATA DIRECTORY), and would not be found "
                "where the old database is kept",
                hint="load it under another name, or drop that table first",
            )


def _is_ours(session: pymysql.Connection[Any], name: str) -> bool:
    query = "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
    return bool(ask(session, query, name, MARK))


def drop_stage(session: pymysql.Connection[Any], name: str) -> None:
    """Remove what was loaded beside ``name``, now or by a restore that was killed."""
    stage = beside(name)
    if _is_ours(session, stage) or not holds(session, stage):
        ask(session, f"DROP DATABASE IF EXISTS {quoted(stage)}")


@contextmanager
def staged(server: Server, names: Iterable[str]) -> Iterator[None]:
    """Make the databases beside, one restore at a time for each name; at the end they are gone."""
    names = list(names)
    with server.session() as guard:
        for name in names:
            ((free,),) = ask(guard, "SELECT GET_LOCK(%s, 0)", f"airflow_backup {name[:40]}")
            if not free:
                raise Refused(f"another restore into '{name}' is under way", hint="let it end")
        try:
            with server.session() as session:
                for name in names:
                    drop_stage(session, name)
                    ask(session, f"CREATE DATABASE {quoted(beside(name))}")
                    mark(session, beside(name), name)
            yield
        finally:
            with server.session() as session:
                for name in names:
                    drop_stage(session, name)


def mark(session: pymysql.Connection[Any], database: str, of: str) -> None:
    """Make a database ours, for the one called ``of``."""
    ask(
        session,
        f"CREATE TABLE IF NOT EXISTS {quoted(database, MARK)}"
        " (number INT AUTO_INCREMENT PRIMARY KEY, of_database VARCHAR(64) CHARACTER SET utf8mb4, statements LONGBLOB)"
        f" ENGINE=InnoDB COMMENT='made by a restore of airflow-backup'",
    )
    table = quoted(database, MARK).replace("%", "%%")  # beside a value, % is a placeholder
    ask(
        session,
        f"INSERT INTO {table} (of_database, statements) VALUES (%s, '')",  # noqa: S608  # quoted
        of,
    )
