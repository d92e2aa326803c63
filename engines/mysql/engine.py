"""
MariaDB and MySQL: databases by ``mariadb-dump`` or ``mysqldump``, or the data folder by ``mariadb-backup``.

By hand::

    cat database.sql.*.zst | zstd -d | mariadb --binary-mode DATABASE
    cat base.mbstream.*.zst | zstd -d | mbstream -x -C FOLDER && mariadb-backup --prepare --target-dir=FOLDER
    cat binlog.tar.*.zst | zstd -d | tar -x && mariadb-binlog --start-position=... binlog.* | mariadb
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from airflow_backup.core.errors import BackupError, ConfigError, EngineError
from airflow_backup.core.words import Kind
from airflow_backup.engines.capabilities import Estimate
from airflow_backup.engines.mysql import physical as mysql_physical
from airflow_backup.engines.mysql import verify as mysql_verify
from airflow_backup.engines.mysql.binlog import dump as mysql_binlog
from airflow_backup.engines.mysql.client.server import Server
from airflow_backup.engines.mysql.dump import dump_logical, size_of
from airflow_backup.engines.mysql.load.load import load
from airflow_backup.engines.mysql.options import MysqlOptions
from airflow_backup.engines.mysql.restore import restore_logical, restore_physical
from airflow_backup.engines.mysql.server_state import ServerState, databases, not_seen
from airflow_backup.engines.mysql.state import MysqlState
from airflow_backup.engines.protocol import (
    DumpReport,
    EngineContext,
    RestoreReport,
    SetReader,
    Sink,
    VerificationReport,
)
from airflow_backup.engines.shared.restore_root import open_target
from airflow_backup.schedules.model.base import Model


class MysqlEngine:
    """Backs up MariaDB 10.5 and MySQL 8, and newer."""

    name = "mysql"
    held_while_paused = (
        "its transaction stays open on the server, which keeps old versions of rows in its undo log"
    )
    state_model = MysqlState
    version = "1"
    kinds = frozenset(Kind)

    def check(self, source: Model, context: EngineContext) -> list[BackupError]:
        """Return what is in the way: no server, no permission, programs that are missing or do not fit."""
        given = _options(source)
        problems: list[BackupError] = []
        try:
            server = _server(given, context)
            with server.session() as session:
                server_state = ServerState.of(session)
                if context.kind is Kind.ARCHIVE_LOG:
                    server.tool("mariadb-binlog")
                    problems += mysql_binlog.problems_of(server_state, session)
                elif given.method == "physical":
                    problems += mysql_physical.problems_of(server, server_state, session, context)
                else:
                    server.tool("mariadb-dump")
                    problems += not_seen(session, databases(session, server))
        except BackupError as error:
            return [error]
        return problems

    def estimate(self, source: Model, context: EngineContext, *, seconds: float) -> Estimate:
        """Ask for what the tables take; a dump in SQL is often smaller."""
        given = _options(source)
        server = _server(given, context)
        with server.session() as session:
            if given.method == "physical":
                return Estimate(mysql_physical.size_of(session))
            return Estimate(size_of(session, databases(session, server)))

    def dump(
        self,
        source: Model,
        context: EngineContext,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """Run the tool of the method and the kind."""
        given = _options(source)
        server = _server(given, context)
        if kind is Kind.ARCHIVE_LOG and parent is not None:
            return mysql_binlog.dump_log(server, context, sink, parent)
        if given.method == "physical":
            return mysql_physical.dump_physical(server, context, sink, kind=kind, parent=parent)
        if kind is not Kind.FULL:
            raise ConfigError(f"a dump takes no {kind} set", hint="source: {method: physical}")
        return dump_logical(server, context, sink)

    def restore(
        self,
        chain: Sequence[SetReader],
        target: Path,
        context: EngineContext,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """Write a logical set as a file of statements, or physical ones as a data folder."""
        if only:
            raise ConfigError("a database is restored whole", hint="leave the paths out")
        os.close(open_target(target))
        if chain[0].manifest.state.get("method") == "physical":
            return restore_physical(chain, target, context, until=until)
        return restore_logical(chain, target, context.reporter, until=until)

    def decode(self, chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
        """Read the last set of ``chain`` as its format, without a server."""
        return mysql_verify.decode(chain, context)

    def try_restore(
        self, chain: Sequence[SetReader], context: EngineContext, *, assertions: Sequence[str] = ()
    ) -> VerificationReport:
        """Restore into a test server of this machine's programs."""
        return mysql_verify.try_restore(chain, context, assertions=assertions)

    def load(
        self,
        chain: Sequence[SetReader],
        context: EngineContext,
        *,
        connection: str,
        database: str | None = None,
        until: datetime | None = None,
        overwrite: bool = False,
    ) -> RestoreReport:
        """Load a logical set into a running server, compare its rows, and roll it forward."""
        return load(
            chain,
            context,
            connection=connection,
            database=database,
            until=until,
            overwrite=overwrite,
        )


def _options(source: Model) -> MysqlOptions:
    if not isinstance(source, MysqlOptions):
        raise EngineError(f"the mysql engine cannot read a {type(source).__name__}")
    return source


def _server(given: MysqlOptions, context: EngineContext) -> Server:
    server = Server.of(given, context.connections)
    return server.other(None) if given.method == "physical" else server
