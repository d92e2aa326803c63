"""Loads a logical MariaDB or MySQL set into a running server, counts its rows, and rolls it forward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from airflow_backup.core import process
from airflow_backup.core.errors import BackupError, ConfigError, Refused, VerifyError
from airflow_backup.engines.mysql_facts import Tables
from airflow_backup.engines.mysql_logical import DUMP
from airflow_backup.engines.mysql_proof_dump import look_through
from airflow_backup.engines.mysql_replay import reading, replay, stop_of, unpack_logs
from airflow_backup.engines.mysql_restore import LOGS, split
from airflow_backup.engines.mysql_server import Server, ask, quoted
from airflow_backup.engines.protocol import RestoreReport, SetReader, Surroundings
from airflow_backup.engines.scratch import scratch_folder


def load(
    path: Sequence[SetReader],
    around: Surroundings,
    *,
    connection: str,
    database: str | None,
    until: datetime | None,
    overwrite: bool,
) -> RestoreReport:
    """Load a set into a database of a running server, which is made when it is missing."""
    if path[0].manifest.state.get("method") != "logical":
        raise ConfigError(
            "a physical set is a whole data folder and goes into no running server",
            hint="restore it to a folder, and start a server on that",
        )
    (base,), logs = split(path)
    server = Server.at(around.connections(connection), None).other(None)
    names = _names(base, database)
    _refuse_what_holds(server, names, overwrite=overwrite)
    around.reporter.begin("checking", bytes_total=base.manifest.totals.bytes_read)
    look_through(base, around.reporter)  # before anything that is there is dropped
    try:
        written = fill(base, server, names, around)
        if logs:
            _roll_forward(base, logs, server, names, around, until)
    except BaseException:
        with server.session() as session, suppress(BackupError):
            for name in names.values():
                ask(session, f"DROP DATABASE IF EXISTS {quoted(name)}")
        raise
    around.reporter.finish()
    return RestoreReport(files=1, bytes_written=written)


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


def _refuse_what_holds(server: Server, names: Mapping[str, str], *, overwrite: bool) -> None:
    with server.session() as session:
        for name in names.values():
            rows = ask(
                session,
                "SELECT (SELECT count(*) FROM information_schema.tables WHERE table_schema = %s)"
                " + (SELECT count(*) FROM information_schema.routines WHERE routine_schema = %s)",
                name,
                name,
            )
            if rows[0][0] and not overwrite:
                raise Refused(
                    f"the database '{name}' is not empty",
                    hint="name a new one, or say that it may be replaced",
                )


def fill(base: SetReader, server: Server, names: Mapping[str, str], around: Surroundings) -> int:
    """Make the databases anew, run the dump, and compare the rows."""
    around.reporter.begin("loading", bytes_total=base.manifest.totals.bytes_read)
    with server.session() as session:
        for name in names.values():
            ask(session, f"DROP DATABASE IF EXISTS {quoted(name)}")
            if base.manifest.state["database"] is not None:
                charset = base.manifest.state["charset"]
                words = "CHARACTER SET {} COLLATE {}".format(*charset) if charset else ""
                ask(session, f"CREATE DATABASE {quoted(name)} {words}")
    written = 0

    def blocks() -> Iterator[bytes]:
        nonlocal written
        for block in base.blocks(DUMP):
            written += len(block)
            around.reporter.advance(bytes_done=len(block))
            yield block

    with server.options_file() as options:
        command = [server.tool("mariadb"), f"--defaults-extra-file={options}", "--binary-mode"]
        if base.manifest.state["database"] is not None:
            command.append(next(iter(names.values())))
        process.feed(command, blocks())
    around.reporter.begin("counting")
    compare(base, count(server, names))
    return written


def count(server: Server, names: Mapping[str, str]) -> dict[str, int]:
    """Count the rows, under the names that the databases have in the set."""
    counts: dict[str, int] = {}
    with server.session() as session:
        for name, here in names.items():
            found = Tables.of(session, [here]).count(session)
            counts |= {f"{name}.{key[len(here) + 1 :]}": rows for key, rows in found.items()}
    return counts


def compare(base: SetReader, found: Mapping[str, int]) -> None:
    """Raise VerifyError where a table has not the rows that it had."""
    for table, rows in base.manifest.counts.items():
        if found.get(table) != rows:
            raise VerifyError(
                f"'{table}' has {found.get(table, 'no')} rows, "
                f"and in set '{base.manifest.set_id}' it had {rows}"
            )


def _roll_forward(
    base: SetReader,
    logs: Sequence[SetReader],
    server: Server,
    names: Mapping[str, str],
    around: Surroundings,
    until: datetime | None,
) -> None:
    around.reporter.begin("rolling forward")
    name = base.manifest.state["database"]
    with scratch_folder(around.scratch) as scratch:
        files = unpack_logs(logs, Path(scratch) / LOGS, around.reporter)
        command = reading(
            base,
            files,
            stop=stop_of(logs, until),
            database=name,
            renamed=None if name is None else names[name],
            program=server.tool("mariadb-binlog"),
        )
        replay(command, server)
