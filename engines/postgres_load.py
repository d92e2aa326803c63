"""
Loads a logical PostgreSQL set into a running server.

A database that holds something is never written to: the set is loaded into a new database beside it,
its rows are counted, and only then does the new one take the old one's name.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

from airflow_backup.core import process
from airflow_backup.core.errors import (
    ConfigError,
    EngineError,
    Refused,
    SourceError,
    SourceUnavailable,
    VerifyError,
)
from airflow_backup.engines.postgres_logical import ARCHIVE, DUMP
from airflow_backup.engines.postgres_programs import find
from airflow_backup.engines.postgres_restore import unpack_dump, version_of_dump
from airflow_backup.engines.postgres_server import Server, count_rows
from airflow_backup.engines.protocol import RestoreReport, SetReader, Surroundings
from airflow_backup.engines.scratch import check_room, scratch_folder

if TYPE_CHECKING:
    import psycopg

_JOBS = 2
_HOLDS = """
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
"""


def load(
    reader: SetReader,
    around: Surroundings,
    *,
    connection: str,
    database: str | None,
    overwrite: bool,
) -> RestoreReport:
    """Load a set into a database of a running server, which is made when it is missing."""
    if reader.manifest.state.get("method") != "logical":
        raise ConfigError(
            "a physical set is a whole cluster and goes into no running server",
            hint="restore it to a folder, and start a server on that",
        )
    found = around.connections(connection)
    server = Server.at(found, database or found.schema or reader.manifest.state.get("database"))
    state = _state_of(server)
    if state == "holds" and not overwrite:
        raise Refused(
            f"the database '{server.database}' is not empty",
            hint="name a new one, or say that it may be replaced",
        )
    if state == "empty":
        written = _load_and_count(reader, server, around)
    else:
        written = _load_beside(reader, server, around, replace=state == "holds")
    return RestoreReport(files=1, bytes_written=written)


def _state_of(server: Server) -> str:
    try:
        with server.session() as session:
            row = session.execute(_HOLDS).fetchone()
    except SourceUnavailable:
        raise
    except SourceError:
        return "missing"
    return "holds" if row is not None and row[0] else "empty"


def _load_beside(reader: SetReader, server: Server, around: Surroundings, *, replace: bool) -> int:
    name, token = server.database, secrets.token_hex(4)
    new, old = f"restore_{token}", f"replaced_{token}"
    desk = server.other("postgres" if name != "postgres" else "template1")
    encoding = str(reader.manifest.state.get("encoding") or "UTF8")
    with desk.session() as session:
        _run(session, "CREATE DATABASE {} TEMPLATE template0 ENCODING {}", new, text=encoding)
    try:
        written = _load_and_count(reader, server.other(new), around)
        with desk.session() as session:
            if replace:
                _run(session, "ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
                session.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [name],
                )
                _run(session, "ALTER DATABASE {} RENAME TO {}", name, old)
            _run(session, "ALTER DATABASE {} RENAME TO {}", new, name)
    except BaseException:
        with desk.session() as session:
            _put_back(session, name=name, new=new, old=old)
        raise
    if replace:
        with desk.session() as session:
            _run(session, "DROP DATABASE {} WITH (FORCE)", old)
    return written


def _put_back(session: psycopg.Connection[Any], *, name: str, new: str, old: str) -> None:
    rows = session.execute("SELECT datname FROM pg_database").fetchall()
    there = {row[0] for row in rows}
    if old in there and name not in there:
        _run(session, "ALTER DATABASE {} RENAME TO {}", old, name)
        there.add(name)
    if name in there:
        _run(session, "ALTER DATABASE {} ALLOW_CONNECTIONS true", name)
    if new in there:
        _run(session, "DROP DATABASE {} WITH (FORCE)", new)


def _run(
    session: psycopg.Connection[Any], template: LiteralString, *names: str, text: str | None = None
) -> None:
    from psycopg import sql

    parts: list[sql.Composable] = [sql.Identifier(name) for name in names]
    if text is not None:
        parts.append(sql.Literal(text))
    session.execute(sql.SQL(template).format(*parts))


def _load_and_count(reader: SetReader, server: Server, around: Surroundings) -> int:
    around.reporter.begin("loading", bytes_total=reader.manifest.totals.bytes_read)
    written = load_dump(reader, server, around)
    around.reporter.begin("counting")
    with server.session() as session:
        found = count_rows(session)
    compare(reader.manifest.counts, found, reader.manifest.set_id)
    around.reporter.finish()
    return written


def compare(expected: Mapping[str, int], found: Mapping[str, int], set_id: str) -> None:
    """
    Raise VerifyError where a table has not the rows that it had.

    >>> compare({"public.a": 3}, {"public.a": 2}, "s")
    Traceback (most recent call last):
    airflow_backup.core.errors.VerifyError: 'public.a' has 2 rows, and in set 's' it had 3
    """
    for table, rows in expected.items():
        if found.get(table) != rows:
            raise VerifyError(
                f"'{table}' has {found.get(table, 'no')} rows, and in set '{set_id}' it had {rows}"
            )


def load_dump(
    reader: SetReader, server: Server, around: Surroundings, *, owners: bool = True
) -> int:
    """Run pg_restore on an empty database; everything goes in, or an EngineError comes out."""
    options = ["--exit-on-error", "--no-password"]
    if not owners:
        options += ["--no-owner", "--no-privileges"]
    program = find("pg_restore", **version_of_dump(reader))
    command = [program, *server.tool("pg_restore", *options)[1:]]
    with server.password_file() as environment:
        try:
            if ARCHIVE in reader.manifest.streams:
                return _load_folder(reader, command, around, environment)
            command.append("--single-transaction")
            process.feed(command, reader.blocks(DUMP), environment=environment)
        except EngineError as error:
            if "role" in error.message and "does not exist" in error.message:
                raise EngineError(
                    error.message, hint="make the roles first: psql -f globals.sql of the set"
                ) from error
            raise
    return sum(piece.raw_size for piece in reader.manifest.pieces_of(DUMP))


def _load_folder(
    reader: SetReader, command: list[str], around: Surroundings, environment: Mapping[str, str]
) -> int:
    check_room(around.scratch, reader.manifest.totals.bytes_read)
    with scratch_folder(around.scratch) as name:
        folder, _, size = unpack_dump(reader, Path(name), around.reporter)
        process.run([*command, f"--jobs={_JOBS}", str(folder)], environment=environment)
    return size
