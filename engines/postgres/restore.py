"""Puts stored PostgreSQL sets back: files for ``pg_restore``, or a data folder that a server can start on."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow_backup.core.errors import EngineError, ToolMissing, VerifyError
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import Kind
from airflow_backup.engines.postgres.client import libpq
from airflow_backup.engines.postgres.client.programs import find
from airflow_backup.engines.postgres.dump import ARCHIVE, DUMP, GLOBALS
from airflow_backup.engines.postgres.physical.cluster import position_of
from airflow_backup.engines.postgres.physical.dump import BASE
from airflow_backup.engines.postgres.physical.wal import WAL
from airflow_backup.engines.postgres.properties.model import PROPERTIES
from airflow_backup.engines.protocol import EngineContext, RestoreReport, SetReader
from airflow_backup.engines.shared import tar_unpack
from airflow_backup.engines.shared.restore_marker import MARKER
from airflow_backup.engines.shared.scratch import check_room
from airflow_backup.engines.shared.tar_unpack import unpack

LOGS = "restored_wal"
"""Inside the data folder: the segments that the server rolls forward over."""

_NOT_CHECKED = "{program} is not at hand: what was restored is as it was stored, and was not {what}"
_NOT_ALONE = (
    *("primary_conninfo", "primary_slot_name", "restore_command", "archive_cleanup_command"),
    *("recovery_end_command", "recovery_target", "recovery_target_lsn", "recovery_target_name"),
    *("recovery_target_time", "recovery_target_xid"),
)
_SIGNALS = ("standby.signal", "recovery.signal")
_FOLLOWS = re.compile(rb"\s*(?:%s)\b" % "|".join(_NOT_ALONE).encode(), re.IGNORECASE)
_SEGMENT = re.compile(r"[0-9A-F]{24}")


def restore_logical(reader: SetReader, target: Path, context: EngineContext) -> RestoreReport:
    """Write the dump and the roles as files, and decode the dump as a whole."""
    reporter = context.reporter
    reporter.begin("restoring", bytes_total=reader.manifest.totals.bytes_read)
    dump, files, written = unpack_dump(reader, target, reporter)
    for name in (GLOBALS, PROPERTIES):
        if name in reader.manifest.streams:
            files += 1
            with (target / name).open("xb") as file:
                for block in reader.blocks(name):
                    written += file.write(block)
    reporter.begin("checking")
    warnings = []
    try:
        # Listing the contents passes for a dump that was cut; only decoding reads it all.
        program = find("pg_restore", **version_of_dump(reader, context))
        prove([program, "--file=/dev/null", str(dump)], reader, dump)
    except ToolMissing:
        warnings.append(_NOT_CHECKED.format(program="pg_restore", what="decoded"))
    reporter.finish()
    return RestoreReport(files=files, bytes_written=written, warnings=warnings)


def unpack_dump(reader: SetReader, target: Path, reporter: Reporter) -> tuple[Path, int, int]:
    """Write the dump below ``target`` as pg_restore reads it; return its path, files and bytes."""
    if ARCHIVE in reader.manifest.streams:
        folder = target / "database"
        folder.mkdir()
        return (folder, *unpack(reader, ARCHIVE, folder, reporter))
    written = 0
    with (target / DUMP).open("xb") as file:
        for block in reader.blocks(DUMP):
            written += file.write(block)
            reporter.advance(bytes_done=len(block))
    return target / DUMP, 1, written


def version_of_dump(reader: SetReader, context: EngineContext) -> dict[str, Any]:
    """Return which programs can read a set: `find`'s arguments."""
    manifest = reader.manifest
    return {"at_least": manifest.version_of("pg_dump", "pg_basebackup")[0], "folder": context.tools}


def restore_physical(
    chain: Sequence[SetReader],
    target: Path,
    context: EngineContext,
    *,
    until: datetime | None = None,
) -> RestoreReport:
    """
    Unpack the data folder, put incrementals on top, and verify it against the backup manifest.

    With archived logs the server, when it is started, rolls forward to ``until`` and then opens.
    """
    reporter = context.reporter
    bases = [each for each in chain if each.manifest.kind is not Kind.ARCHIVE_LOG]
    logs = list(chain[len(bases) :])
    check_continuous(bases[-1], logs)
    total = sum(each.manifest.totals.bytes_read for each in chain)
    reporter.begin("restoring", bytes_total=total)
    if len(bases) == 1:
        unpack(bases[0], BASE, target, reporter)
    else:
        _combine(bases, target, context)
    target.chmod(0o700)  # the server refuses a folder that others may read
    reporter.begin("checking")
    warnings: list[str] = []
    try:
        verify = find("pg_verifybackup", **version_of_dump(bases[-1], context))
        options = ("--no-parse-wal", "--exit-on-error", f"--ignore={MARKER}")
        prove([verify, *options, str(target)], bases[-1], target)
    except ToolMissing:
        warnings.append(_NOT_CHECKED.format(program="pg_verifybackup", what="verified"))
    warnings += _stand_alone(target, bases[-1].manifest.state)
    if logs:
        _add_logs(logs, target, reporter)
        _roll_forward(target, until or logs[-1].manifest.consistent_at)
    else:
        _recover(target, _OWN_TIMELINE)
    reporter.finish()
    files = [found for found in target.rglob("*") if found.is_file() and found.name != MARKER]
    return RestoreReport(
        files=len(files),
        bytes_written=sum(found.stat().st_size for found in files),
        warnings=warnings,
    )


