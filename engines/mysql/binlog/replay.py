"""Rolls a MariaDB or MySQL server forward over stored binary logs, up to a moment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow_backup.core.errors import VerifyError
from airflow_backup.core.process.cage import apart
from airflow_backup.core.process.process import Process
from airflow_backup.core.progress import Reporter
from airflow_backup.engines.mysql.binlog.dump import LOG
from airflow_backup.engines.mysql.client.client import apply
from airflow_backup.engines.mysql.client.programs import environment, find
from airflow_backup.engines.mysql.client.server import Server
from airflow_backup.engines.mysql.server_state import number_of
from airflow_backup.engines.protocol import SetReader
from airflow_backup.engines.shared import tar_unpack

_FILE = re.compile(r"[A-Za-z0-9_.@-]+\.\d{6,}")


def check_continuous(base: SetReader, logs: Sequence[SetReader]) -> None:
    """Raise VerifyError when a part of the binary log is missing between the sets."""
    state = base.manifest.state
    reached = _place(state.get("binlog"))
    for log in logs:
        found = log.manifest.state
        begin = _place(found["since"])
        if found["identity"] != state["identity"] or reached is None or begin is None:
            raise VerifyError(
                f"the binary log of set '{log.manifest.set_id}' does not belong to set "
                f"'{base.manifest.set_id}'"
            )
        if begin > reached:
            place = found["since"]
            raise VerifyError(
                f"the binary log of set '{log.manifest.set_id}' begins at {place['offset']} of '{place['file']}', "
                f"which is not where the sets before it end",
                hint="restore to a moment before it, or from a later full set",
            )
        reached = max(reached, _place(found["binlog"]) or reached)


def _place(found: Mapping[str, Any] | None) -> tuple[int, int] | None:
    return None if found is None else (number_of(str(found["file"])), int(found["offset"]))


def since(files: Sequence[Path], begin: str) -> list[Path]:
    """Return the files of a log from the one called ``begin`` on; VerifyError where that is missing."""
    wanted = [file for file in files if number_of(file.name) >= number_of(begin)]
    if not wanted or wanted[0].name != begin:
        raise VerifyError(f"the binary log '{begin}', where the dump was taken, is missing")
    return wanted


def unpack_logs(logs: Sequence[SetReader], folder: Path, reporter: Reporter) -> list[Path]:
    """Write the log files and return them in order."""
    folder.mkdir(mode=0o700, exist_ok=True)
    tar_unpack.unpack_logs(logs, LOG, folder, reporter, names=_FILE, what="binary log")
    return sorted(folder.iterdir(), key=lambda file: number_of(file.name))


def stop_of(logs: Sequence[SetReader], until: datetime | None) -> datetime | None:
    """Return where to stop, to the second as the log is; None where all of it is wanted."""
    if until is None or until >= logs[-1].manifest.consistent_at:
        return None
    return until.astimezone(UTC).replace(microsecond=0)


def reading(
    base: SetReader,
    files: Sequence[Path],
    *,
    stop: datetime | None,
    database: str | None = None,
    program: str = "mariadb-binlog",
) -> list[str]:
    """
    Return the command that writes what happened since ``base`` as statements.

    ``database`` leaves out what was done while another one was the current one.
    """
    begin = base.manifest.state["binlog"]
    wanted = since(files, begin["file"])
    command = [program, f"--start-position={begin['offset']}"]
    if stop is not None:
        command.append(f"--stop-datetime={stop:%Y-%m-%d %H:%M:%S}")
    if database is not None:
        command.append(f"--database={database}")
    return [*command, *map(str, wanted)]


def replay(command: Sequence[str], server: Server) -> None:
    """
    Run what ``command`` writes on a server; the first error of either ends both.

    Only for a server that is restored whole, before anybody uses it: a log is of a whole server.
    """
    program = find(command[0], server.tools)
    whole = [program, "--no-defaults", *command[1:]]
    folders = sorted({str(Path(each).parent) for each in command[1:] if each.startswith("/")})
    caged = apart(whole, write=folders)
    own = environment() | {"TZ": "UTC", "TMPDIR": folders[0]}
    with Process(caged, environment=own, name="mariadb-binlog") as source:
        apply(server, source.chunks())
