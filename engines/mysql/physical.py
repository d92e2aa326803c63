"""
The data folder by ``mariadb-backup``: full, and what changed since a position in the redo log.

A set has the stream ``base.mbstream``; ``mbstream -x`` unpacks it, ``mariadb-backup --prepare`` makes
it consistent. The program reads the server's files, so it runs on the server's machine.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    EngineError,
    ParentUnusable,
    Refused,
    ToolMissing,
)
from airflow_backup.core.paths.roots import real_path
from airflow_backup.core.process.process import Process
from airflow_backup.core.words import Kind
from airflow_backup.engines.mysql.client.programs import environment, version_of
from airflow_backup.engines.mysql.client.replica import behind
from airflow_backup.engines.mysql.client.server import Server, ask
from airflow_backup.engines.mysql.server_state import (
    Position,
    ServerState,
    differs,
    gtid_at,
    settings,
)
from airflow_backup.engines.protocol import DumpReport, EngineContext, SetReader, Sink
from airflow_backup.engines.shared.scratch import scratch_folder

if TYPE_CHECKING:
    import pymysql

BASE = "base.mbstream"
CHECKPOINTS = ("xtrabackup_checkpoints", "mariadb_backup_checkpoints")
_INFO = ("xtrabackup_info", "mariadb_backup_info")
_COMPLETE = "completed OK!"
_BINLOG = re.compile(r"filename '([^']+)', position '(\d+)'")


_FOLDERS = (
    *("datadir", "innodb_data_home_dir", "innodb_log_group_home_dir", "innodb_undo_directory"),
    "aria_log_dir_path",
)
_FILES = "innodb_data_file_path"


def check_fence(datadir: str, session: pymysql.Connection[Any], context: EngineContext) -> None:
    """
    Raise Refused where the server says that its files lie where an administrator lets such a schedule not read.

    mariadb-backup reads here what the server names, and which server that is says a connection.
    """
    if context.source_roots is None:
        return
    told = settings(session, [*_FOLDERS, _FILES])
    files = [each.partition(":")[0].strip() for each in told.pop(_FILES, "").split(";")]
    for path in [datadir, *filter(None, told.values()), *filter(None, files)]:
        real_path(os.path.join(datadir, path), context.source_roots, what="the server's data:")


def problems_of(
    server: Server,
    server_state: ServerState,
    session: pymysql.Connection[Any],
    context: EngineContext,
) -> list[BackupError]:
    """Return what is in the way of reading the server's files."""
    if not server_state.is_mariadb:
        return [
            ConfigError(
                f"physical sets are taken by mariadb-backup, and the server is MySQL {server_state.version}",
                hint="method: logical takes its databases",
            )
        ]
    try:
        check_fence(server_state.datadir, session, context)
    except Refused as error:
        return [error]
    if not os.access(Path(server_state.datadir) / "ibdata1", os.R_OK):
        return [
            ConfigError(
                f"the server's data folder '{server_state.datadir}' cannot be read here",
                hint="does the worker run on the server's machine, as a user who may read it?",
            )
        ]
    program = server.tool("mariadb-backup")
    found = version_of(program)
    wanted = tuple(int(part) for part in server_state.version.split(".")[:2])
    if found != wanted:
        return [
            ToolMissing(
                f"mariadb-backup is of {found[0]}.{found[1]}, and the server of {wanted[0]}.{wanted[1]}",
                hint="install the mariadb-backup that belongs to the server",
            )
        ]
    return []


def size_of(session: pymysql.Connection[Any]) -> int:
    """Return how many bytes all tables and their indexes take."""
    ((size,),) = ask(
        session,
        "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables",
    )
    return int(size)


