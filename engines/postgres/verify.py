"""Proves stored PostgreSQL sets: decodes them without a server, or restores them into a test server."""

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
from airflow_backup.core.process.cage import apart
from airflow_backup.core.words import Kind
from airflow_backup.engines.postgres.client import libpq
from airflow_backup.engines.postgres.client.lacking import is_not_here
from airflow_backup.engines.postgres.client.programs import find
from airflow_backup.engines.postgres.client.snapshot import count_rows, text_of_name
from airflow_backup.engines.postgres.dump import ARCHIVE, DUMP, GLOBALS
from airflow_backup.engines.postgres.load.counts import named_as
from airflow_backup.engines.postgres.physical.dump import BASE
from airflow_backup.engines.postgres.properties.model import properties_in
from airflow_backup.engines.postgres.questions import ask
from airflow_backup.engines.postgres.restore import (
    prove,
    restore_physical,
    restoring_command,
    unpack_dump,
    unpack_logs,
    version_of_dump,
)
from airflow_backup.engines.postgres.restore_test import test_server
from airflow_backup.engines.postgres.restore_test.test_database import as_superuser, make_database
from airflow_backup.engines.postgres.restore_test.trial import load_dump
from airflow_backup.engines.protocol import EngineContext, SetReader, VerificationReport
from airflow_backup.engines.shared.scratch import check_room, scratch_folder
from airflow_backup.engines.shared.tar_unpack import unpack
from airflow_backup.engines.shared.test_server import Place, place

_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"