def _stand_alone(target: Path, state: Mapping[str, Any]) -> list[str]:
    """
    Let nothing in a restored folder make its server follow another one, archive, or subscribe.

    A set of a standby has the signal to be one, and the primary's address with a password; a set of a
    primary archives to where the living one does, under the same names. A server that was restored
    beside the living one must not touch any of that before somebody says so.
    """
    told, own = [], dict.fromkeys(_NOT_ALONE, "")
    signals = [found for found in (target / each for each in _SIGNALS) if found.exists()]
    for signal in signals:
        signal.unlink()
    automatic = target / "postgresql.auto.conf"
    lines = automatic.read_bytes().splitlines(keepends=True) if automatic.exists() else []
    kept = [line for line in lines if not _FOLLOWS.match(line)]
    if signals or len(kept) != len(lines):
        told.append("follows no other server (primary_conninfo, standby.signal)")
    if state.get("archives"):
        own |= {"archive_command": ""} | ({"archive_library": ""} if state["server"] >= 15 else {})
        told.append("archives nothing (archive_command)")
    if state.get("subscriptions"):
        own["max_logical_replication_workers"] = "0"
        told.append("runs no subscription (max_logical_replication_workers)")
    # An empty value here is the last word: what is set in postgresql.conf does not count any more.
    text = "".join(f"{key} = '{value}'\n" for key, value in own.items())
    head = "\n# written by airflow-backup for this restore: touch nothing of the living server\n"
    automatic.write_bytes(b"".join([*kept, head.encode(), text.encode()]))
    automatic.chmod(0o600)
    if not told:
        return []
    return [f"what was restored {', '.join(told)}: see the end of postgresql.auto.conf"]


def check_continuous(base: SetReader, logs: Sequence[SetReader]) -> None:
    """Raise VerifyError when WAL is missing between a set and the logs, or between two logs."""
    begun: dict[str, Any] = base.manifest.state.get("wal") or {}
    reached = None if not begun else position_of(begun["end"])
    for log in logs:
        found = log.manifest.state["wal"]
        size = int(found["segment_size"])
        same = (found["system"], found["timeline"]) == (begun.get("system"), begun.get("timeline"))
        if not same or reached is None or position_of(found["begin"]) // size > reached // size:
            raise VerifyError(
                f"the WAL of set '{log.manifest.set_id}' begins at {found['begin']}, "
                f"which is not where the sets before it end",
                hint="restore to a moment before it, or from a later full set",
            )
        reached = max(reached, position_of(found["end"]))


def _combine(bases: Sequence[SetReader], target: Path, context: EngineContext) -> None:
    reporter = context.reporter
    program = find("pg_combinebackup", **version_of_dump(bases[-1], context))
    check_room(target, 2 * sum(each.manifest.totals.bytes_read for each in bases))
    # Inside the target, which may be a disk of its own: what is combined is then only renamed.
    with tempfile.TemporaryDirectory(dir=target, prefix=".restoring-") as work:
        folders = []
        for number, each in enumerate(bases):
            folder = Path(work) / f"{number:04}"
            folder.mkdir(mode=0o700)
            unpack(each, BASE, folder, reporter)
            folders.append(str(folder))
        reporter.begin("combining")
        whole = Path(work) / "whole"
        prove([program, f"--output={whole}", *folders], bases[-1], Path(work), write=[Path(work)])
        for found in whole.iterdir():
            found.rename(target / found.name)


def _add_logs(logs: Sequence[SetReader], target: Path, reporter: Reporter) -> None:
    folder = target / LOGS
    folder.mkdir(mode=0o700)
    unpack_logs(logs, folder, reporter)


def unpack_logs(logs: Sequence[SetReader], folder: Path, reporter: Reporter) -> None:
    """Write the segments of all logs."""
    tar_unpack.unpack_logs(logs, WAL, folder, reporter, names=_SEGMENT, what="WAL")


def _roll_forward(target: Path, until: datetime) -> None:
    """Tell the server, when it is started, how far to go; the names are relative to its folder."""
    settings = {
        "restore_command": _COPY,
        "recovery_target_time": f"{until.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00",
        "recovery_target_action": "promote",
        "recovery_target_timeline": "current",
        "recovery_end_command": f"rm -r {LOGS}",
    }
    _recover(target, settings)


_COPY = f'cp "{LOGS}/%f" "%p"'


def restoring_command(chain: Sequence[SetReader]) -> tuple[str, list[str]]:
    """
    Return the command by which a server gets WAL of ``chain``, and the programs that it needs.

    It is said on the server's command line: what a restored folder says itself may be anybody's program.
    """
    has_logs = any(each.manifest.kind is Kind.ARCHIVE_LOG for each in chain)
    found = [shutil.which(each) for each in ("sh", "cp")] + ["/bin/sh"]
    return (_COPY if has_logs else "false"), [each for each in found if each is not None]


_OWN_TIMELINE = {"restore_command": "false", "recovery_target_timeline": "current"}
"""
With nothing to roll forward over, a server only ends its recovery as one that was restored does.

It goes on in a timeline of its own then. In the old one it would write other WAL under the names that the living server
uses, and an archive, or a log of ours, would be a mixture of both.
"""


def _recover(target: Path, settings: Mapping[str, str]) -> None:
    lines = [f"{key} = '{value}'\n" for key, value in settings.items()]
    with (target / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
        file.write("".join(["\n# written by airflow-backup for this restore\n", *lines]))
    (target / "recovery.signal").touch(mode=0o600)


def prove(
    command: Sequence[str],
    reader: SetReader,
    folder: Path,
    *,
    write: Sequence[Path] = (),
    run: Sequence[str] = (),
) -> None:
    """Run a program that reads what was restored below ``folder``, in a sandbox; VerifyError where it finds fault."""
    try:
        libpq.run_apart(command, read=[folder], write=write, run=run)
    except ToolMissing:
        raise
    except EngineError as error:
        raise VerifyError(
            f"set '{reader.manifest.set_id}' is not whole: {error.message}"
        ) from error
