"""
Puts a database in the place of another on a live server: loaded beside, compared, and only then exchanged.

Tables change places in one RENAME TABLE, which a server does whole or not at all. Before it nothing of the old
database is touched but its triggers, which no table can be moved with, and those are written down first. The old
database stays, under a name that says what it is; views, triggers, routines and events of it are there as the
statements that make them, in the table ``airflow_backup_definitions``. Nothing here drops what others made: a
database is only dropped when it carries our mark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import BackupError, EngineError
from airflow_backup.engines.mysql.client.client import apply
from airflow_backup.engines.mysql.client.server import Server, ask, charset_words, quoted
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
from airflow_backup.engines.mysql.load.stage import MARK, beside, holds, long_name, mark, staged

if TYPE_CHECKING:
    import pymysql

_PATIENCE = 60
"""Seconds that the exchange waits for those who use the tables."""

_TABLES = """
    SELECT table_name FROM information_schema.tables WHERE table_schema = %s
    AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE') AND table_name <> %s ORDER BY 1
"""


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
        mark(session, kept, name)
    step.kept = kept
    table = quoted(kept, MARK).replace("%", "%%")
    query = f"UPDATE {table} SET statements = CONCAT(statements, %s)"  # noqa: S608  # quoted
    for begin in range(0, len(statements), 500_000):
        ask(session, query, statements[begin : begin + 500_000])


def _kept_as(session: pymysql.Connection[Any], name: str) -> str:
    """Return a name that no database has: two restores may end in one second."""
    moment = f"{utc_now():%Y%m%d_%H%M%S}"
    taken = {str(row[0]).lower() for row in ask(session, "SHOW DATABASES")}
    ends = (f"__replaced_{moment}{'' if n == 1 else f'_{n}'}" for n in count(1))
    return next(kept for end in ends if (kept := long_name(name, end)).lower() not in taken)


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
