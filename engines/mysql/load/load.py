"""Loads a logical MariaDB or MySQL set into a running server, counts its rows, and rolls it forward."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import ConfigError, EngineError, ToolMissing, VerifyError
from airflow_backup.core.process.process import Process
from airflow_backup.engines.mysql.binlog import relay as mysql_relay
from airflow_backup.engines.mysql.binlog.events import about_others
from airflow_backup.engines.mysql.binlog.relay import trust, trust_definers
from airflow_backup.engines.mysql.binlog.replay import stop_of, unpack_logs
from airflow_backup.engines.mysql.client.client import apply
from airflow_backup.engines.mysql.client.programs import environment
from airflow_backup.engines.mysql.client.rights import make_loader
from airflow_backup.engines.mysql.client.server import Server, ask, charset_words, quoted
from airflow_backup.engines.mysql.dump import COMPLETE, DUMP
from airflow_backup.engines.mysql.dump_program import dump_command, spoken
from airflow_backup.engines.mysql.left_out import is_dumped_as_bytes, versioned
from airflow_backup.engines.mysql.load import stage
from airflow_backup.engines.mysql.load import swap as mysql_swap
from airflow_backup.engines.mysql.load.dump_parts import unlocked
from airflow_backup.engines.mysql.load.head import Folders, tempered
from airflow_backup.engines.mysql.restore import LOGS, split
from airflow_backup.engines.mysql.server_state import ServerState, Tables, databases
from airflow_backup.engines.mysql.test_server import new_server, running
from airflow_backup.engines.mysql.verify_dump import look_through
from airflow_backup.engines.protocol import EngineContext, RestoreReport, SetReader
from airflow_backup.engines.shared.scratch import check_room
from airflow_backup.engines.shared.test_server import place

if TYPE_CHECKING:
    import pymysql

_VIEWS = "SELECT table_schema, table_name FROM information_schema.views WHERE table_schema IN ({})"
_INVALID_VIEW = 1356
_DEFINER = re.compile(rb"DEFINER=`((?:[^`]|``)+)`@`((?:[^`]|``)*)`")


def load(
    chain: Sequence[SetReader],
    context: EngineContext,
    *,
    connection: str,
    database: str | None,
    until: datetime | None,
    overwrite: bool,
) -> RestoreReport:
    """
    Load a set into databases of a running server, which are made where they are missing.

    With logs it is loaded into a test server first and rolled forward there: on the running one nothing
    is executed but what makes and fills these databases.
    """
    if chain[0].manifest.state.get("method") != "logical":
        raise ConfigError(
            "a physical set is a whole data folder and goes into no running server",
            hint="restore it to a folder, and start a server on that",
        )
    (base,), logs = split(chain)
    live = Server.at(context.connections(connection), None).other(None)
    names = _names(base, database)
    with live.session() as session:
        for name in names.values():
            stage.check(session, name, overwrite=overwrite)
    context.reporter.begin("checking", bytes_total=base.manifest.totals.bytes_read)
    look_through(base, context.reporter)  # before anything that is there is touched
    warnings: list[str] = []
    if logs:
        with rolled_forward(base, logs, context, until, warnings) as (server, found, _):
            if base.manifest.state["database"] is None:
                names = {name: name for name in found}
                with live.session() as session:
                    for name in found:
                        stage.check(session, name, overwrite=overwrite)
            broken = _broken_views(server, found)
            warnings += [
                f"the view '{schema}.{view}' was broken at that moment, and is left out"
                for schema, view in broken
            ]
            expected = count(server, {name: name for name in found})
            written, kept = _install(
                base, live, names, _dumped(server, base, found, broken), context, expected, warnings
            )
    else:
        written, kept = _install(
            base, live, names, base.blocks(DUMP), context, base.manifest.counts, warnings
        )
    context.reporter.finish()
    warnings += [
        f"the database '{name}' as it was before is kept as '{old}': drop that when it is not needed any more"
        for name, old in kept.items()
    ]
    return RestoreReport(files=1, bytes_written=written, warnings=warnings)


def _install(
    base: SetReader,
    live: Server,
    names: Mapping[str, str],
    blocks: Iterable[bytes],
    context: EngineContext,
    expected: Mapping[str, int],
    warnings: list[str],
) -> tuple[int, dict[str, str]]:
    written = 0
    folders = Folders()

    def told() -> Iterator[bytes]:
        nonlocal written
        for block in blocks:
            written += len(block)
            context.reporter.advance(bytes_done=len(block))
            yield block

    def look(stages: Mapping[str, str]) -> None:
        context.reporter.begin("counting")
        compare(base, count(live, stages), expected)

    context.reporter.begin("loading", bytes_total=base.manifest.totals.bytes_read)
    kept = mysql_swap.install(
        live,
        folders.seen(told()),
        names,
        only=base.manifest.state["database"],
        compare=look,
        charset=base.manifest.state.get("charset"),
    )
    warnings += folders.warnings()
    return written, kept


def _broken_views(server: Server, names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the views that refer to what is not there: no server makes such a view anew."""
    import pymysql

    broken = []
    marks = ", ".join(["%s"] * len(names))
    with server.session() as session:
        for schema, view in ask(session, _VIEWS.format(marks), *names):
            try:
                ask(session, f"SHOW FIELDS FROM {quoted(str(schema), str(view))}")
            except pymysql.Error as error:
                if error.args[0] != _INVALID_VIEW:
                    raise
                broken.append((str(schema), str(view)))
    return broken