def decode(chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
    """Decode the last set of ``chain`` to its end."""
    reader = chain[-1]
    try:
        if reader.manifest.state.get("method") != "physical":
            return _decode_dump(reader, context)
        if reader.manifest.kind is Kind.ARCHIVE_LOG:
            return _decode_log(reader, context)
        return _decode_base(reader, context)
    except (ToolMissing, ScratchFull) as error:
        return VerificationReport(inconclusive=error.message)


def _decode_dump(reader: SetReader, context: EngineContext) -> VerificationReport:
    program = find("pg_restore", **version_of_dump(reader, context))
    if ARCHIVE in reader.manifest.streams:
        with _room(reader, context) as folder:
            dump, _, _ = unpack_dump(reader, folder, context.reporter)
            prove([program, "--file=/dev/null", str(dump)], reader, dump)
    else:
        _feed([program, "--file=/dev/null"], reader, DUMP)
    tail = b""
    for block in reader.blocks(GLOBALS):
        tail = (tail + block)[-4096:]
    if b"PostgreSQL database cluster dump complete" not in tail:
        raise VerifyError(f"'{GLOBALS}' of set '{reader.manifest.set_id}' has no last line")
    return VerificationReport(
        checks=("pg_restore decoded the whole dump", "the roles end in their last line")
    )


def _decode_base(reader: SetReader, context: EngineContext) -> VerificationReport:
    program = find("pg_verifybackup", **version_of_dump(reader, context))
    with _room(reader, context) as folder:
        unpack(reader, BASE, folder, context.reporter)
        prove([program, "--exit-on-error", str(folder)], reader, folder, run=_helpers(program))
    return VerificationReport(
        checks=("pg_verifybackup found every file and its WAL as the server wrote them",)
    )


def _decode_log(reader: SetReader, context: EngineContext) -> VerificationReport:
    state = reader.manifest.state
    program = find("pg_waldump", at_least=int(state["server"]), exactly=True, folder=context.tools)
    wal: dict[str, Any] = state["wal"]
    with _room(reader, context) as folder:
        unpack_logs([reader], folder, context.reporter)
        span = [f"--start={wal['begin']}", f"--end={wal['end']}", f"--timeline={wal['timeline']}"]
        prove([program, "--stats", f"--path={folder}", *span], reader, folder)
    return VerificationReport(
        checks=(f"pg_waldump read every record from {wal['begin']} to {wal['end']}",)
    )


def _helpers(program: str) -> list[str]:
    """Return what pg_verifybackup runs, by a shell, to read the WAL."""
    waldump = test_server.find_beside(program, "pg_waldump")
    return ["/bin/sh", *([] if waldump is None else [waldump])]


def _feed(command: Sequence[str], reader: SetReader, stream: str) -> None:
    try:
        libpq.feed(apart(command), reader.blocks(stream), name=Path(command[0]).name)
    except ToolMissing:
        raise
    except EngineError as error:
        raise VerifyError(
            f"set '{reader.manifest.set_id}' is not whole: {error.message}"
        ) from error


@contextmanager
def _room(reader: SetReader, context: EngineContext) -> Iterator[Path]:
    check_room(context.scratch, reader.manifest.totals.bytes_read)
    with scratch_folder(context.scratch) as name:
        yield Path(name)


def try_restore(
    chain: Sequence[SetReader], context: EngineContext, *, assertions: Sequence[str] = ()
) -> VerificationReport:
    """Restore into a test server, count every table and ask the assertions."""
    try:
        expected = sum(each.manifest.totals.bytes_read for each in chain)
        with place(context, expected=expected) as where:
            if chain[0].manifest.state.get("method") == "physical":
                return _try_physical(chain, where, context, assertions)
            return _try_logical(chain[0], where, context, assertions)
    except (ToolMissing, ScratchFull, Inconclusive) as error:
        return VerificationReport(inconclusive=error.message)


def _try_logical(
    reader: SetReader, where: Place, context: EngineContext, assertions: Sequence[str]
) -> VerificationReport:
    check_room(context.scratch, 3 * reader.manifest.totals.bytes_read)
    # A newer server reads an older dump; an older one does not know all of its words.
    version = reader.manifest.version_of("postgresql")[0]
    data, superuser = test_server.new_cluster(where, version=version, folder=context.tools)
    program = find("postgres", at_least=version, folder=context.tools)
    context.reporter.begin("restoring", bytes_total=reader.manifest.totals.bytes_read)
    wanted = properties_in(reader)
    objects = len(reader.manifest.counts)
    with test_server.running(
        where, data, program, context, superuser=superuser, objects=objects
    ) as server:
        target, loader, is_alike = make_database(server, reader, wanted)
        # Where things lie on a disk is the original's own; who owns them is known where a set says so.
        options = ["--no-tablespaces"]
        options += ["--no-owner", "--no-privileges"] if wanted is None else []
        try:
            try:
                told = load_dump(
                    reader,
                    target,
                    loader,
                    context,
                    options=options,
                    is_closed=where.cage.is_closed,
                )
            except (EngineError, Inconclusive) as error:
                if isinstance(error, ToolMissing) or not where.cage.is_closed:
                    raise
                try:
                    target, told = as_superuser(reader, server, wanted, context, options)
                except EngineError as again:
                    if isinstance(
                        error, Inconclusive
                    ):  # what it asks for is not to be had in a sandbox either
                        raise error from again
                    raise
        except ToolMissing:
            raise
        except EngineError as error:
            if is_not_here(error.message):
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
        context.reporter.begin("counting")
        with target.session() as session:
            counts = named_as(reader.manifest.counts, count_rows(session))
        ask(target, assertions)
    checks = (*_told(counts, assertions), *told)
    return VerificationReport(counts=counts, checks=checks, isolation=where.cage.holds)


def _try_physical(
    chain: Sequence[SetReader],
    where: Place,
    context: EngineContext,
    assertions: Sequence[str],
) -> VerificationReport:
    state = chain[-1].manifest.state
    program = find("postgres", at_least=int(state["server"]), exactly=True, folder=context.tools)
    check_room(context.scratch, 3 * sum(each.manifest.totals.bytes_read for each in chain))
    data = where.folder / "data"
    data.mkdir(mode=0o700)
    report = restore_physical(chain, data, context)
    context.reporter.begin("starting")
    command, programs = restoring_command(chain)
    counts: dict[str, int] = {}
    databases = dict.fromkeys((str(state.get("database") or "postgres"), "postgres", "template1"))
    with test_server.running(
        where,
        data,
        program,
        context,
        superuser=test_server.Superuser(str(state["superuser"])),
        run=programs,
        settings={"restore_command": command},
        databases=list(databases),
        version=int(state["server"]),
    ) as server:
        context.reporter.begin("counting")
        with server.session() as session:
            names = [row[0] for row in session.execute(_DATABASES).fetchall()]
        for each in map(text_of_name, names):
            try:
                with server.other(each).session() as session:
                    found = count_rows(session)
            except (SourceError, EngineError) as error:
                if not is_not_here(error.message):
                    raise VerifyError(
                        f"the database '{each}' of set '{chain[-1].manifest.set_id}' cannot be read: "
                        f"{error.message}"
                    ) from error
                raise Inconclusive(f"this machine cannot open '{each}': {error.message}") from error
            counts |= {f"{each}: {table}": rows for table, rows in found.items()}
        ask(server.other(str(state.get("database") or "postgres")), assertions)
    told = _told(counts, assertions)
    return VerificationReport(
        counts=counts, checks=(*told, *report.warnings), isolation=where.cage.holds
    )


def _told(counts: dict[str, int], assertions: Sequence[str]) -> tuple[str, ...]:
    rows = f"a server started, and {len(counts)} tables hold {sum(counts.values())} rows"
    asked = f"{len(assertions)} assertions hold" if assertions else "no assertion was given"
    return rows, asked
