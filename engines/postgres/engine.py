"""
PostgreSQL: one database by ``pg_dump``, or the whole cluster by ``pg_basebackup`` and its WAL.

By hand::

    cat database.dump.*.zst | zstd -d > database.dump && pg_restore --dbname=... database.dump
    cat base.tar.*.zst | zstd -d | tar -x -C /var/lib/postgresql/...
    cat wal.tar.*.zst | zstd -d | tar -x -C ...     # and restore_command copies from there
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from airflow_backup.core.errors import BackupError, ConfigError, EngineError, ToolMissing
from airflow_backup.core.words import Kind
from airflow_backup.engines.capabilities import Estimate
from airflow_backup.engines.postgres import verify as postgres_verify
from airflow_backup.engines.postgres.client.server import Server, tool_version
from airflow_backup.engines.postgres.dump import dump_logical
from airflow_backup.engines.postgres.load.load import load
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.engines.postgres.physical.cluster import Cluster
from airflow_backup.engines.postgres.physical.dump import dump_physical, problems_of
from airflow_backup.engines.postgres.physical.slots import drop_slot, slot_name
from airflow_backup.engines.postgres.physical.wal import dump_log
from airflow_backup.engines.postgres.restore import restore_logical, restore_physical
from airflow_backup.engines.postgres.rights import may_replicate, unreadable
from airflow_backup.engines.postgres.state import PostgresState
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


class PostgresEngine:
    """Backs up PostgreSQL 13 and newer."""

    name = "postgres"
    held_while_paused = (
        "its transaction stays open on the server, which cannot remove old versions of rows"
    )
    state_model = PostgresState
    version = "1"
    kinds = frozenset(Kind)

    def check(self, source: Model, context: EngineContext) -> list[BackupError]:
        """Return what is in the way: no server, no permission, tools that are missing or too old."""
        given = _options(source)
        problems: list[BackupError] = []
        if context.reading_is_limited and given.method == "logical" and given.format == "directory":
            problems.append(
                ConfigError(
                    "pg_dump reads at its own speed into a folder, and `throttle.read` cannot be kept",
                    hint="`format: custom` reads no faster than it is stored",
                )
            )
        try:
            server = Server.of(given, context.connections)
            with server.session() as session:
                server = server.beside(session)
                if given.method == "physical":
                    if not may_replicate(session):
                        return [_no_replication(given)]
                    problems += problems_of(Cluster.of(session), session, context)
                else:
                    problems += unreadable(session)
            found = {tool: tool_version(server, tool) for tool in _tools(given, context.kind)}
        except BackupError as error:
            return [*problems, error]
        for tool, number in found.items():
            if number < server.version:
                problems.append(_too_old(tool, number, server.version))
        return problems

    def estimate(self, source: Model, context: EngineContext, *, seconds: float) -> Estimate:
        """Ask for what the database, or the cluster, takes; a dump without indexes is often smaller."""
        given = _options(source)
        with Server.of(given, context.connections).session() as session:
            if given.method == "physical":
                return Estimate(Cluster.of(session).size)
            found = session.execute("SELECT pg_database_size(current_database())").fetchone()
            assert found is not None
            return Estimate(int(found[0]))

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
        server = Server.of(given, context.connections)
        if given.method == "logical":
            if kind is not Kind.FULL:
                raise ConfigError(f"a dump takes no {kind} set", hint="source: {method: physical}")
            return dump_logical(given, server, context, sink)
        if kind is Kind.ARCHIVE_LOG and parent is not None:
            return dump_log(given, server, context, sink, parent)
        return dump_physical(given, server, context, sink, kind=kind, parent=parent)

    def restore(
        self,
        chain: Sequence[SetReader],
        target: Path,
        context: EngineContext,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """
        Write a logical set as files for ``pg_restore``, or physical ones as a data folder.

        The dump is decoded as a whole, and the data folder verified, where the programs are at hand.
        """
        if only:
            raise ConfigError("a database is restored whole", hint="leave the paths out")
        os.close(open_target(target))
        if chain[0].manifest.state.get("method") == "physical":
            return restore_physical(chain, target, context, until=until)
        return restore_logical(chain[0], target, context)

    def decode(self, chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
        """Read the last set of ``chain`` as its format, without a server."""
        return postgres_verify.decode(chain, context)

    def try_restore(
        self, chain: Sequence[SetReader], context: EngineContext, *, assertions: Sequence[str] = ()
    ) -> VerificationReport:
        """Restore into a test server of this machine's programs."""
        return postgres_verify.try_restore(chain, context, assertions=assertions)

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
        """Load a logical set into a database of a running server, and compare its rows."""
        return load(
            chain[-1], context, connection=connection, database=database, overwrite=overwrite
        )

    def sweep(
        self, source: Model, context: EngineContext, *, in_use: bool, dry_run: bool = False
    ) -> list[str]:
        """
        Remove what a run that was killed left on the server, and say what it was.

        ``in_use``: the schedule has sets, or a run at work, and its slot keeps the WAL for the next one.
        """
        given = _options(source)
        if given.wal != "slot" or given.slot is not None or in_use:
            return []  # one with a name of its own was perhaps made by hand
        with Server.of(given, context.connections).session() as session:
            return drop_slot(session, slot_name(given, context.schedule_id), dry_run=dry_run)


def _options(source: Model) -> PostgresOptions:
    if not isinstance(source, PostgresOptions):
        raise EngineError(f"the postgres engine cannot read a {type(source).__name__}")
    return source


def _tools(given: PostgresOptions, kind: Kind | None) -> tuple[str, ...]:
    if given.method == "logical":
        return ("pg_dump", "pg_dumpall")
    if kind is Kind.ARCHIVE_LOG:
        return ("pg_basebackup", "pg_receivewal")
    return ("pg_basebackup",)


def _too_old(tool: str, found: int, version: int) -> BackupError:
    return ToolMissing(
        f"{tool} {found} is older than the server, which is PostgreSQL {version}",
        hint=f"name newer programs: source: {{tools: /usr/lib/postgresql/{version}/bin}}",
    )


def _no_replication(given: PostgresOptions) -> BackupError:
    return ConfigError(
        f"the role of connection '{given.connection}' may not take a physical backup",
        hint="ALTER ROLE ... REPLICATION; and is there a line for replication in pg_hba.conf?",
    )