def _dumped(
    server: Server, base: SetReader, names: Sequence[str], left_out: Sequence[tuple[str, str]]
) -> Iterator[bytes]:
    """Dump what was rolled forward, in the manner of the set."""
    one = server.other(base.manifest.state["database"])
    tail = b""
    with server.session() as session:
        history = versioned(session, names)
        command = dump_command(
            one,
            [*names],
            ServerState.of(session),
            has_place=False,
            history=history,
            as_bytes=is_dumped_as_bytes(session, names),
        )
    with one.options_file() as options:
        ignored = [f"--ignore-table={schema}.{view}" for schema, view in left_out]
        whole = [command[0], f"--defaults-file={options}", *ignored, *command[1:]]
        with Process(whole, environment=environment()) as child:
            for chunk in spoken(child.chunks(), command):
                tail = (tail + chunk)[-4096:]
                yield chunk
    if COMPLETE not in tail:
        raise EngineError("the dump of what was rolled forward ended before its last line")


@contextmanager
def rolled_forward(
    base: SetReader,
    logs: Sequence[SetReader],
    context: EngineContext,
    until: datetime | None,
    warnings: list[str],
) -> Iterator[tuple[Server, list[str], tuple[str, ...]]]:
    """Load a set into a test server, roll it forward, and give the server, its databases, and what holds it."""
    state = base.manifest.state
    if "mariadb" not in str(base.manifest.tools.get("server", "mariadb")).lower():
        raise ToolMissing(
            "the binary log of MySQL is rolled forward by no test server of MariaDB",
            hint="restore to a folder; roll-forward.txt there says how it is applied to a server of its own",
        )
    size = sum(each.manifest.totals.bytes_read for each in (base, *logs))
    check_room(context.scratch, 4 * size)
    settings = state.get("settings") or {}
    with place(context, expected=size) as where:
        data = new_server(where, context.tools, settings)
        folder = where.folder / LOGS
        files = unpack_logs(logs, folder, context.reporter)
        files = mysql_relay.prepare(base, files, folder, stop=stop_of(logs, until))
        where.give()
        only = state["database"]
        begin = int(state["binlog"]["offset"])
        if only is not None and (others := about_others(files, begin, only)):
            warnings.append(
                f"the log has {others} changes of other databases as statements: what one of them changed in '{only}' "
                "by a trigger or a view there is not in what was restored (with binlog_format = ROW it is)"
            )
        options = mysql_relay.options_of(folder, files, None if only is None else [only])
        with running(
            data,
            where,
            context,
            tools=context.tools,
            settings=settings,
            more=options,
        ) as server:
            fill(base, server, context)
            context.reporter.begin("rolling forward")
            mysql_relay.play(server, base, files, context, only=only)
            with server.session() as session:
                found = databases(session, server)
                trust_definers(session)
            yield server, [only] if only is not None else found, where.cage.holds


def _names(base: SetReader, database: str | None) -> dict[str, str]:
    """Return under which name each database of the set is loaded."""
    of_one = base.manifest.state["database"]
    if of_one is not None:
        return {of_one: database or of_one}
    if database is not None:
        raise ConfigError(
            "the set holds several databases, which are loaded under their own names",
            hint="leave the database out",
        )
    return {name: name for name in base.manifest.state["databases"]}


def fill(base: SetReader, server: Server, context: EngineContext) -> int:
    """Load a dump into an empty test server under the names that it has, and compare the rows."""
    context.reporter.begin("loading", bytes_total=base.manifest.totals.bytes_read)
    state = base.manifest.state
    if state["database"] is not None:
        words = charset_words(state["charset"]) if state["charset"] else ""
        with server.session() as session:
            ask(session, f"CREATE DATABASE {quoted(state['database'])} {words}")
    written = 0

    def blocks(session: pymysql.Connection[Any]) -> Iterator[bytes]:
        nonlocal written
        known: set[tuple[bytes, bytes]] = set()
        carried = b""
        for block in base.blocks(DUMP):
            written += len(block)
            context.reporter.advance(bytes_done=len(block))
            for found in _DEFINER.findall(carried + block):
                if found not in known:
                    # Without them views of views cannot be made, and others read as text that they are not.
                    user, host = (name.replace(b"``", b"`").decode() for name in found)
                    trust(session, user, host, state["databases"])
                    known.add(found)
            carried = block[-512:]
            yield block

    with server.session() as session:
        loader = make_loader(server, state["databases"])
        apply(loader.other(state["database"]), unlocked(tempered(blocks(session))))
    context.reporter.begin("counting")
    compare(base, count(server, {name: name for name in state["databases"]}))
    return written


def count(server: Server, names: Mapping[str, str]) -> dict[str, int]:
    """Count the rows, under the names that the databases have in the set."""
    counts: dict[str, int] = {}
    with server.session() as session:
        for name, here in names.items():
            found = Tables.of(session, [here]).count(session)
            counts |= {f"{name}.{key[len(here) + 1 :]}": rows for key, rows in found.items()}
    return counts


def compare(
    base: SetReader, found: Mapping[str, int], expected: Mapping[str, int] | None = None
) -> None:
    """Raise VerifyError where a table has not the rows that it had."""
    wanted = base.manifest.counts if expected is None else expected
    for table, rows in wanted.items():
        if found.get(table) != rows:
            raise VerifyError(
                f"'{table}' has {found.get(table, 'no')} rows, "
                f"and in set '{base.manifest.set_id}' it had {rows}"
            )
