"""Proves stored MariaDB and MySQL sets: decodes them without a server, or restores them into a test server."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from airflow_backup.core.errors import (
    EngineError,
    Inconclusive,
    ScratchFull,
    ToolMissing,
    VerifyError,
)
from airflow_backup.core.process.cage import apart
from airflow_backup.core.process.process import Process
from airflow_backup.core.text.counts import counted
from airflow_backup.core.words import Kind
from airflow_backup.engines.mysql.binlog.replay import unpack_logs
from airflow_backup.engines.mysql.client.client import StatementFailed
from airflow_backup.engines.mysql.client.programs import environment, find_here
from airflow_backup.engines.mysql.client.server import Server
from airflow_backup.engines.mysql.load.load import count, fill, rolled_forward
from airflow_backup.engines.mysql.questions import ask_all
from airflow_backup.engines.mysql.restore import LOGS, restore_physical, split, unpack
from airflow_backup.engines.mysql.server_state import Tables, databases
from airflow_backup.engines.mysql.test_server import new_server, running
from airflow_backup.engines.mysql.verify_dump import look_through
from airflow_backup.engines.protocol import EngineContext, SetReader, VerificationReport
from airflow_backup.engines.shared.scratch import check_room, scratch_folder
from airflow_backup.engines.shared.test_server import Place, place

_NO_KEYS = "errno: 140"
"""An option of a table that this server does not know: encrypted, and no plugin for keys."""

_NOT_HERE = (1115, 1193, 1231, 1273, 1286, 1298, 1524, 4161)
"""A character set, collation, engine, setting, time zone, plugin or type that is not on this machine."""


_MISSING = (1049, 1146, 1305)
_NO_RIGHT = (1044, 1142, 1143, 1227, 1290, 1370, 1419, 1045)
_REFERS = re.compile(
    r"Table '([^'.]+)\.|Unknown database '([^']+)'|(?:FUNCTION|PROCEDURE) ([^ .]+)\.|for table `([^`]+)`\."
    r"|to database '([^']+)'|routine '([^'.]+)\."
)
"""What does not exist, and in which database."""


def decode(chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
    """Decode the last set of ``chain`` to its end."""
    reader = chain[-1]
    try:
        if reader.manifest.kind is Kind.ARCHIVE_LOG:
            return _decode_log(reader, context)
        if reader.manifest.state.get("method") == "physical":
            return _decode_base(reader, context)
        tables = look_through(reader, context.reporter)
        return VerificationReport(
            checks=(f"the dump makes {counted(tables, 'table')} and ends in its last line",)
        )
    except (ToolMissing, ScratchFull) as error:
        return VerificationReport(inconclusive=error.message)


def _decode_base(reader: SetReader, context: EngineContext) -> VerificationReport:
    check_room(context.scratch, reader.manifest.totals.bytes_read)
    with scratch_folder(context.scratch) as scratch:
        unpack(reader, Path(scratch) / "set", context.reporter, tools=context.tools)
    return VerificationReport(
        checks=("mbstream unpacked every file, and the redo log ends where it should",)
    )


def _decode_log(reader: SetReader, context: EngineContext) -> VerificationReport:
    check_room(context.scratch, reader.manifest.totals.bytes_read)
    program = find_here("mariadb-binlog", context.tools)
    with scratch_folder(context.scratch) as scratch:
        files = unpack_logs([reader], Path(scratch) / LOGS, context.reporter)
        try:
            command = [program, "--no-defaults", "--verify-binlog-checksum", *map(str, files)]
            caged = apart(command, write=[scratch])
            own = {**environment(), "TMPDIR": scratch}
            with Process(caged, environment=own, name="mariadb-binlog") as child:
                for _ in child.chunks():
                    context.reporter.advance()
        except EngineError as error:
            raise VerifyError(
                f"set '{reader.manifest.set_id}' is not whole: {error.message}"
            ) from error
    return VerificationReport(checks=(f"every event of {len(files)} binary logs was read",))


def try_restore(
    chain: Sequence[SetReader], context: EngineContext, *, assertions: Sequence[str] = ()
) -> VerificationReport:
    """Restore into a test server, count every table and ask the assertions."""
    try:
        if chain[0].manifest.state.get("method") == "physical":
            expected = sum(each.manifest.totals.bytes_read for each in chain)
            with place(context, expected=expected) as where:
                return _try_physical(chain, where, context, assertions)
        return _try_logical(chain, context, assertions)
    except (ToolMissing, ScratchFull, Inconclusive) as error:
        return VerificationReport(inconclusive=error.message)


def _try_logical(
    chain: Sequence[SetReader], context: EngineContext, assertions: Sequence[str]
) -> VerificationReport:
    (base,), logs = split(chain)
    state = base.manifest.state
    try:
        if logs:
            with rolled_forward(base, logs, context, None, []) as (server, names, holds):
                counts = count(server, {name: name for name in names})
                ask_all(server.other(state["database"]), assertions)
            # After the logs there are other rows than in the dump: they prove nothing against it.
            return VerificationReport(counts={}, checks=_told(counts, assertions), isolation=holds)
        check_room(context.scratch, 4 * base.manifest.totals.bytes_read)
        with place(context, expected=base.manifest.totals.bytes_read) as where:
            settings = state.get("settings") or {}
            data = new_server(where, context.tools, settings)
            with running(
                data,
                where,
                context,
                tools=context.tools,
                settings=settings,
            ) as server:
                _fill(base, server, context)
                counts = count(server, {name: name for name in state["databases"]})
                ask_all(server.other(state["database"]), assertions)
        return VerificationReport(
            counts=counts, checks=_told(counts, assertions), isolation=where.cage.holds
        )
    except StatementFailed as error:
        if error.number in _NOT_HERE or _NO_KEYS in error.message:
            raise ToolMissing(f"the server of this machine cannot: {error.message}") from error
        if other := _of_another(error, base):
            raise ToolMissing(
                f"the set does not hold the database '{other}', which it needs: {error.message}"
            ) from error
        if error.number in _NO_RIGHT:
            raise Inconclusive(
                "restoring it asks for more than to own its databases, and a restore test gives no more: "
                f"{error.message}"
            ) from error
        raise VerifyError(
            f"set '{base.manifest.set_id}' cannot be restored: {error.message}"
        ) from error


def _fill(base: SetReader, server: Server, context: EngineContext) -> None:
    try:
        fill(base, server, context)
    except EngineError as error:
        if type(error) is not EngineError:
            raise
        # The client itself stopped, at what is no statement.
        raise VerifyError(
            f"set '{base.manifest.set_id}' cannot be restored: {error.message}"
        ) from error


def _of_another(error: StatementFailed, base: SetReader) -> str | None:
    """Return the database that a statement refers to, and that no set of this source has."""
    is_told = error.number in (*_MISSING, *_NO_RIGHT)
    found = _REFERS.search(error.message) if is_told else None
    name = None if found is None else next((each for each in found.groups() if each), None)
    return name if name not in base.manifest.state["databases"] else None


def _try_physical(
    chain: Sequence[SetReader], where: Place, context: EngineContext, assertions: Sequence[str]
) -> VerificationReport:
    check_room(context.scratch, 3 * sum(each.manifest.totals.bytes_read for each in chain))
    database = chain[0].manifest.state["database"]
    data = where.folder / "data"
    data.mkdir(mode=0o700)
    restore_physical(chain, data, context)
    where.give()
    with running(data, where, context, tools=context.tools, is_restored=True) as server:
        with server.session() as session:
            counts = Tables.of(session, databases(session, server)).count(session)
        ask_all(server.other(database), assertions)
    return VerificationReport(
        counts=counts, checks=_told(counts, assertions), isolation=where.cage.holds
    )


def _told(counts: dict[str, int], assertions: Sequence[str]) -> tuple[str, ...]:
    rows = f"a server started, and {len(counts)} tables hold {sum(counts.values())} rows"
    asked = f"{len(assertions)} assertions hold" if assertions else "no assertion was given"
    return rows, asked
