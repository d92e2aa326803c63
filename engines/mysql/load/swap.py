"""
Puts a database in the place of another on a live server: loaded beside, compared, and only then exchanged.

Tables change places in one RENAME TABLE, which a server does whole or not at all. Before it nothing of the old
database is touched but its triggers, which no table can be moved with, and those are written down first. The old
database stays, under a name that says what it is; views, triggers, routines and events of it are there as the
statements that make them, in the table ``airflow_backup_definitions``. Nothing here drops what others made: a
database is only dropped when it carries our mark.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from airflow_backup.core.errors import BackupError, EngineError, Refused
from airflow_backup.engines.mysql.client.client import apply
from airflow_backup.engines.mysql.client.server import (
    OWN,
    Server,
    ask,
    charset_words,
    quoted,
)
from airflow_backup.engines.mysql.load.definitions import (
    ALL,
    ONLY_TRIGGERS,
    check_all,
    clear,
    grant_again,
    grants_of,
    statements_of,
)
from airflow_backup.engines.mysql.load.dump_parts import Parts
from airflow_backup.engines.mysql.load.head import tempered

if TYPE_CHECKING:
    import pymysql

MARK = "airflow_backup_definitions"
"""The table that makes a database ours to drop, and holds what RENAME TABLE cannot move."""

_PATIENCE = 60
"""Seconds that the exchange waits for those who use the tables."""

_TABLES = """
    SELECT table_name FROM information_schema.tables WHERE table_schema = %s
    AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE') AND table_name <> %s ORDER BY 1
