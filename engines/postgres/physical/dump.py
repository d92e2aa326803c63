"""
The whole cluster by ``pg_basebackup``: full, and from PostgreSQL 17 on incremental.

A set has the stream ``base.tar`` with the data folder, the WAL that it needs and the backup manifest;
where the server can take incrementals, the backup manifest is a stream of its own as well, because it
is what the next incremental is a change of.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from airflow_backup.core.errors import BackupError, ConfigError, EngineError, ParentUnusable
from airflow_backup.core.words import Kind
from airflow_backup.engines.postgres.client.libpq import warnings_in
from airflow_backup.engines.postgres.client.server import Server, tool_version
from airflow_backup.engines.postgres.client.standby import behind
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.engines.postgres.physical.cluster import Cluster, now_of, position_of
from airflow_backup.engines.postgres.physical.history import check_summaries
from airflow_backup.engines.postgres.physical.slots import (
    forgotten_slots,
    hold_wal,
    keep_slot,
    slot_name,
)
from airflow_backup.engines.postgres.physical.tar import TarTap
from airflow_backup.engines.protocol import DumpReport, EngineContext, SetReader, Sink
from airflow_backup.engines.shared.scratch import scratch_folder

if TYPE_CHECKING:
    import psycopg

BASE, MANIFEST = "base.tar", "backup_manifest"
INCREMENTAL_SINCE = 17
_CHUNK = 1024 * 1024
_WRONG_PARENT = (
    "WAL summaries are required",
    "system identifier",
    "not present in this server's history",
    "is not a child of",
    "manifest WAL range",
    "backup manifest",
)


def dump_physical(
    given: PostgresOptions,
    server: Server,
    context: EngineContext,
    sink: Sink,
    *,
    kind: Kind,
    parent: SetReader | None,
) -> DumpReport:
    """Copy the cluster as it is, or what changed since ``parent``."""
    warnings: list[str] = []
    ended: list[datetime] = []
    with server.session() as session:
        held = hold_wal(session)  # first: everything after it stays until the copy has ended
        before = Cluster.of(session)
        server = server.beside(session)
        warnings += [*behind(session), *_warnings(session, given, context, held)]
        total = context.expected_bytes if kind is not Kind.FULL else before.size
        context.reporter.begin("copying", bytes_total=total)
        with (
            tempfile.TemporaryFile(dir=context.scratch) as manifest,
            _since(parent, context) as since,
        ):
            if since is not None and parent is not None:
                _check_past(session, since, parent.manifest.set_id)
            # The server had ended the backup then. What is committed while its WAL is fetched is not in the set.
            tap = TarTap(MANIFEST, manifest, at_wal=lambda: ended.append(now_of(session)))
            read = _copy(server, context, sink, since, tap, warnings)
            if before.version >= INCREMENTAL_SINCE:
                _store_manifest(manifest, sink)
        after = Cluster.of(session)
        if given.wal == "slot":
            warnings += keep_slot(session, slot_name(given, context.schedule_id), held)
    before.check_same(after.state(begin=0, end=0), "that is being taken")
    if tap.unlogged:
        warnings.append(
            "the rows of unlogged tables are in no physical set: they come back empty, as after a crash"
        )
    context.reporter.finish()
    return DumpReport(
        consistent_at=ended[0] if ended else after.now,
        files=tap.files,
        bytes_read=read,
        tools={
            "postgresql": before.version_text,
            "pg_basebackup": str(tool_version(server, "pg_basebackup")),
        },
        warnings=warnings,
        state={
            "method": "physical",
            "server": before.version,
            "superuser": before.superuser,
            "database": server.database,
            "archives": before.archives,
            "subscriptions": before.subscriptions,
            "began": after.began.isoformat(),
            "wal": before.state(
                begin=before.position,
                end=after.position,
                since=None if parent is None else parent.manifest.state["wal"]["since"],
            ),
        },
    )


def _warnings(
    session: object, given: PostgresOptions, context: EngineContext, held: str | None
) -> list[str]:
    name = slot_name(given, context.schedule_id) if given.wal == "slot" else None
    found = forgotten_slots(session, own=name)  # type: ignore[arg-type]  # psycopg is imported late
    if held is None:
        found.append(
            "no slot was free to hold the WAL while the cluster was copied: max_replication_slots?"
        )
    return found


def problems_of(cluster: Cluster, session: object, context: EngineContext) -> list[BackupError]:
    """Return what is in the way of a physical backup of the kind that was asked for."""
    problems: list[BackupError] = []
    asked = "SELECT count(*) FROM pg_tablespace WHERE oid > 16383"
    spaces = session.execute(asked).fetchone()  # type: ignore[attr-defined]  # psycopg is imported late
    if spaces[0]:
        problems.append(
            ConfigError(
                f"the cluster has {spaces[0]} tablespaces of its own, and a physical set holds one folder",
                hint="method: logical takes its databases",
            )
        )
    if context.kind is Kind.INCREMENTAL or context.kind is Kind.DIFFERENTIAL:
        problems += _not_incremental(cluster, session, context.kind)
    if context.kind is Kind.ARCHIVE_LOG and cluster.is_standby:
        problems.append(
            ConfigError(
                "the server is a standby, and WAL is archived from the primary",
                hint="name a connection to the primary",
            )
        )
    return problems


def _not_incremental(cluster: Cluster, session: object, kind: Kind) -> list[BackupError]:
    if cluster.version < INCREMENTAL_SINCE:
        return [
            ConfigError(
                f"PostgreSQL {cluster.version} takes no {kind} set, that began with {INCREMENTAL_SINCE}",
                hint="full sets and archive_log work with every version",
            )
        ]
    row = session.execute("SHOW summarize_wal").fetchone()  # type: ignore[attr-defined]  # psycopg is imported late
    if row[0] == "on":
        return []
    return [
        ConfigError(
            f"the server does not summarize its WAL, which {kind} sets are made from",
            hint="ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf();",
        )
    ]


def _copy(
    server: Server,
    context: EngineContext,
    sink: Sink,
    since: Path | None,
    tap: TarTap,
    warnings: list[str],
) -> int:
    options = [
        "--pgdata=-",
        "--format=tar",
        "--wal-method=fetch",
        "--checkpoint=fast",
        "--no-password",
    ]
    if since is not None:
        options.append(f"--incremental={since}")
    read = 0
    try:
        with (
            sink.stream(BASE) as stream,
            server.start("pg_basebackup", *options) as process,
        ):
            for chunk in process.chunks():
                tap.feed(chunk)  # first: a throttle may hold up what follows
                stream.write(chunk)
                read += len(chunk)
                context.reporter.advance(bytes_done=len(chunk))
    except EngineError as error:
        if since is not None and any(sign in error.message for sign in _WRONG_PARENT):
            raise ParentUnusable(error.message, hint=error.hint) from error
        raise
    warnings += warnings_in(process)
    if not (tap.found and tap.is_whole):
        raise EngineError("pg_basebackup ended without the backup manifest that comes last")
    return read


@contextmanager
def _since(parent: SetReader | None, context: EngineContext) -> Iterator[Path | None]:
    """Write the parent's backup manifest where pg_basebackup can read it."""
    if parent is None:
        yield None
        return
    if MANIFEST not in parent.manifest.streams:
        raise ParentUnusable(f"set '{parent.manifest.set_id}' keeps no backup manifest")
    with scratch_folder(context.scratch) as folder:
        found = Path(folder) / MANIFEST
        with found.open("wb") as file:
            file.writelines(parent.blocks(MANIFEST))
        yield found


_RANGE = re.compile(rb'"Timeline":\s*(\d+),\s*"Start-LSN":\s*"([0-9A-F]+/[0-9A-F]+)"')
_TAIL = 1 << 16


def _check_past(session: psycopg.Connection[Any], since: Path, set_id: str) -> None:
    """Raise ParentUnusable where the server does not have the past in which the parent was taken."""
    with since.open("rb") as file:
        file.seek(max(0, since.stat().st_size - _TAIL))
        ranges = _RANGE.findall(file.read())
    if not ranges:
        raise ParentUnusable(f"the backup manifest of set '{set_id}' does not say where it began")
    timeline, start = min(ranges, key=lambda each: position_of(each[1].decode()))
    check_summaries(session, set_id, start.decode(), int(timeline))


def _store_manifest(manifest: IO[bytes], sink: Sink) -> None:
    manifest.seek(0)
    with sink.stream(MANIFEST, is_index=True) as stream:
        while chunk := manifest.read(_CHUNK):
            stream.write(chunk)
