"""
The WAL since the parent, so that a cluster can be restored to any moment: kind ``archive_log``.

A set has the stream ``wal.tar`` with whole segments. They come through ``pg_receivewal`` or from the
folder of the server's ``archive_command``. A replication slot makes the server keep what was not
stored yet; it is moved on only by the next run, when this one's set is known to be stored.

The first segment is the one in which the log before ended. A segment that is not there any more
raises ParentUnusable: a full set begins anew.
"""

from __future__ import annotations

import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_backup.core.errors import EngineError, ParentUnusable, SourceError
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.core.words import Kind
from airflow_backup.engines.postgres.client.server import Server, tool_version
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.engines.postgres.physical.cluster import (
    Cluster,
    end_segment,
    position_of,
    segment_name,
    text_of,
)
from airflow_backup.engines.postgres.physical.history import tail_of
from airflow_backup.engines.postgres.physical.slots import held_from, hold_from, slot_name
from airflow_backup.engines.protocol import DumpReport, EngineContext, SetReader, Sink
from airflow_backup.engines.shared.scratch import check_room, scratch_folder
from airflow_backup.engines.shared.tar_stream import open_tar

WAL = "wal.tar"
ARCHIVE_TIMEOUT = 120.0
_REMOVED = "has already been removed"
_POLL = 0.1


def dump_log(
    given: PostgresOptions, server: Server, context: EngineContext, sink: Sink, parent: SetReader
) -> DumpReport:
    """Store the segments from the end of the log before up to now."""
    with server.session() as session:
        cluster = Cluster.of(session)
        server = server.beside(session)
        log = _continued(given, cluster, context.newest_log)
        if given.wal == "slot" and not _is_remembered(server, given, cluster, log, context):
            log = None
        begin, log = _begin(session, given, cluster, parent, context, log)
        if given.wal == "slot":
            # One segment more than is needed: by that one the server is known again after a restart.
            kept = begin - cluster.segment_size if begin % cluster.segment_size == 0 else begin
            hold_from(session, slot_name(given, context.schedule_id), kept)
        span = _Span(cluster, begin, end_segment(session, cluster.segment_size))
        if given.wal == "archive":
            assert given.archive is not None
            _wait_for_archive(session, Path(given.archive), span)
            if not _is_remembered(server, given, cluster, log, context):
                begin, log = _begin(session, given, cluster, parent, context, None)
                span = _Span(cluster, begin, span.end)
    context.reporter.begin("copying", bytes_total=span.bytes)
    with sink.stream(WAL) as stream, open_tar(stream, context.reporter) as tar:
        if given.wal == "archive":
            _copy_archive(Path(str(given.archive)), span, tar)
        else:
            _receive(server, span, context, tar)
    context.reporter.finish()
    return DumpReport(
        consistent_at=span.until,
        files=len(span.names),
        bytes_read=span.bytes,
        tools={
            "postgresql": cluster.version_text,
            "pg_receivewal": str(tool_version(server, "pg_receivewal")),
        },
        state={
            "method": "physical",
            "server": cluster.version,
            "superuser": cluster.superuser,
            "database": server.database,
            "wal": cluster.state(begin=begin, end=span.end),
            "began": cluster.began.isoformat(),
            "tail": span.tail,
            "segments": [span.names[0], span.names[-1]],
            "continues": None if log is None else log.set_id,
        },
    )


class _Span:
    """The WAL that one set holds."""

    def __init__(self, cluster: Cluster, begin: int, end: int) -> None:
        self.cluster, self.begin, self.end, self.until = cluster, begin, end, cluster.now
        self.tail = ""
        size = cluster.segment_size
        self.first, self.last = begin // size, max(end - 1, begin) // size
        self.names = [
            segment_name(cluster.timeline, number, size)
            for number in range(self.first, self.last + 1)
        ]
        self.bytes = len(self.names) * size

    def add(self, tar: tarfile.TarFile, path: Path, name: str) -> None:
        """Store a segment, and remember the last one."""
        size = self.cluster.segment_size
        if path.stat().st_size != size:
            raise EngineError(f"the segment '{name}' has not the size of a segment")
        if name == self.names[-1]:
            self.tail = tail_of(path, max(self.end, self.begin + 1), size)
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, 0o600, int(path.stat().st_mtime)
        with path.open("rb") as file:
            tar.addfile(member, file)


def _continued(given: PostgresOptions, cluster: Cluster, log: Manifest | None) -> Manifest | None:
    """Return the log that this one goes on after, where it is of this cluster and not ahead of it."""
    if log is None or not cluster.is_same(log.state.get("wal") or {}):
        return None
    return log if position_of(log.state["wal"]["end"]) <= cluster.position else None


