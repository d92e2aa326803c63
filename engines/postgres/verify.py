"""Proves stored PostgreSQL sets: decodes them without a server, or restores them into a throwaway one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_backup.core.errors import (
    EngineError,
    Inconclusive,
    ScratchFull,
    SourceError,
    ToolMissing,
    VerifyError,
)
from airflow_backup.core.words import Kind
from airflow_backup.engines.postgres import test_server as throwaway
from airflow_backup.engines.postgres.client import libpq
from airflow_backup.engines.postgres.client.programs import find
from airflow_backup.engines.postgres.client.quoting import execute, name
from airflow_backup.engines.postgres.client.server import Server, count_rows, text_of_name
from airflow_backup.engines.postgres.dump import ARCHIVE, DUMP, GLOBALS
from airflow_backup.engines.postgres.load.counts import named_as
from airflow_backup.engines.postgres.load.whole import load_dump as load_whole
from airflow_backup.engines.postgres.physical.dump import BASE
from airflow_backup.engines.postgres.properties.model import Properties, properties_in
from airflow_backup.engines.postgres.properties.statements import create_statement
from airflow_backup.engines.postgres.questions import ask
from airflow_backup.engines.postgres.restore import (
    prove,
    restore_physical,
    restoring_command,
    unpack_dump,
    unpack_logs,
    version_of_dump,
)
from airflow_backup.engines.postgres.trial import load_dump, make_owner, open_to_owner
from airflow_backup.engines.protocol import Proof, SetReader, Surroundings
from airflow_backup.engines.shared.scratch import check_room, scratch_folder
from airflow_backup.engines.shared.tar_unpack import unpack
from airflow_backup.engines.shared.test_server import Place, place

_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"


def decode(path: Sequence[SetReader], around: Surroundings) -> Proof:
    """Decode the last set of ``path`` to its end."""
    reader = path[-1]
    try:
        if reader.manifest.state.get("method") != "physical":
            return _decode_dump(reader, around)
        if reader.manifest.kind is Kind.ARCHIVE_LOG:
            return _decode_log(reader, around)
        return _decode_base(reader, around)
    except (ToolMissing, ScratchFull) as error:
        return Proof(inconclusive=error.message)


def _decode_dump(reader: SetReader, around: Surroundings) -> Proof:
    program = find("pg_restore", **version_of_dump(reader, around))
    if ARCHIVE in reader.manifest.streams:
        with _room(reader, around) as folder:
            dump, _, _ = unpack_dump(reader, folder, around.reporter)
            prove([program, "--file=/dev/null", str(dump)], reader)
    else:
        _feed([program, "--file=/dev/null"], reader, DUMP)
    tail = b""
    for block in reader.blocks(GLOBALS):
        tail = (tail + block)[-4096:]
    if b"PostgreSQL database cluster dump complete" not in tail:
        raise VerifyError(f"'{GLOBALS}' of set '{reader.manifest.set_id}' has no last line")
    return Proof(checks=("pg_restore decoded the whole dump", "the roles end in their last line"))


def _decode_base(reader: SetReader, around: Surroundings) -> Proof:
    program = find("pg_verifybackup", **version_of_dump(reader, around))
    with _room(reader, around) as folder:
        unpack(reader, BASE, folder, around.reporter)
        prove([program, "--exit-on-error", str(folder)], reader)
    return Proof(checks=("pg_verifybackup found every file and its WAL as the server wrote them",))


def _decode_log(reader: SetReader, around: Surroundings) -> Proof:
    state = reader.manifest.state
    program = find("pg_waldump", at_least=int(state["server"]), exactly=True, folder=around.tools)
    wal: dict[str, Any] = state["wal"]
    with _room(reader, around) as folder:
        unpack_logs([reader], folder, around.reporter)
        span = [f"--start={wal['begin']}", f"--end={wal['end']}", f"--timeline={wal['timeline']}"]
        prove([program, "--stats", f"--path={folder}", *span], reader)
    return Proof(checks=(f"pg_waldump read every record from {wal['begin']} to {wal['end']}",))


def _feed(command: Sequence[str], reader: SetReader, stream: str) -> None:
    try:
        libpq.feed(command, reader.blocks(stream))
    except ToolMissing:
        raise
    except EngineError as error:
        raise VerifyError(
            f"set '{reader.manifest.set_id}' is not whole: {error.message}"
        ) from error


@contextmanager
def _room(reader: SetReader, around: Surroundings) -> Iterator[Path]:
    check_room(around.scratch, reader.manifest.totals.bytes_read)
    with scratch_folder(around.scratch) as name:
        yield Path(name)


def try_restore(
    path: Sequence[SetReader], around: Surroundings, *, assertions: Sequence[str] = ()
) -> Proof:
    """Restore into a throwaway server, count every table and ask the assertions."""
    try:
        expected = sum(each.manifest.totals.bytes_read for each in path)
        with place(around, expected=expected) as where:
            if path[0].manifest.state.get("method") == "physical":
                return _try_physical(path, where, around, assertions)
            return _try_logical(path[0], where, around, assertions)
    except (ToolMissing, ScratchFull, Inconclusive) as error:
        return Proof(inconclusive=error.message)


def _try_logical(
    reader: SetReader, where: Place, around: Surroundings, assertions: Sequence[str]
) -> Proof:
    check_room(around.scratch, 3 * reader.manifest.totals.bytes_read)
    # A newer server reads an older dump; an older one does not know all of its words.
    version = reader.manifest.version_of("postgresql")[0]
    data, superuser = throwaway.new_cluster(where, version=version, folder=around.tools)
    program = find("postgres", at_least=version, folder=around.tools)
    around.reporter.begin("restoring", bytes_total=reader.manifest.totals.bytes_read)
    wanted = properties_in(reader)
    objects = len(reader.manifest.counts)
    with throwaway.running(
        where, data, program, around, superuser=superuser, objects=objects
    ) as server:
        target, loader, is_alike = _make_database(server, reader, wanted)
        # Where things lie on a disk is the original's own; who owns them is known where a set says so.
        options = ["--no-tablespaces"]
        options += ["--no-owner", "--no-privileges"] if wanted is None else []
        try:
            try:
                told = load_dump(
                    reader,
                    target,
                    loader,
                    around,
                    options=options,
                    is_closed=where.cage.is_closed,
                )
            except (EngineError, Inconclusive) as error:
                if isinstance(error, ToolMissing) or not where.cage.is_closed:
                    raise
                try:
                    target, told = _as_superuser(reader, server, wanted, around, options)
                except EngineError as again:
                    if isinstance(
                        error, Inconclusive
                    ):  # what it asks for is not to be had in a sandbox either
                        raise error from again
                    raise
        except ToolMissing:
            raise
        except EngineError as error:
            if throwaway.is_not_here(error.message):
                raise Inconclusive(
                    f"a server of this machine lacks what the database needs: {error.message}"
                ) from error
            if not is_alike:  # what is sorted another way may break a constraint or a partition
                raise Inconclusive(
                    f"this machine lacks the database's locale, and with another one: {error.message}"
                ) from error
            raise VerifyError(
                f"set '{reader.manifest.set_id}' cannot be restored: {error.message}"
            ) from error
        around.reporter.begin("counting")
        with target.session() as session:
            counts = named_as(reader.manifest.counts, count_rows(session))
        ask(target, assertions)
    checks = (*_told(counts, assertions), *told)
    return Proof(counts=counts, checks=checks, isolation=where.cage.holds)


def _as_superuser(
    reader: SetReader,
    server: Server,
    wanted: Properties | None,
    around: Surroundings,
    options: Sequence[str],
) -> tuple[Server, list[str]]:
    """
    Load a set as a restore does, into a new database; return that, and what is to be told of it.

    For what an owner's rights do not bring in. Only inside a sandbox that starts no program and opens no file:
    code of the database may do here what a superuser may.
    """
    with server.session() as session:
        for statement in () if wanted is None else _powers(wanted):
            execute(session, statement)
    with server.connect(autocommit=True) as session:
        execute(session, "DROP DATABASE restored WITH (FORCE)")
    target, _ = _new_database(server, reader, wanted)
    load_whole(reader, target, around, options=tuple(options))
    return target, [
        "loaded by a superuser of the sandbox: the rights of its owner do not bring it in"
    ]


def _make_database(
    server: Server, reader: SetReader, wanted: Properties | None
) -> tuple[Server, Server, bool]:
    """Make an empty database, its roles and who loads it; tell whether it is like the original."""
    with server.session() as session:
        for statement in () if wanted is None else _roles(wanted):
            execute(session, statement)
    target, is_alike = _new_database(server, reader, wanted)
    with target.session() as session:
        loader = make_owner(session, wanted, target)
        open_to_owner(session, loader, is_owner=wanted is None)
    return target, loader, is_alike


def _new_database(
    server: Server, reader: SetReader, wanted: Properties | None
) -> tuple[Server, bool]:
    """Make an empty database; tell whether it is like the original."""
    import psycopg

    encoding = str(reader.manifest.state.get("encoding") or "UTF8")
    plain = Properties(name="", owner="", encoding=encoding, collate="C", ctype="C")
    is_alike = wanted is not None
    with server.connect(autocommit=True) as session:
        version = session.info.server_version // 10000
        try:
            like = (wanted or plain).model_copy(update={"tablespace": "pg_default"})
            execute(session, create_statement("restored", like, version=version))
        except psycopg.Error:  # a locale that this machine has not
            is_alike = False
            execute(session, create_statement("restored", plain, version=version))
    target = server.other("restored")
    with target.session() as session:
        if wanted is not None:
            execute(session, f"ALTER DATABASE restored OWNER TO {name(wanted.owner)}")
            if "plpgsql" in wanted.lacks:
                session.execute("DROP EXTENSION plpgsql")
            if "public" in wanted.lacks:
                session.execute("DROP SCHEMA public")
    return target, is_alike


def _roles(wanted: Properties) -> list[str]:
    """Return what makes the original's roles: nobody can log in as one, and none may do what owning does not allow."""
    made = [
        f"CREATE ROLE {name(role.name)} NOLOGIN {'INHERIT' if role.inherits else 'NOINHERIT'}"
        for role in wanted.roles
    ]
    for role in wanted.roles:
        # Those of the server itself may read its files and run its programs.
        others = [each for each in role.member_of if not each.startswith("pg_")]
        made += [f"GRANT {name(each)} TO {name(role.name)}" for each in others]
    return made


