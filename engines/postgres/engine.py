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
from airflow_backup.engines.postgres import verify as postgres_proof
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
    Proof,
    RestoreReport,
    SetReader,
    Sink,
    Surroundings,
)
from airflow_backup.engines.shared.restore_root import open_target
from airflow_backup.schedules.model.base import Model


class PostgresEngine:
    """Backs up PostgreSQL 13 and newer."""

    name = "postgres"
    state_model = PostgresState
    version = "1"
    kinds = frozenset(Kind)

    def check(self, source: Model, around: Surroundings) -> list[BackupError]:
        """Return what is in the way: no server, no permission, tools that are missing or too old."""
        given = _options(source)
        problems: list[BackupError] = []
        try:
            server = Server.of(given, around.connections)
            with server.session() as session:
                server = server.beside(session)
                if given.method == "physical":
                    if not may_replicate(session):
                        return [_no_replication(given)]
                    problems += problems_of(Cluster.of(session), session, around)
                else:
                    problems += unreadable(session)
            found = {tool: tool_version(server, tool) for tool in _tools(given, around.kind)}
        except BackupError as error:
            return [error]
        for tool, number in found.items():
            if number < server.version:
                problems.append(_too_old(tool, number, server.version))
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
        """Run the tool of the method and the kind."""
        given = _options(source)
        server = Server.of(given, around.connections)
        if given.method == "logical":
            if kind is not Kind.FULL:
                raise ConfigError(f"a dump takes no {kind} set", hint="source: {method: physical}")
            return dump_logical(given, server, around, sink)
        if kind is Kind.ARCHIVE_LOG and parent is not None:
            return dump_log(given, server, around, sink, parent)
        return dump_physical(given, server, around, sink, kind=kind, parent=parent)

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
        Write a logical set as files for ``pg_restore``, or physical ones as a data folder.

        The dump is decoded as a whole, and the data folder verified, where the programs are at hand.
        """
        if only:
            raise ConfigError("a database is restored whole", hint="leave the paths out")
        os.close(open_target(target))
        if path[0].manifest.state.get("method") == "physical":
            return restore_physical(path, target, around, until=until)
        return restore_logical(path[0], target, around)

    def decode(self, path: Sequence[SetReader], around: Surroundings) -> Proof:
        """Read the last set of ``path`` as its format, without a server."""
        return postgres_proof.decode(path, around)

    def try_restore(
        self, path: Sequence[SetReader], around: Surroundings, *, assertions: Sequence[str] = ()
    ) -> Proof:
        """Restore into a throwaway server of this machine's programs."""
        return postgres_proof.try_restore(path, around, assertions=assertions)

    def load(
        self,
        path: Sequence[SetReader],
        around: Surroundings,
        *,
        connection: str,
        database: str | None = None,
        until: datetime | None = None,
        overwrite: bool = False,
    ) -> RestoreReport:
        """Load a logical set into a database of a running server, and compare its rows."""
        return load(path[-1], around, connection=connection, database=database, overwrite=overwrite)

    def sweep(
        self, source: Model, around: Surroundings, *, in_use: bool, dry_run: bool = False
    ) -> list[str]:
        """
        Remove what a run that was killed left on the server, and say what it was.

        ``in_use``: the schedule has sets, or a run at work, and its slot keeps the WAL for the next one.
        """
        given = _options(source)
        if given.wal != "slot" or given.slot is not None or in_use:
            return []  # one with a name of its own was perhaps made by hand
        with Server.of(given, around.connections).session() as session:
            return drop_slot(session, slot_name(given, around.schedule_id), dry_run=dry_run)


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
