"""Puts stored MariaDB and MySQL sets back: a file of statements, or a data folder that a server can start on."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from airflow_backup.core.errors import EngineError, ToolMissing, VerifyError
from airflow_backup.core.process import commands
from airflow_backup.core.process.cage import Cage, apart
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import Kind
from airflow_backup.engines.mysql import keys as mysql_keys
from airflow_backup.engines.mysql.binlog.replay import (
    check_continuous,
    reading,
    replay,
    stop_of,
    unpack_logs,
)
from airflow_backup.engines.mysql.client.programs import (
    environment,
    find_here,
    told_apart,
    version_of,
)
from airflow_backup.engines.mysql.dump import COMPLETE, DUMP
from airflow_backup.engines.mysql.physical import BASE, read_points
from airflow_backup.engines.mysql.test_server import running
from airflow_backup.engines.protocol import EngineContext, RestoreReport, SetReader
from airflow_backup.engines.shared.limits import limited
from airflow_backup.engines.shared.restore_marker import MARKER
from airflow_backup.engines.shared.scratch import check_room
from airflow_backup.engines.shared.test_server import Place, socket_folder

LOGS, ROLL_FORWARD = "binlog", "roll-forward.txt"


def split(chain: Sequence[SetReader]) -> tuple[list[SetReader], list[SetReader]]:
    """Return the full set with its incrementals, and the logs after them."""
    bases = [each for each in chain if each.manifest.kind is not Kind.ARCHIVE_LOG]
    logs = list(chain[len(bases) :])
    check_continuous(bases[-1], logs)
    return bases, logs


def restore_logical(
    chain: Sequence[SetReader], target: Path, reporter: Reporter, *, until: datetime | None
) -> RestoreReport:
    """Write the dump as a file; with logs, those beside it and the command that applies them."""
    (base,), logs = split(chain)
    reporter.begin("restoring", bytes_total=sum(each.manifest.totals.bytes_read for each in chain))
    written, tail = 0, b""
    with (target / DUMP).open("xb") as file:
        for block in base.blocks(DUMP):
            written += file.write(block)
            tail = (tail + block)[-4096:]
            reporter.advance(bytes_done=len(block))
    if COMPLETE not in tail:
        raise VerifyError(f"the dump of set '{base.manifest.set_id}' has no last line")
    files = 1
    if logs:
        found = unpack_logs(logs, target / LOGS, reporter)
        inside = [each.relative_to(target) for each in found]
        command = reading(
            base, inside, stop=stop_of(logs, until), database=base.manifest.state["database"]
        )
        (target / ROLL_FORWARD).write_text(
            "# Only on a server that holds nothing else: a log runs statements of other databases too.\n"
            f"TZ=UTC {shlex.join(command)} | mariadb --binary-mode\n"
        )
        files += len(found) + 1
        written += sum(each.stat().st_size for each in found)
    reporter.finish()
    return RestoreReport(files=files, bytes_written=written)


def restore_physical(
    chain: Sequence[SetReader],
    target: Path,
    context: EngineContext,
    *,
    until: datetime | None = None,
) -> RestoreReport:
    """Unpack, put incrementals on top, make it consistent, and roll it forward over the logs."""
    bases, logs = split(chain)
    tools = context.tools
    total = sum(each.manifest.totals.bytes_read for each in chain)
    check_room(target, 2 * total)
    context.reporter.begin("restoring", bytes_total=total)
    # Inside the target, which may be a disk of its own: what is whole is then only renamed.
    with tempfile.TemporaryDirectory(dir=target, prefix=".restoring-") as work:
        whole = prepared(bases, Path(work), context.reporter, tools=tools)
        if logs:
            files = unpack_logs(logs, Path(work) / LOGS, context.reporter)
            context.reporter.begin("rolling forward")
            command = reading(bases[-1], files, stop=stop_of(logs, until))
            with (
                socket_folder(Path(work) / "socket") as socket,
                limited(Path(work), total) as guard,
                running(
                    whole,
                    # It is to be the restored folder itself: its files stay ours.
                    Place(whole, socket, None, Cage((str(whole), str(socket))), guard),
                    context,
                    tools=tools,
                    is_restored=True,
                ) as server,
            ):
                replay(command, server)
        for found in whole.iterdir():
            found.rename(target / found.name)
    target.chmod(0o700)
    context.reporter.finish()
    found_files = [each for each in target.rglob("*") if each.is_file() and each.name != MARKER]
    return RestoreReport(
        files=len(found_files), bytes_written=sum(each.stat().st_size for each in found_files)
    )


def prepared(
    bases: Sequence[SetReader], work: Path, reporter: Reporter, *, tools: str | None
) -> Path:
    """Unpack a full set and its incrementals below ``work``; return the folder that is consistent."""
    program = _backup_program(bases[-1], tools)
    whole = unpack(bases[0], work / "whole", reporter, tools=tools)
    increments = [
        unpack(each, work / f"{number:04}", reporter, tools=tools)
        for number, each in enumerate(bases[1:], 1)
    ]
    reporter.begin("preparing")
    keys = mysql_keys.options_of(whole, work)
    for more in ([], *([f"--incremental-dir={folder}"] for folder in increments)):
        command = [program, keys, "--prepare", f"--target-dir={whole}", *more]
        try:
            finished = told_apart(command, [work])
        except EngineError as error:
            raise VerifyError(
                f"set '{bases[-1].manifest.set_id}' cannot be made consistent: {error.message}"
            ) from error
        if "completed OK!" not in finished.errors:
            raise VerifyError(f"mariadb-backup did not complete: {finished.errors}")
    return whole


def _backup_program(reader: SetReader, tools: str | None) -> str:
    program = find_here("mariadb-backup", tools)
    found = ".".join(map(str, version_of(program)))
    wanted = reader.manifest.tools.get("mariadb-backup")
    if found != wanted:
        raise ToolMissing(
            f"set '{reader.manifest.set_id}' needs mariadb-backup {wanted!r:.40}, and here is {found}",
            hint="install the release that took it",
        )
    return program


def unpack(reader: SetReader, folder: Path, reporter: Reporter, *, tools: str | None) -> Path:
    """Unpack a physical set; VerifyError where it is not the one that was written."""
    folder.mkdir(mode=0o700)

    def blocks() -> Iterator[bytes]:
        for block in reader.blocks(BASE):
            reporter.advance(bytes_done=len(block))
            yield block

    program = find_here("mbstream", tools)
    set_id = reader.manifest.set_id
    try:
        command = [program, "-x", "-C", str(folder)]
        commands.feed(
            apart(command, write=[str(folder)]),
            blocks(),
            environment=environment(),
            name="mbstream",
        )
        points = read_points(folder)
    except ToolMissing:
        raise
    except EngineError as error:
        raise VerifyError(f"set '{set_id}' is not whole: {error.message}") from error
    for link in folder.rglob("*.isl"):
        link.unlink()  # names where the original has the table's file: it lies in the set, and is found here
    if points["to_lsn"] != reader.manifest.state["to_lsn"]:
        raise VerifyError(f"set '{set_id}' ends at another place than its manifest says")
    return folder