def _powers(wanted: Properties) -> list[str]:
    """Return what gives the original's roles all that they had."""
    made = [
        f"ALTER ROLE {name(role.name)} {'' if role.superuser else 'NO'}SUPERUSER "
        f"{'' if role.bypasses_rls else 'NO'}BYPASSRLS"
        for role in wanted.roles
    ]
    for role in wanted.roles:
        others = [each for each in role.member_of if each.startswith("pg_")]
        made += [f"GRANT {name(each)} TO {name(role.name)}" for each in others]
    return made


def _try_physical(
    path: Sequence[SetReader],
    where: Place,
    around: Surroundings,
    assertions: Sequence[str],
) -> Proof:
    state = path[-1].manifest.state
    program = find("postgres", at_least=int(state["server"]), exactly=True, folder=around.tools)
    check_room(around.scratch, 3 * sum(each.manifest.totals.bytes_read for each in path))
    data = where.folder / "data"
    data.mkdir(mode=0o700)
    report = restore_physical(path, data, around)
    around.reporter.begin("starting")
    command, programs = restoring_command(path)
    counts: dict[str, int] = {}
    databases = dict.fromkeys((str(state.get("database") or "postgres"), "postgres", "template1"))
    with throwaway.running(
        where,
        data,
        program,
        around,
        superuser=throwaway.Superuser(str(state["superuser"])),
        run=programs,
        settings={"restore_command": command},
        databases=list(databases),
        version=int(state["server"]),
    ) as server:
        around.reporter.begin("counting")
        with server.session() as session:
            names = [row[0] for row in session.execute(_DATABASES).fetchall()]
        for each in map(text_of_name, names):
            try:
                with server.other(each).session() as session:
                    found = count_rows(session)
            except (SourceError, EngineError) as error:
                if not throwaway.is_not_here(error.message):
                    raise VerifyError(
                        f"the database '{each}' of set '{path[-1].manifest.set_id}' cannot be read: "
                        f"{error.message}"
                    ) from error
                raise Inconclusive(f"this machine cannot open '{each}': {error.message}") from error
            counts |= {f"{each}: {table}": rows for table, rows in found.items()}
        ask(server.other(str(state.get("database") or "postgres")), assertions)
    told = _told(counts, assertions)
    return Proof(counts=counts, checks=(*told, *report.warnings), isolation=where.cage.holds)


def _told(counts: dict[str, int], assertions: Sequence[str]) -> tuple[str, ...]:
    rows = f"a server started, and {len(counts)} tables hold {sum(counts.values())} rows"
    asked = f"{len(assertions)} assertions hold" if assertions else "no assertion was given"
    return rows, asked