def _is_remembered(
    server: Server,
    given: PostgresOptions,
    cluster: Cluster,
    log: Manifest | None,
    context: EngineContext,
) -> bool:
    """
    Whether the server still has the WAL that a log ended with.

    It may have been put back to an older state, and then runs through the same positions with other contents. That
    takes a restart.
    """
    if log is None or log.state.get("began") in (None, cluster.began.isoformat()):
        return True
    size, end = cluster.segment_size, position_of(log.state["wal"]["end"])
    name = segment_name(cluster.timeline, (end - 1) // size, size)
    if given.wal == "archive":
        path = Path(str(given.archive)) / name
        return path.exists() and tail_of(path, end, size) == log.state["tail"]
    with scratch_folder(context.scratch) as folder:
        try:
            _fetch(server, cluster, (end - 1) // size, end, Path(folder))
        except ParentUnusable:
            return False
        found = [Path(folder) / name, Path(folder) / f"{name}.partial"]
        return any(
            each.exists() and tail_of(each, end, size) == log.state["tail"] for each in found
        )


def _begin(
    session: Any,
    given: PostgresOptions,
    cluster: Cluster,
    parent: SetReader,
    context: EngineContext,
    log: Manifest | None,
) -> tuple[int, Manifest | None]:
    """
    Return where the log before ended, and that log; or where the chain of the parent began.

    A log that was overtaken (the slot was lost, a standby took over) is not waited for: the full set
    that was taken since is the parent, and what lies between the two is gone.
    """
    own = parent.manifest
    cluster.check_same(own.state.get("wal") or {}, own.set_id)
    slot = slot_name(given, context.schedule_id) if given.wal == "slot" else None
    held = None if slot is None else held_from(session, slot)

    def is_there(position: int) -> bool:
        number = position // cluster.segment_size
        if held is not None:
            return held // cluster.segment_size <= number
        name = segment_name(cluster.timeline, number, cluster.segment_size)
        here = cluster.position // cluster.segment_size
        return number >= here or (Path(str(given.archive)) / name).exists()

    if log is not None:
        end = position_of(log.state["wal"]["end"])
        if is_there(end):
            return end, log
    wal = own.state["wal"]
    places = ["end"] if own.kind is Kind.ARCHIVE_LOG else ["begin"]
    if context.newest_log is None:
        places.insert(
            0, "since"
        )  # so that moments between the sets of the chain can be restored too
    began = own.state.get("began")
    if began is not None and began != cluster.began.isoformat():
        raise ParentUnusable(
            f"the server was started anew after set '{own.set_id}', perhaps on a data folder that was put back"
        )
    begin = next(filter(is_there, (position_of(wal[place]) for place in places)), None)
    if begin is None:
        raise ParentUnusable(
            f"the WAL that follows set '{own.set_id}' is not there any more",
            hint="is the archive cleaned by something else, or max_slot_wal_keep_size too small?",
        )
    return begin, None


def _fetch(
    server: Server,
    cluster: Cluster,
    first: int,
    end: int,
    folder: Path,
    look: Callable[[], None] = lambda: None,
) -> None:
    """Let the segments from number ``first`` to position ``end`` come into a folder; ``look`` at it meanwhile."""
    size = cluster.segment_size
    # The program goes on after the newest segment it finds: this one tells it where to begin.
    with (folder / segment_name(cluster.timeline, first - 1, size)).open("wb") as empty:
        empty.truncate(size)
    options = (
        "--no-loop",
        "--no-sync",
        "--no-password",
        f"--directory={folder}",
        f"--endpos={text_of(end - 1)}",
    )
    try:
        with server.start("pg_receivewal", *options) as process:
            while process.is_running:
                look()
                time.sleep(_POLL)
    except EngineError as error:
        if _REMOVED in error.message:
            raise ParentUnusable(
                f"the server has removed WAL that no set holds: {error.message}",
                hint="source: {wal: slot} makes the server keep it",
            ) from error
        raise


def _receive(server: Server, span: _Span, context: EngineContext, tar: tarfile.TarFile) -> None:
    check_room(context.scratch, min(span.bytes, 8 * span.cluster.segment_size))
    with scratch_folder(context.scratch) as name:
        folder, waiting = Path(name), list(span.names)
        _fetch(
            server,
            span.cluster,
            span.first,
            span.end,
            folder,
            lambda: _take_over(folder, waiting, span, tar),
        )
        _take_over(folder, waiting, span, tar)
        if waiting:  # the last one was not ended, because we may not
            span.add(tar, folder / f"{waiting[0]}.partial", waiting[0])
            waiting.pop(0)
        if waiting:
            raise EngineError(f"pg_receivewal ended before the segment '{waiting[0]}'")


def _take_over(folder: Path, waiting: list[str], span: _Span, tar: tarfile.TarFile) -> None:
    """Store the segments that are whole, and remove them, so that little room is needed."""
    while waiting and (folder / waiting[0]).exists():
        span.add(tar, folder / waiting[0], waiting[0])
        (folder / waiting.pop(0)).unlink()


def _wait_for_archive(session: Any, folder: Path, span: _Span) -> None:
    """Wait until the server has archived the last segment; say what is in the way when it does not."""
    if not folder.is_dir():
        raise SourceError(f"there is no archive folder '{folder}'", hint="is it mounted here?")
    deadline = time.monotonic() + ARCHIVE_TIMEOUT
    while True:
        row = session.execute(
            "SELECT last_archived_wal, last_failed_wal FROM pg_stat_archiver"
        ).fetchone()
        if row[0] is not None and row[0][8:24] >= span.names[-1][8:]:
            return
        if time.monotonic() > deadline:
            raise EngineError(
                f"the server has not archived the segment '{span.names[-1]}' in {ARCHIVE_TIMEOUT:.0f} seconds, "
                f"the last was {row[0]}, the last that failed {row[1]}",
                hint="what does archive_command say in the server's log?",
            )
        time.sleep(_POLL)


def _copy_archive(folder: Path, span: _Span, tar: tarfile.TarFile) -> None:
    for name in span.names:
        path = folder / name
        if not path.exists():
            raise ParentUnusable(
                f"the archive '{folder}' lacks the segment '{name}'",
                hint="does anything else remove files from it?",
            )
        span.add(tar, path, name)
