"""Proves stored MariaDB and MySQL sets: decodes them without a server, or restores them into a throwaway one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airflow_backup.core.errors import EngineError, ScratchFull, ToolMissing, VerifyError
from airflow_backup.core.process import Process
from airflow_backup.core.words import Kind
from airflow_backup.engines.mysql_facts import Tables, databases
from airflow_backup.engines.mysql_load import count, fill
from airflow_backup.engines.mysql_proof_dump import look_through
from airflow_backup.engines.mysql_replay import reading, replay, stop_of, unpack_logs
from airflow_backup.engines.mysql_restore import LOGS, restore_physical, split, unpack
from airflow_backup.engines.mysql_server import Server, ask, find
from airflow_backup.engines.mysql_throwaway import new_server, running
from airflow_backup.engines.protocol import Proof, SetReader, Surroundings
from airflow_backup.engines.scratch import check_room, scratch_folder
from airflow_backup.engines.throwaway import Place, place

_NOT_HERE = ("Unknown storage engine", "Unknown collation", "Plugin '", "Unknown system variable")


def decode(path: Sequence[SetReader], around: Surroundings) -> Proof:
    """Decode the last set of ``path`` to its end."""
    reader = path[-1]
    try:
        if reader.manifest.kind is Kind.ARCHIVE_LOG:
            return _decode_log(reader, around)
        if reader.manifest.state.get("method") == "physical":
            return _decode_base(reader, around)
        tables = look_through(reader, around.reporter)
        return Proof(checks=(f"the dump makes {tables} tables and ends in its last line",))
    except (ToolMissing, ScratchFull) as error:
        return Proof(inconclusive=error.message)


def _decode_base(reader: SetReader, around: Surroundings) -> Proof:
    check_room(around.scratch, reader.manifest.totals.bytes_read)
    with scratch_folder(around.scratch) as scratch:
        unpack(reader, Path(scratch) / "set", around.reporter, tools=reader.manifest.state["tools"])
    return Proof(checks=("mbstream unpacked every file, and the redo log ends where it should",))


def _decode_log(reader: SetReader, around: Surroundings) -> Proof:
    check_room(around.scratch, reader.manifest.totals.bytes_read)
    program = find("mariadb-binlog", reader.manifest.state["tools"])
    with scratch_folder(around.scratch) as scratch:
        files = unpack_logs([reader], Path(scratch) / LOGS, around.reporter)
        try:
            with Process([program, "--verify-binlog-checksum", *map(str, files)]) as child:
                for _ in child.chunks():
                    around.reporter.advance()
        except EngineError as error:
            raise VerifyError(
                f"set '{reader.manifest.set_id}' is not whole: {error.message}"
            ) from error
    return Proof(checks=(f"every event of {len(files)} binary logs was read",))


def try_restore(
    path: Sequence[SetReader], around: Surroundings, *, assertions: Sequence[str] = ()
) -> Proof:
    """Restore into a throwaway server, count every table and ask the assertions."""
    try:
        with place(around) as where:
            if path[0].manifest.state.get("method") == "physical":
                return _try_physical(path, where, around, assertions)
            return _try_logical(path, where, around, assertions)
    except (ToolMissing, ScratchFull) as error:
        return Proof(inconclusive=error.message)


def _try_logical(
    path: Sequence[SetReader], where: Place, around: Surroundings, assertions: Sequence[str]
) -> Proof:
    (base,), logs = split(path)
    check_room(around.scratch, 4 * base.manifest.totals.bytes_read)
    state = base.manifest.state
    data = new_server(where, state["tools"])
    with running(data, where.socket, around, user=where.user, tools=state["tools"]) as server:
        names = {name: name for name in state["databases"]}
        try:
            fill(base, server, names, around)
        except VerifyError:
            raise
        except EngineError as error:
            if any(sign in error.message for sign in _NOT_HERE):
                raise ToolMissing(f"the server of this machine cannot: {error.message}") from error
            raise VerifyError(
                f"set '{base.manifest.set_id}' cannot be restored: {error.message}"
            ) from error
        if logs:
            files = unpack_logs(logs, where.folder / LOGS, around.reporter)
            replay(
                reading(base, files, stop=stop_of(logs, None), database=state["database"]), server
            )
        counts = count(server, names)
        _ask(server.other(state["database"]), assertions)
    # After the logs there are other rows than in the dump: they prove nothing against it.
    return Proof(counts={} if logs else counts, checks=_told(counts, assertions))


def _try_physical(
    path: Sequence[SetReader], where: Place, around: Surroundings, assertions: Sequence[str]
) -> Proof:
    check_room(around.scratch, 3 * sum(each.manifest.totals.bytes_read for each in path))
    state = path[0].manifest.state
    data = where.folder / "data"
    data.mkdir(mode=0o700)
    restore_physical(path, data, around)
    where.give()
    with running(
        data, where.socket, around, user=where.user, tools=state["tools"], opens_to_all=True
    ) as server:
        with server.session() as session:
            counts = Tables.of(session, databases(session, server)).count(session)
        _ask(server.other(state["database"]), assertions)
    return Proof(counts=counts, checks=_told(counts, assertions))


def _ask(server: Server, assertions: Sequence[str]) -> None:
    if not assertions:
        return
    with server.session() as session:
        for text in assertions:
            try:
                rows = ask(session, text.replace("%", "%%") if "%" in text else text)
            except Exception as error:
                raise VerifyError(f"the assertion {text!r} fails: {error}") from error
            if not rows or rows[0][0] != 1:
                answer = rows[0][0] if rows else None
                raise VerifyError(f"the assertion {text!r} does not hold: it gives {answer!r}")


def _told(counts: dict[str, int], assertions: Sequence[str]) -> tuple[str, ...]:
    rows = f"a server started, and {len(counts)} tables hold {sum(counts.values())} rows"
    asked = f"{len(assertions)} assertions hold" if assertions else "no assertion was given"
    return rows, asked
