"""
Loads a logical PostgreSQL set into a running server.

A database that holds something is never written to: the set is loaded into a new database beside it,
its rows are counted, and only then does the new one take the old one's name. What comes back is the same
database: its owner, the rights on it, its settings, locale and comment come from the set too.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import (
    ConfigError,
    EngineError,
    Refused,
    SourceError,
    SourceUnavailable,
    ToolMissing,
    VerifyError,
)
from airflow_backup.core.process.process import Process
from airflow_backup.engines.postgres.client import libpq
from airflow_backup.engines.postgres.client.programs import find, version_of
from airflow_backup.engines.postgres.client.server import Server, count_rows
from airflow_backup.engines.postgres.dump import ARCHIVE, DUMP
from airflow_backup.engines.postgres.properties import (
    Properties,
    create_statement,
    execute,
    name,
    properties_in,
    read_properties,
    roles_named,
    statements,
)
from airflow_backup.engines.postgres.restore import unpack_dump, version_of_dump
from airflow_backup.engines.protocol import RestoreReport, SetReader, Surroundings
from airflow_backup.engines.shared.scratch import check_room, scratch_folder

if TYPE_CHECKING:
    import psycopg

_JOBS, _TRIES, _TABLES_AT_ONCE = 2, 10, 200
_FIRST_OID = 16384
"""What PostgreSQL itself brings has a smaller number."""

_IN_SCHEMAS = {
    "pg_class": "relnamespace",
    "pg_proc": "pronamespace",
    "pg_type": "typnamespace",
    "pg_namespace": "oid",
}
_ALONE = (
    *(
        "pg_cast",
        "pg_collation",
        "pg_conversion",
        "pg_default_acl",
        "pg_event_trigger",
        "pg_extension",
    ),
    *("pg_foreign_data_wrapper", "pg_language", "pg_operator", "pg_publication", "pg_ts_config"),
)
_HOLDS = " UNION ALL ".join(
    [
        # Temporary tables of others do not count.
        *(
            f"SELECT 1 FROM {catalog} c WHERE c.oid >= {_FIRST_OID} AND NOT EXISTS "  # noqa: S608  # ours
            f"(SELECT 1 FROM pg_namespace n WHERE n.oid = c.{schema} AND n.nspname ~ '^pg_')"
            for catalog, schema in _IN_SCHEMAS.items()
        ),
        *(f"SELECT 1 FROM {catalog} WHERE oid >= {_FIRST_OID}" for catalog in _ALONE),  # noqa: S608  # ours
        "SELECT 1 FROM pg_largeobject_metadata",
    ]
)
_MAKE_ROLES = "make the roles first: psql -f globals.sql of the set"
_UNKNOWN_LOCALE = (
    "invalid locale name",
    "invalid LC_",
    "ICU is not supported",
    "could not open collator",
)
LOADED_BY_OLDER = 17
"""From this version on pg_restore begins with a setting that older servers refuse."""


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
    wanted = properties_in(reader)
    state, has = _state_of(server, wanted)
    if state == "holds" and not overwrite:
        raise Refused(
            f"the database '{server.database}' is not empty",
            hint="name a new one, or say that it may be replaced",
        )
    warnings: list[str] = []
    if wanted is None:
        warnings.append(_OLD.format(set_id=reader.manifest.set_id))
    # An empty one is used as it is where it is of the same kind: the role may be allowed no other.
    fits = has is not None and (wanted is None or _fits(has, wanted))
    if state == "empty" and fits and _fits_a_transaction(reader):
        written = _load_into(reader, server, wanted, around, warnings)
    else:
        written = _load_beside(reader, server, wanted, around, warnings, replace=state != "missing")
    return RestoreReport(files=1, bytes_written=written, warnings=warnings)


_OLD = (
    "set '{set_id}' is of a release that did not store the database's owner, rights and settings: "
    "pg_restore --create of its dump shows them"
)


def _fits_a_transaction(reader: SetReader) -> bool:
    """Whether a server as it comes has locks enough for all that one transaction would make."""
    return ARCHIVE not in reader.manifest.streams and len(reader.manifest.counts) <= _TABLES_AT_ONCE


def _fits(has: Properties, wanted: Properties) -> bool:
    return (has.fixed, has.tablespace) == (wanted.fixed, wanted.tablespace)


def _state_of(server: Server, wanted: Properties | None) -> tuple[str, Properties | None]:
    try:
        with server.session() as session:
            _check_server(session, wanted)
            holds = session.execute(_HOLDS.encode()).fetchone() is not None
            has = read_properties(session)
    except SourceUnavailable:
        raise
    except SourceError:
        return "missing", None
    return ("holds" if holds else "empty"), has


def _check_server(session: psycopg.Connection[Any], wanted: Properties | None) -> None:
    """Raise EngineError, before anything is made, where the server lacks what the database needs."""
    if wanted is None:
        return
    for what, query, needed, hint in (
        ("roles", "SELECT rolname::text FROM pg_roles", roles_named(wanted), _MAKE_ROLES),
        (
            "tablespaces",
            "SELECT spcname::text FROM pg_tablespace",
            {wanted.tablespace, *wanted.tablespaces},
            "CREATE TABLESPACE ... LOCATION ...; globals.sql of the set has theirs",
        ),
    ):
        there = {
            row[0].decode("utf-8", "surrogateescape") if isinstance(row[0], bytes) else row[0]
            for row in session.execute(query.encode()).fetchall()
        }
        lacking = sorted(needed - there)
        if lacking:
            # `role "..." does not exist` is how the server itself says it.
            one = what[:-1]
            told = ", ".join(f'"{each}"' for each in lacking)
            raise EngineError(
                f"{one if len(lacking) == 1 else what} {told} "
                f"{'does' if len(lacking) == 1 else 'do'} not exist on the server",
                hint=hint,
            )


def _desk(server: Server) -> Server:
    """Return a database of the server to work from, which is not the one that is made."""
    return server.other("postgres" if server.database != "postgres" else "template1")


def _load_beside(
    reader: SetReader,
    server: Server,
    wanted: Properties | None,
    around: Surroundings,
    warnings: list[str],
    *,
    replace: bool,
) -> int:
    own, token = server.database, secrets.token_hex(4)
    new, old = f"restore_{token}", f"replaced_{token}"
    desk = _desk(server)
    with desk.session() as session:
        _check_server(session, wanted)
        warnings += _left_behind(session)
        _create(session, new, wanted, str(reader.manifest.state.get("encoding") or "UTF8"))
    try:
        written = _load_into(reader, server.other(new), wanted, around, warnings)
        _take_the_name(desk, own, new, old if replace else None)
    except BaseException:
        with desk.session() as session:
            _remove(session, new)
        raise
    if replace:
        warnings += _drop_old(desk, old)
    return written


def _left_behind(session: psycopg.Connection[Any]) -> list[str]:
    """Name what a load that was killed has left on the server: nobody can tell whether it is still wanted."""
    rows = session.execute(
        "SELECT datname FROM pg_database d WHERE datname ~ '^(restore|replaced)_[0-9a-f]{8}$' "
        "AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datid = d.oid) ORDER BY 1"
    ).fetchall()
    return [
        f"a load that was killed has left the database '{row[0]}': DROP DATABASE {row[0]}"
        for row in rows
    ]


def _create(
    session: psycopg.Connection[Any], new: str, wanted: Properties | None, encoding: str
) -> None:
    version = session.info.server_version // 10000
    if wanted is None:
        execute(session, f"CREATE DATABASE {name(new)} TEMPLATE template0 ENCODING '{encoding}'")
        return
    import psycopg

    try:
        execute(session, create_statement(new, wanted, version=version))
    except psycopg.Error as error:
        if any(sign in str(error) for sign in _UNKNOWN_LOCALE):
            told = wanted.locale or wanted.collate
            raise EngineError(
                f"the server does not know the locale '{told}' of the database",
                hint="install it on the server's machine (locale-gen), or PostgreSQL with ICU",
            ) from error
        raise


def _drop_old(desk: Server, old: str) -> list[str]:
    """Remove what was replaced; a warning where the server keeps it, because the new one is in its place."""
    import psycopg

    with desk.connect(autocommit=True) as session:
        try:
            execute(session, f"ALTER DATABASE {name(old)} IS_TEMPLATE false")
            execute(session, f"DROP DATABASE {name(old)} WITH (FORCE)")
        except psycopg.Error as error:
            why = str(error).strip().splitlines()[0]
            return [f"what was replaced is still there as the database '{old}': {why}"]
    return []


def _take_the_name(desk: Server, own: str, new: str, old: str | None) -> None:
    """Let the new database have the name, and the old one another, at once: a kill leaves one or the other."""
    import psycopg

    with desk.connect(autocommit=True) as session:
        for attempt in range(_TRIES):
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%s)",
                [[own, new]],
            )
            try:
                with session.transaction():
                    if old is not None:
                        execute(session, f"ALTER DATABASE {name(own)} RENAME TO {name(old)}")
                    execute(session, f"ALTER DATABASE {name(new)} RENAME TO {name(own)}")
            except psycopg.errors.ObjectInUse as error:  # somebody came back in that moment
                if attempt == _TRIES - 1:
                    raise EngineError(
                        f"the database '{own}' cannot be replaced, because it is never left alone",
                        hint="stop what uses it, and load again",
                    ) from error
            except psycopg.Error as error:
                why = str(error).strip().splitlines()[0]
                raise EngineError(f"the database '{own}' cannot be replaced: {why}") from error
            else:
                return


def _remove(session: psycopg.Connection[Any], new: str) -> None:
    found = session.execute("SELECT datistemplate FROM pg_database WHERE datname = %s", [new])
    row = found.fetchone()
    if row is None:
        return
    if row[0]:
        execute(session, f"ALTER DATABASE {name(new)} IS_TEMPLATE false")
    execute(session, f"DROP DATABASE {name(new)} WITH (FORCE)")


def _load_into(
    reader: SetReader,
    server: Server,
    wanted: Properties | None,
    around: Surroundings,
    warnings: list[str],
) -> int:
    """Fill an empty database, compare its rows with the manifest, and make it what it was."""
    if wanted is not None:
        _become(
            server, wanted, rehearsal=True
        )  # what is not allowed is said before hours of loading
        _remove_what_it_lacked(server, wanted)
    around.reporter.begin("loading", bytes_total=reader.manifest.totals.bytes_read)
    # More than that go into a database of their own, which is removed again when something fails.
    at_once = _fits_a_transaction(reader)
    written = load_dump(reader, server, around, warnings=warnings, at_once=at_once)
    around.reporter.begin("counting")
    with server.session() as session:
        found = count_rows(session)
    compare(reader.manifest.counts, found, reader.manifest.set_id)
    if wanted is not None:
        _become(server, wanted)
    around.reporter.finish()
    return written


def _become(server: Server, wanted: Properties, *, rehearsal: bool = False) -> None:
    import psycopg

    with server.connect() as session:
        try:
            for statement in statements(server.database, read_properties(session), wanted):
                execute(session, statement)
        except psycopg.Error as error:
            why = str(error).strip().splitlines()[0]
            raise EngineError(
                f"the database cannot get its owner, rights and settings back: {why}",
                hint="load it as a superuser, or as a role that may do this",
            ) from error
        if rehearsal:
            session.rollback()
        else:
            session.commit()


def _remove_what_it_lacked(server: Server, wanted: Properties) -> None:
    with server.session() as session:
        if "plpgsql" in wanted.lacks:
            session.execute("DROP EXTENSION IF EXISTS plpgsql")
        if "public" in wanted.lacks:
            session.execute("DROP SCHEMA IF EXISTS public")


def compare(expected: Mapping[str, int], found: Mapping[str, int], set_id: str) -> None:
    """
    Raise VerifyError where a table has not the rows that it had.

    >>> compare({"public.a": 3}, {"public.a": 2}, "s")
    Traceback (most recent call last):
    airflow_backup.core.errors.VerifyError: 'public.a' has 2 rows, and in set 's' it had 3
    """
    found = named_as(expected, found)
    for table, rows in expected.items():
        if found.get(table) != rows:
            raise VerifyError(
                f"'{table}' has {found.get(table, 'no')} rows, and in set '{set_id}' it had {rows}"
            )


def named_as(expected: Mapping[str, int], found: Mapping[str, int]) -> dict[str, int]:
    """
    Return counts under the names that a set uses: which words need quotes differs from version to version.

    >>> named_as({"public.system_user": 1}, {'public."system_user"': 1, "public.b": 2})
    {'public.system_user': 1, 'public.b': 2}
    """
    names = {_unquoted(table): table for table in expected}
    return {names.get(_unquoted(table), table): rows for table, rows in found.items()}


def _unquoted(table: str) -> str:
    return re.sub(r'"([a-z_][a-z0-9_$]*)"', r"\1", table)


def load_dump(
    reader: SetReader,
    server: Server,
    around: Surroundings,
    *,
    options: tuple[str, ...] = (),
    warnings: list[str] | None = None,
    at_once: bool = True,
) -> int:
    """
    Run pg_restore on an empty database; everything goes in, or an EngineError comes out.

    ``at_once``: in one transaction, which leaves the database empty when it fails.
    """
    with server.session() as session:
        server = server.beside(session, tempered=True)
    program = find("pg_restore", **version_of_dump(reader, around))
    version = version_of(program)
    told = warnings if warnings is not None else []
    try:
        if version >= LOADED_BY_OLDER > server.version:
            load_as_text(reader, server, program, around, options, told, at_once=at_once)
        elif ARCHIVE in reader.manifest.streams:
            return _load_folder(reader, server, program, around, options, told)
        else:
            more = ["--exit-on-error", "--no-password", *options]
            more += ["--single-transaction"] if at_once else []
            command = server.tool("pg_restore", *more, path=program)
            libpq.feed(command, reader.blocks(DUMP), password=server.password, warnings=told)
    except EngineError as error:
        if "role" in error.message and "does not exist" in error.message:
            raise EngineError(error.message, hint=_MAKE_ROLES) from error
        raise
    stream = ARCHIVE if ARCHIVE in reader.manifest.streams else DUMP
    return sum(piece.raw_size for piece in reader.manifest.pieces_of(stream))


def _load_folder(
    reader: SetReader,
    server: Server,
    program: str,
    around: Surroundings,
    options: tuple[str, ...],
    warnings: list[str],
) -> int:
    check_room(around.scratch, reader.manifest.totals.bytes_read)
    more = ("--exit-on-error", "--no-password", f"--jobs={_JOBS}", *options)
    command = server.tool("pg_restore", *more, path=program)
    with scratch_folder(around.scratch) as scratch:
        folder, _, size = unpack_dump(reader, Path(scratch), around.reporter)
        libpq.run([*command, str(folder)], password=server.password, warnings=warnings)
    return size


def load_as_text(
    reader: SetReader,
    server: Server,
    program: str,
    around: Surroundings,
    options: tuple[str, ...],
    warnings: list[str],
    *,
    at_once: bool,
) -> None:
    """Let psql read what pg_restore writes, without the settings that an older server does not know."""
    psql = find("psql", at_least=13, folder=around.tools)
    check_room(around.scratch, reader.manifest.totals.bytes_read)
    quiet = ["--no-psqlrc", "--quiet", "--no-password", "--output=/dev/null"]
    command = server.tool("psql", *quiet, "--set=ON_ERROR_STOP=1", path=psql)
    with scratch_folder(around.scratch) as scratch:
        dump, _, _ = unpack_dump(reader, Path(scratch), around.reporter)
        with libpq.start([program, "--file=-", *options, str(dump)]) as writer:
            text = _older(writer.chunks(), server.version)
            if at_once:
                text = _in_one_transaction(text, writer)
            libpq.feed(command, text, password=server.password, warnings=warnings)
    warnings += libpq.warnings_in(writer)


def _in_one_transaction(text: Iterable[bytes], writer: Process) -> Iterator[bytes]:
    """
    Commit when the writer has ended well, and not because nothing more comes.

    psql's own ``--single-transaction`` commits at the end of its input, also when the writer was killed.
    """
    yield b"BEGIN;\n"
    yield from text
    writer.wait()
    yield b"\nCOMMIT;\n"


_UNKNOWN_BEFORE = {b"SET transaction_timeout = 0;": 17}


def _older(chunks: Iterable[bytes], version: int) -> Iterator[bytes]:
    """
    Leave the settings out of a script's head that a server of ``version`` does not know.

    ToolMissing where the script does not forbid psql's own commands: what a dump says is data, and
    must not run a program here.
    """
    head = b""
    rest = iter(chunks)
    for chunk in rest:
        head += chunk
        if (head.count(b"\nSET ") > 5 and b"\n\n" in head.rpartition(b"\nSET ")[2]) or len(
            head
        ) > 65536:
            break
    lines = head.split(b"\n")
    if not any(line.startswith(b"\\restrict ") for line in lines[:12]):
        raise ToolMissing(
            "this pg_restore writes a script that psql could take commands from",
            hint="apt-get upgrade: a pg_restore of August 2025 or later",
        )
    kept = [line for line in lines if _UNKNOWN_BEFORE.get(line, 0) <= version]
    yield b"\n".join(kept)
    yield from rest
