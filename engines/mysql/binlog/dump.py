"""
The binary log since the parent: kind ``archive_log`` of MariaDB and MySQL.

A set has the stream ``binlog.tar`` with the server's log files from the one in which the log before
ended up to now, byte for byte. A file that the server has removed, or that is not the one it was,
raises ParentUnusable: a full set begins anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import BackupError, ConfigError, EngineError, ParentUnusable
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.core.process.process import Process
from airflow_backup.core.words import Kind
from airflow_backup.engines.mysql.client.programs import environment
from airflow_backup.engines.mysql.client.server import Server, ask
from airflow_backup.engines.mysql.server_state import (
    Position,
    ServerState,
    lost,
    number_of,
    position,
)
from airflow_backup.engines.protocol import DumpReport, EngineContext, SetReader, Sink
from airflow_backup.engines.shared.scratch import check_room, scratch_folder
from airflow_backup.engines.shared.tar_stream import open_tar

if TYPE_CHECKING:
    import tarfile

    import pymysql

LOG = "binlog.tar"


def problems_of(server_state: ServerState, session: Any) -> list[BackupError]:
    """Return what is in the way of collecting the binary log."""
    import pymysql

    if not server_state.has_binlog:
        return [
            ConfigError(
                "the server keeps no binary log, which archive_log sets are made of",
                hint="log_bin = ON in the server's configuration, and binlog_format = ROW",
            )
        ]
    try:
        position(session)
        ask(session, "SHOW BINARY LOGS")
    except pymysql.Error as error:
        return [
            ConfigError(
                f"the user may not read the binary log: {error.args[-1]}",
                hint="GRANT BINLOG MONITOR, REPLICATION SLAVE ON *.* (MySQL: REPLICATION CLIENT)",
            )
        ]
    return []


def dump_log(server: Server, context: EngineContext, sink: Sink, parent: SetReader) -> DumpReport:
    """Store the log files from the end of the log before up to now."""
    with server.session() as session:
        server_state = ServerState.of(session)
        begin, log = _begin(session, server_state, parent, context)
        _begin_new_file(session)
        end = position(session)
        sizes = {str(row[0]): int(row[1]) for row in ask(session, "SHOW BINARY LOGS")}
    numbers = range(number_of(begin.file), number_of(end.file) + 1)
    names = sorted((name for name in sizes if number_of(name) in numbers), key=number_of)
    context.reporter.begin("copying", bytes_total=sum(sizes[name] for name in names))
    read = 0
    with sink.stream(LOG) as stream, open_tar(stream, context.reporter) as tar:
        for name in names:
            read += _fetch(server, name, sizes[name], context, tar)
    context.reporter.finish()
    return DumpReport(
        consistent_at=server_state.now,
        files=len(names),
        bytes_read=read,
        tools={"server": server_state.version},
        state={
            "method": parent.manifest.state["method"],
            "identity": server_state.identity,
            "database": parent.manifest.state.get("database"),
            "to_lsn": parent.manifest.state.get("to_lsn"),
            "since": begin.as_dict(),
            "binlog": end.as_dict(),
            "files": [names[0], names[-1]],
            "continues": None if log is None else log.set_id,
        },
    )


def _begin(
    session: pymysql.Connection[Any],
    server_state: ServerState,
    parent: SetReader,
    context: EngineContext,
) -> tuple[Position, Manifest | None]:
    """Return where the log before ended, and that log; or the place of the parent."""
    own, log = parent.manifest, context.newest_log
    if own.state.get("identity") != server_state.identity:
        raise ParentUnusable(f"set '{own.set_id}' is of another server")
    if log is not None and log.state.get("identity") == server_state.identity:
        place = Position(**log.state["binlog"])
        if lost(session, place) is None:
            return place, log
    if own.state.get("binlog") is None:
        raise ParentUnusable(f"set '{own.set_id}' does not know its place in the binary log")
    places = [own.state["binlog"]]
    if log is None and own.kind is not Kind.ARCHIVE_LOG:
        places.insert(0, own.state.get("chain_binlog") or own.state["binlog"])
    reason = None
    for found in places:
        place = Position(**found)
        reason = lost(session, place)
        if reason is None:
            return place, None
    raise ParentUnusable(
        f"the binary log that follows set '{own.set_id}' is not there any more: {reason}",
        hint="binlog_expire_logs_seconds must be longer than the time between two runs",
    )


def _begin_new_file(session: pymysql.Connection[Any]) -> None:
    import pymysql

    try:
        ask(session, "FLUSH BINARY LOGS")
    except pymysql.Error:
        return  # not allowed: the next run stores the rest of this file, and its beginning again


def _fetch(
    server: Server, name: str, size: int, context: EngineContext, tar: tarfile.TarFile
) -> int:
    check_room(context.scratch, size)
    with (
        scratch_folder(context.scratch) as scratch,
        server.options_file() as options,
    ):
        command = server.client(
            "mariadb-binlog",
            options,
            "--read-from-remote-server",
            "--raw",
            f"--result-file={scratch}/",
            name,
        )
        with Process(command, environment=environment()) as child:
            for _ in child.chunks():
                pass
        path = Path(scratch) / name
        if not path.exists() or path.stat().st_size < size:
            raise EngineError(f"the binary log '{name}' came shorter than the server says it is")
        tar.add(path, arcname=name)
        return path.stat().st_size