"""
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
    return _long(name, "__restoring")


def _long(name: str, end: str) -> str:
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
    """Raise Refused for a table with a folder of its own: moved to another database, InnoDB does not find it any more."""
    for table, engine in ask(session, _ENGINES, name):
        if engine != "InnoDB":
            continue
        ((_, made, *_),) = ask(session, f"SHOW CREATE TABLE {quoted(name, str(table))}")
        if _FOLDER.search(str(made)):
            raise Refused(
                f"the table '{name}.{table}' lies in a folder of its own (DATA DIRECTORY), and would not be found where "
                "the old database is kept",
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
                    _mark(session, beside(name), name)
            yield
        finally:
            with server.session() as session:
                for name in names:
                    drop_stage(session, name)


def _mark(session: pymysql.Connection[Any], database: str, of: str) -> None:
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


def exchange(
    server: Server,
    names: Sequence[str],
    definitions: IO[bytes],
    *,
    only: str | None,
    charset: Sequence[str] | None,
) -> dict[str, str]:
    """
    Let what was loaded beside take its place; return where the old databases are kept.

    Where the new views, triggers, routines and events cannot be made, the old databases are put back.
    """
    steps = {name: _Step() for name in names}
    with server.session() as session:
        ask(session, f"SET SESSION lock_wait_timeout = {_PATIENCE}")
        for name in names:
            ask(session, f"CREATE DATABASE IF NOT EXISTS {quoted(name)}")
        before = {name: _charset(session, name) for name in names}
        grants = {name: grants_of(session, name) for name in names}
        try:
            for name, step in steps.items():
                if holds(session, name):
                    _keep(server, session, name, step)
                _turn(session, name, step)
                clear(session, name)
            if only is not None:
                _set_charset(session, only, charset)
            apply(server.other(only), _pieces(definitions))
            for name in names:
                grant_again(session, name, grants[name])
        except BaseException as error:
            _undo(server, steps, before, error)
            raise
    return {name: step.kept for name, step in steps.items() if step.kept is not None}


@dataclass(slots=True)
class _Step:
    """How far the exchange of one database came: only what was done is undone."""

    kept: str | None = None
    """The database in which the old one is kept; None as long as there is none, or nothing to keep."""

    triggers: bytes = b""
    """The statements that make the old triggers, which are dropped before tables can move."""

    has_dropped: bool = False
    """Whether a trigger of the old database was dropped, or is about to be."""

    has_moved: bool = False
    """Whether the tables have changed places, or are about to."""


def _undo(
    server: Server,
    steps: Mapping[str, _Step],
    before: Mapping[str, Sequence[str] | None],
    error: BaseException,
) -> None:
    try:
        with server.session() as session:
            for name, step in steps.items():
                if step.has_moved and _is_moved(session, name, step):
                    _put_back(server, session, name, step.kept, before[name])
                elif step.has_dropped:
                    apply(server.other(name), [step.triggers])
                    _drop_empty(session, step.kept)
                else:
                    _drop_empty(session, step.kept)
    except BackupError as second:
        places = (
            ", ".join(f"'{name}' in '{each.kept}'" for name, each in steps.items() if each.kept)
            or "untouched"
        )
        raise EngineError(
            f"{error}; and what was there could not be put back: {second.message}",
            hint=f"the old databases are there: {places}",
        ) from error


def _is_moved(session: pymysql.Connection[Any], name: str, step: _Step) -> bool:
    """Whether the tables changed places; who asked may have lost the answer."""
    if step.kept is not None:
        return bool(_moves(session, step.kept, name))
    return not _moves(session, beside(name), name)


def _drop_empty(session: pymysql.Connection[Any], kept: str | None) -> None:
    """Drop the database that was made to keep the old one, when nothing was moved into it."""
    if kept is not None and not ask(session, _TABLES, kept, MARK):
        ask(session, f"DROP DATABASE IF EXISTS {quoted(kept)}")


def _keep(server: Server, session: pymysql.Connection[Any], name: str, step: _Step) -> None:
    """Make the database in which the old one is kept, with what makes its views, triggers, routines and events."""
    statements = statements_of(server, name, *ALL)
    check_all(session, name, statements)
    step.triggers = statements_of(server, name, *ONLY_TRIGGERS)
    kept = _unfinished(session, name)
    if kept is None:
        kept = _kept_as(session, name)
        charset = _charset(session, name)
        words = "" if charset is None else charset_words(charset)
        ask(session, f"CREATE DATABASE {quoted(kept)} {words}")
        step.kept = kept
        _mark(session, kept, name)
    step.kept = kept
    table = quoted(kept, MARK).replace("%", "%%")
    query = f"UPDATE {table} SET statements = CONCAT(statements, %s)"  # noqa: S608  # quoted
    for begin in range(0, len(statements), 500_000):
        ask(session, query, statements[begin : begin + 500_000])


def _kept_as(session: pymysql.Connection[Any], name: str) -> str:
    """Return a name that no database has: two restores may end in one second."""
    moment = f"{datetime.now(UTC):%Y%m%d_%H%M%S}"
    taken = {str(row[0]).lower() for row in ask(session, "SHOW DATABASES")}
    ends = (f"__replaced_{moment}{'' if n == 1 else f'_{n}'}" for n in count(1))
    return next(kept for end in ends if (kept := _long(name, end)).lower() not in taken)


def _unfinished(session: pymysql.Connection[Any], name: str) -> str | None:
    """Return where a restore that was killed meant to keep the old one, and had written down its triggers."""
    query = (
        "SELECT table_schema FROM information_schema.tables WHERE table_name = %s ORDER BY 1 DESC"
    )
    for (schema,) in ask(session, query, MARK):
        if "__replaced_" in schema and not ask(session, _TABLES, schema, MARK):
            owners = ask(session, f"SELECT of_database FROM {quoted(schema, MARK)}")  # noqa: S608  # quoted
            if owners and owners[0][0] == name:
                return str(schema)
    return None


def _turn(session: pymysql.Connection[Any], name: str, step: _Step) -> None:
    """Move the old tables away and the new ones in, all or none."""
    moves = []
    if step.kept is not None:
        step.has_dropped = True
        for (trigger,) in ask(
            session,
            "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = %s",
            name,
        ):
            ask(session, f"DROP TRIGGER {quoted(name, trigger)}")
        moves += _moves(session, name, step.kept)
    moves += _moves(session, beside(name), name)
    if moves:
        step.has_moved = True
        ask(session, f"RENAME TABLE {', '.join(moves)}")


def _moves(session: pymysql.Connection[Any], source: str, target: str) -> list[str]:
    tables = [str(row[0]) for row in ask(session, _TABLES, source, MARK)]
    return [f"{quoted(source, table)} TO {quoted(target, table)}" for table in tables]


def _put_back(
    server: Server,
    session: pymysql.Connection[Any],
    name: str,
    kept: str | None,
    charset: Sequence[str] | None,
) -> None:
    """Undo an exchange whose tables have changed places."""
    clear(session, name)
    moves = _moves(session, name, beside(name))
    moves += [] if kept is None else _moves(session, kept, name)
    if moves:
        ask(session, f"RENAME TABLE {', '.join(moves)}")
    if kept is None:
        return
    clear(session, name)
    _set_charset(session, name, charset)
    ((statements,),) = ask(session, f"SELECT statements FROM {quoted(kept, MARK)}")  # noqa: S608  # quoted
    apply(server.other(name), [statements])
    ask(session, f"DROP DATABASE {quoted(kept)}")


def _charset(session: pymysql.Connection[Any], name: str) -> list[str] | None:
    rows = ask(
        session,
        "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata"
        " WHERE schema_name = %s",
        name,
    )
    return [str(word) for word in rows[0]] if rows else None


def _set_charset(
    session: pymysql.Connection[Any], name: str, charset: Sequence[str] | None
) -> None:
    if charset is not None:
        ask(session, f"ALTER DATABASE {quoted(name)} {charset_words(charset)}")


def _pieces(definitions: IO[bytes]) -> Iterator[bytes]:
    definitions.seek(0)
    while piece := definitions.read(1 << 20):
        yield piece


def install(
    server: Server,
    blocks: Iterable[bytes],
    names: Mapping[str, str],
    *,
    only: str | None,
    compare: Callable[[Mapping[str, str]], None],
    charset: Sequence[str] | None,
) -> dict[str, str]:
    """
    Load a dump beside, let ``compare`` look at it, and exchange; return where the old databases are kept.

    ``names`` are the databases of the dump, and what they are called here. Of ``only`` one the dump says
    neither name nor ``charset``.
    """
    stages = {there: beside(here) for there, here in names.items()}
    with staged(server, names.values()), TemporaryFile() as definitions:
        parts = Parts(tempered(blocks), definitions, names=names, beside=stages, only=only)
        if only is not None:
            with server.session() as session:
                _set_charset(session, stages[only], charset)
        apply(server.other(None if only is None else stages[only]), parts.tables())
        compare(stages)
        here = None if only is None else names[only]
        return exchange(server, [*names.values()], definitions, only=here, charset=charset)