def dump_physical(
    server: Server, context: EngineContext, sink: Sink, *, kind: Kind, parent: SetReader | None
) -> DumpReport:
    """Copy the data folder, or the pages that changed since ``parent``."""
    with server.session() as session:
        before = ServerState.of(session)
        late = behind(session)
        check_fence(before.datadir, session, context)
        since = None if parent is None else _since(parent, before, session)
        size = size_of(session)
    total = size if kind is Kind.FULL else context.expected_bytes
    context.reporter.begin("copying", bytes_total=total or None)
    with scratch_folder(context.scratch) as scratch:
        read = _copy(server, before, context, sink, since=since, scratch=Path(scratch))
        points = read_points(Path(scratch))
        place = _place(Path(scratch), server)
    with server.session() as session:
        after = ServerState.of(session)
        began = _began(session)
    context.reporter.finish()
    return DumpReport(
        consistent_at=after.now,
        files=1,
        bytes_read=read,
        tools={
            "server": before.version,
            "mariadb-backup": ".".join(map(str, version_of(server.tool("mariadb-backup")))),
        },
        warnings=late,
        state={
            "method": "physical",
            "identity": before.identity,
            "server_began": began,
            "database": server.database,
            "from_lsn": points["from_lsn"],
            "to_lsn": points["to_lsn"],
            "binlog": None if place is None else place.as_dict(),
            "chain_binlog": (
                None
                if parent is None
                else parent.manifest.state.get("chain_binlog") or parent.manifest.state["binlog"]
            ),
        },
    )


def _since(parent: SetReader, server_state: ServerState, session: Any) -> int:
    """
    Return from which position of the redo log on pages are wanted; ParentUnusable where it means nothing.

    A position is a number that goes up. Where a data folder was put back to an older state, it goes up over the same
    numbers again, and pages that were other ones meanwhile would be taken from the parent: nobody would notice.
    That takes a restart of the server, so after one there is no incremental.
    """
    manifest = parent.manifest
    if manifest.state.get("identity") != server_state.identity:
        raise ParentUnusable(f"set '{manifest.set_id}' is of another server")
    begun = manifest.state.get("server_began")
    if begun is None or int(begun) != _began(session):
        raise ParentUnusable(
            f"the server was started anew after set '{manifest.set_id}', perhaps on a data folder that was put back"
        )
    place = manifest.state.get("binlog")
    reason = None if place is None else differs(session, Position(**place))
    if reason is not None:
        raise ParentUnusable(f"the server is not the one of set '{manifest.set_id}': {reason}")
    since = int(manifest.state["to_lsn"])
    row = ask(session, "SHOW GLOBAL STATUS LIKE 'Innodb_lsn_current'")
    if row and int(row[0][1]) < since:
        raise ParentUnusable(f"the server's redo log was begun anew after set '{manifest.set_id}'")
    return since


def _began(session: Any) -> int:
    """Return when the server was started, in seconds since 1970 by its own clock: always the same number."""
    ((began,),) = ask(
        session,
        "SELECT UNIX_TIMESTAMP() - VARIABLE_VALUE FROM information_schema.global_status"
        " WHERE VARIABLE_NAME = 'UPTIME'",
    )
    return int(began)


def _copy(
    server: Server,
    server_state: ServerState,
    context: EngineContext,
    sink: Sink,
    *,
    since: int | None,
    scratch: Path,
) -> int:
    read = 0
    work, points = scratch / "work", scratch / "points"
    work.mkdir()
    points.mkdir()
    with sink.stream(BASE) as stream, server.options_file() as options:
        command = [
            server.tool("mariadb-backup"),
            f"--defaults-file={options}",
            "--backup",
            "--stream=mbstream",
            f"--target-dir={work}",
            f"--extra-lsndir={points}",
            f"--datadir={server_state.datadir}",
        ]
        if since is not None:
            command.append(f"--incremental-lsn={since}")
        with Process(command, environment=environment()) as child:
            for chunk in child.chunks():
                stream.write(chunk)
                read += len(chunk)
                context.reporter.advance(bytes_done=len(chunk))
        if _COMPLETE not in child.errors:
            raise EngineError(f"mariadb-backup did not say that it is complete: {child.errors}")
    return read


def read_points(folder: Path) -> dict[str, int]:
    """Return the positions in the redo log that mariadb-backup noted below ``folder``."""
    found = [path for name in CHECKPOINTS for path in folder.rglob(name)]
    if not found:
        raise EngineError("mariadb-backup noted no position in the redo log")
    pairs = re.findall(r"^(\w+_lsn) = (\d+)$", found[0].read_text(), re.MULTILINE)
    return {key: int(value) for key, value in pairs}


def _place(folder: Path, server: Server) -> Position | None:
    for path in (path for name in _INFO for path in folder.rglob(name)):
        found = _BINLOG.search(path.read_text(errors="replace"))
        if found is not None:
            file, offset = found[1], int(found[2])
            with server.session() as session:
                return Position(file, offset, gtid_at(session, file, offset))
    return None
