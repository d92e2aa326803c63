"""
Fills an empty PostgreSQL database from a dump: as a whole by one `pg_restore`, else in parts.

As a whole is what nearly every dump allows, and needs no copy of it on a disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from airflow_backup.core.errors import EngineError, ToolMissing
from airflow_backup.core.process.process import Process
from airflow_backup.engines.postgres.client import libpq
from airflow_backup.engines.postgres.client.programs import find, version_of
from airflow_backup.engines.postgres.client.quoting import execute, name
from airflow_backup.engines.postgres.client.server import Server
from airflow_backup.engines.postgres.dump import ARCHIVE, DUMP
from airflow_backup.engines.postgres.load import parts, search_paths
from airflow_backup.engines.postgres.properties.model import Properties, properties_in
from airflow_backup.engines.postgres.properties.reading import read_properties
from airflow_backup.engines.postgres.properties.statements import create_statement
from airflow_backup.engines.postgres.restore import unpack_dump, version_of_dump
from airflow_backup.engines.protocol import EngineContext, SetReader
from airflow_backup.engines.shared.scratch import check_room, scratch_folder

How = Literal["whole", "parts", "either"]
"""``either``: as a whole, and where that fails for what parts may help with, anew in parts."""

MAKE_ROLES = "make the roles first: psql -f globals.sql of the set"
_JOBS = 2
LOADED_BY_OLDER = 17
"""From this version on pg_restore begins with a setting that older servers refuse."""


def load_dump(
    reader: SetReader,
    server: Server,
    context: EngineContext,
    *,
    options: tuple[str, ...] = (),
    warnings: list[str] | None = None,
    at_once: bool = True,
    how: How = "either",
) -> int:
    """
    Fill an empty database, and return the bytes of the dump; everything goes in, or an EngineError comes out.

    ``at_once``: in one transaction where it goes in as a whole, which leaves the database empty when it fails.
    """
    told = warnings if warnings is not None else []
    stream = ARCHIVE if ARCHIVE in reader.manifest.streams else DUMP
    try:
        try:
            if how == "parts":
                _load_parts(reader, server, context, options, told)
            else:
                _load_whole(reader, server, context, options, told, at_once=at_once)
                with server.session() as session:
                    search_paths.check_computed(session)
        except EngineError as error:
            if how != "either" or not search_paths.may_help(error):
                raise
            _empty(server)
            _load_parts(reader, server, context, options, told)
    except EngineError as error:
        if "role" in error.message and "does not exist" in error.message:
            raise EngineError(error.message, hint=MAKE_ROLES) from error
        raise
    return sum(piece.raw_size for piece in reader.manifest.pieces_of(stream))


def _load_whole(
    reader: SetReader,
    server: Server,
    context: EngineContext,
    options: tuple[str, ...],
    told: list[str],
    *,
    at_once: bool,
) -> None:
    with server.session() as session:
        server = server.beside(session, tempered=True)
    program = find("pg_restore", **version_of_dump(reader, context))
    if version_of(program) >= LOADED_BY_OLDER > server.version:
        load_as_text(reader, server, program, context, options, told, at_once=at_once)
    elif ARCHIVE in reader.manifest.streams:
        _load_folder(reader, server, program, context, options, told)
    else:
        more = ["--exit-on-error", "--no-password", *options]
        more += ["--single-transaction"] if at_once else []
        command = server.tool("pg_restore", *more, path=program)
        libpq.feed(command, reader.blocks(DUMP), password=server.password, warnings=told)


def _load_parts(
    reader: SetReader,
    server: Server,
    context: EngineContext,
    options: tuple[str, ...],
    told: list[str],
) -> None:
    program = find("pg_restore", **version_of_dump(reader, context))
    wanted = properties_in(reader)
    check_room(context.scratch, reader.manifest.totals.bytes_read)
    with scratch_folder(context.scratch) as scratch:
        dump, _, _ = unpack_dump(reader, Path(scratch), context.reporter)
        loading = parts.Parts(dump, program, server, options, _JOBS, told)
        loading.load(wanted, search_paths.search_paths(reader, wanted))


def _empty(server: Server) -> None:
    """Make the database anew, as it was made."""
    with server.session() as session:
        has = read_properties(session)
    with server.other("postgres").session() as session:
        version = session.info.server_version // 10000
        execute(session, f"DROP DATABASE {name(server.database)} WITH (FORCE)")
        execute(session, create_statement(server.database, has, version=version))
        execute(session, f"ALTER DATABASE {name(server.database)} OWNER TO {name(has.owner)}")
    remove_what_it_lacked(server, has)


def remove_what_it_lacked(server: Server, wanted: Properties) -> None:
    """Remove what every new database has, and this one had not."""
    with server.session() as session:
        if "plpgsql" in wanted.lacks:
            session.execute("DROP EXTENSION IF EXISTS plpgsql")
        if "public" in wanted.lacks:
            session.execute("DROP SCHEMA IF EXISTS public")


def _load_folder(
    reader: SetReader,
    server: Server,
    program: str,
    context: EngineContext,
    options: tuple[str, ...],
    warnings: list[str],
) -> None:
    check_room(context.scratch, reader.manifest.totals.bytes_read)
    more = ("--exit-on-error", "--no-password", f"--jobs={_JOBS}", *options)
    command = server.tool("pg_restore", *more, path=program)
    with scratch_folder(context.scratch) as scratch:
        folder, _, _ = unpack_dump(reader, Path(scratch), context.reporter)
        libpq.run([*command, str(folder)], password=server.password, warnings=warnings)


def load_as_text(
    reader: SetReader,
    server: Server,
    program: str,
    context: EngineContext,
    options: tuple[str, ...],
    warnings: list[str],
    *,
    at_once: bool,
) -> None:
    """Let psql read what pg_restore writes, without the settings that an older server does not know."""
    psql = find("psql", at_least=13, folder=context.tools)
    check_room(context.scratch, reader.manifest.totals.bytes_read)
    quiet = ["--no-psqlrc", "--quiet", "--no-password", "--output=/dev/null"]
    command = server.tool("psql", *quiet, "--set=ON_ERROR_STOP=1", path=psql)
    with scratch_folder(context.scratch) as scratch:
        dump, _, _ = unpack_dump(reader, Path(scratch), context.reporter)
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


_TITLE = {b"", b"--", b"-- PostgreSQL database dump"}
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
    # The first line that says anything: below it stand words of the dump, which anybody may have written.
    first = next((line for line in lines if line not in _TITLE), b"")
    if not first.startswith(b"\\restrict "):
        raise ToolMissing(
            "this pg_restore writes a script that psql could take commands from",
            hint="apt-get upgrade: a pg_restore of August 2025 or later",
        )
    kept = [line for line in lines if _UNKNOWN_BEFORE.get(line, 0) <= version]
    yield b"\n".join(kept)
    yield from rest
