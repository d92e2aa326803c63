"""
PostgreSQL: one database by ``pg_dump``, or the whole cluster by ``pg_basebackup``.

A logical set has the streams ``database.dump`` (custom format, uncompressed inside our frames) and
``globals.sql`` (roles and tablespaces, without passwords). The rows of every table are counted in the very
snapshot that the dump reads, so that rows which a role may not see, or a dump that lost some, show in the
manifest. A physical set has the stream ``base.tar``, with the backup manifest and the WAL it needs.

By hand::

    cat database.dump.*.zst | zstd -d > database.dump && pg_restore --dbname=... database.dump
    cat base.tar.*.zst | zstd -d | tar -x -C /var/lib/postgresql/...
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from airflow_backup.core.errors import BackupError, ConfigError, EngineError, ToolMissing
from airflow_backup.core.process import Process
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import Kind
from airflow_backup.engines.jail import open_target
from airflow_backup.engines.postgres_restore import restore_logical, restore_physical
from airflow_backup.engines.postgres_server import Server, Snapshot, tool_version
from airflow_backup.engines.protocol import (
    DumpReport,
    RestoreReport,
    SetReader,
    Sink,
    Stream,
    Surroundings,
)
from airflow_backup.schedules.base import Model
from airflow_backup.schedules.sources import PostgresSource

DUMP, GLOBALS, BASE = "database.dump", "globals.sql", "base.tar"
_COMPLETE = b"PostgreSQL database cluster dump complete"
_CUSTOM_FORMAT = b"PGDMP"


class PostgresEngine:
    """Backs up PostgreSQL 13 and newer."""

    name = "postgres"
    version = "1"
    kinds = frozenset({Kind.FULL})

    def check(self, source: Model, around: Surroundings) -> list[BackupError]:
        """Return what is in the way: no server, no permission, tools that are missing or too old."""
        given = _options(source)
        tool = "pg_dump" if given.method == "logical" else "pg_basebackup"
        problems: list[BackupError] = []
        try:
            server = Server.of(given, around.connections)
            found = tool_version(given, tool)
            with server.connect() as connection:
                version = connection.info.server_version // 10000
                if given.method == "physical" and not _may_replicate(connection):
                    problems.append(_no_replication(given))
        except BackupError as error:
            return [error]
        if found < version:
            problems.append(
                ToolMissing(
                    f"{tool} {found} is older than the server, which is PostgreSQL {version}",
                    hint=f"name newer programs: source: {{tools: /usr/lib/postgresql/{version}/bin}}",
                )
            )
        return problems

    def dump(
        self,
        source: Model,
        around: Surroundings,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """Run the tool, and count rows in the snapshot that it reads."""
        given = _options(source)
        server = Server.of(given, around.connections)
        if given.method == "physical":
            return _dump_physical(given, server, around, sink)
        return _dump_logical(given, server, around, sink)

    def restore(
        self,
        path: Sequence[SetReader],
        target: Path,
        around: Surroundings,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """
        Write a logical set as files for ``pg_restore``, or a physical one as a data folder.

        The dump is decoded as a whole, and the data folder verified, where the programs are at hand.
        """
        if only:
            raise ConfigError("a database is restored whole", hint="leave the paths out")
        os.close(open_target(target))
        (reader,) = path
        if reader.manifest.state.get("method") == "physical":
            return restore_physical(reader, target, around.reporter)
        return restore_logical(reader, target, around.reporter, streams=(DUMP, GLOBALS))


def _options(source: Model) -> PostgresSource:
    if not isinstance(source, PostgresSource):
        raise EngineError(f"the postgres engine cannot read a {type(source).__name__}")
    return source


def _dump_logical(
    given: PostgresSource, server: Server, around: Surroundings, sink: Sink
) -> DumpReport:
    with server.snapshot() as snapshot, ThreadPoolExecutor(1) as aside:
        consistent_at = around.clock()
        counting = aside.submit(snapshot.count_rows)
        around.reporter.begin("dumping", bytes_total=snapshot.size)
        try:
            with sink.stream(DUMP) as stream:
                read = _pump(
                    server.tool("pg_dump", *_dump_options(snapshot)),
                    server,
                    stream,
                    around.reporter,
                )
                if read.head != _CUSTOM_FORMAT:
                    raise EngineError("pg_dump wrote nothing that is a dump")
        except BaseException as error:
            snapshot.cancel()  # the rows need not be counted any more
            refused = counting.exception()
            if isinstance(refused, EngineError) and not snapshot.was_cancelled(refused):
                raise refused from error  # it ended the transaction, and with it the snapshot of the dump
            raise
        around.reporter.begin("counting")
        counts = counting.result()
        version = snapshot.version
    with sink.stream(GLOBALS) as stream:
        options = ("--globals-only", "--no-role-passwords", "--no-password")
        roles = _pump(server.tool("pg_dumpall", *options), server, stream, around.reporter)
        if _COMPLETE not in roles.tail:
            raise EngineError("pg_dumpall ended before its last line")
    around.reporter.finish()
    return DumpReport(
        consistent_at=consistent_at,
        files=2,
        bytes_read=read.size + roles.size,
        tools={"postgresql": version, "pg_dump": str(tool_version(given, "pg_dump"))},
        counts=counts,
        state={"method": "logical", "database": server.database},
    )


def _dump_options(snapshot: Snapshot) -> tuple[str, ...]:
    # Never --enable-row-security: a role that may not see every row must fail, not dump some of them.
    return ("--format=custom", "--compress=0", "--no-password", f"--snapshot={snapshot.id}")


def _dump_physical(
    given: PostgresSource, server: Server, around: Surroundings, sink: Sink
) -> DumpReport:
    with server.connect() as connection:
        version = connection.info.parameter_status("server_version") or "?"
        row = connection.execute(
            "SELECT sum(pg_database_size(oid))::bigint FROM pg_database"
        ).fetchone()
    around.reporter.begin("copying", bytes_total=row[0] if row else None)
    options = (
        "--pgdata=-",
        "--format=tar",
        "--wal-method=fetch",
        "--checkpoint=fast",
        "--no-password",
    )
    with sink.stream(BASE) as stream:
        read = _pump(server.tool("pg_basebackup", *options), server, stream, around.reporter)
        if read.size == 0:
            raise EngineError("pg_basebackup wrote nothing")
    around.reporter.finish()
    return DumpReport(
        consistent_at=around.clock(),
        files=1,
        bytes_read=read.size,
        tools={"postgresql": version, "pg_basebackup": str(tool_version(given, "pg_basebackup"))},
        state={"method": "physical"},
    )


class _Pumped:
    """How much went through, how it began and how it ended."""

    def __init__(self) -> None:
        self.size, self.head, self.tail = 0, b"", b""

    def note(self, chunk: bytes) -> None:
        if len(self.head) < len(_CUSTOM_FORMAT):
            self.head = (self.head + chunk)[: len(_CUSTOM_FORMAT)]
        self.tail = (self.tail + chunk)[-4096:]
        self.size += len(chunk)


def _pump(command: Sequence[str], server: Server, stream: Stream, reporter: Reporter) -> _Pumped:
    pumped = _Pumped()
    with (
        server.password_file() as environment,
        Process(command, environment=environment) as process,
    ):
        for chunk in process.chunks():
            stream.write(chunk)
            pumped.note(chunk)
            reporter.advance(bytes_done=len(chunk))
    return pumped


def _may_replicate(connection: object) -> bool:
    query = "SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user"
    row = connection.execute(query).fetchone()  # type: ignore[attr-defined]  # psycopg is imported late
    return bool(row and row[0])


def _no_replication(given: PostgresSource) -> BackupError:
    return ConfigError(
        f"the role of connection '{given.connection}' may not take a physical backup",
        hint="ALTER ROLE ... REPLICATION; and is there a line for replication in pg_hba.conf?",
    )
