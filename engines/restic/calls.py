"""What the engine asks restic for, and what its answers mean."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from airflow_backup.core.endpoints import check_host
from airflow_backup.core.errors import (
    BackupError,
    EngineError,
    NotFound,
    Refused,
    ScratchFull,
    SourceDenied,
    SourceError,
    SourceUnavailable,
    ToolMissing,
    VerifyError,
)
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.engines.protocol import (
    EngineContext,
)
from airflow_backup.engines.restic.options import ResticOptions, http_host_of
from airflow_backup.engines.restic.program import Restic
from airflow_backup.engines.restic.told import Message
from airflow_backup.engines.shared.restore_marker import MARKER
from airflow_backup.schedules.model.base import Model

TAG = "airflow-backup"


_SNAPSHOT = re.compile(r"[0-9a-f]{64}")


DAMAGE = ("contains errors", "LoadIndex returned errors", "ciphertext verification failed")
"""What restic says where it looked at its data and found fault."""


@contextmanager
def proving(words: str, *, only: Sequence[str] = ("",)) -> Iterator[None]:
    """
    Call damage what restic cannot do with a snapshot, where it says one of ``only``.

    A program, room or a disk that is missing says nothing of the snapshot.
    """
    try:
        yield
    except (ToolMissing, ScratchFull):
        raise
    except NotFound as error:
        raise SourceUnavailable(error.message, hint=error.hint) from error
    except EngineError as error:
        if not any(each in error.message for each in only):
            raise
        raise VerifyError(f"{words}: {error.message}") from error


def earlier_snapshots(
    restic: Restic, given: ResticOptions, context: EngineContext
) -> list[Message]:
    """Return the snapshots of this very set, of an attempt that ended before its manifest."""
    try:
        return restic.snapshots(TAG, context.set_id)
    except NotFound:
        if not given.init:
            raise
        restic.init()
        return []


def forget_all(restic: Restic, snapshots: Sequence[Message]) -> None:
    for each in snapshots:
        restic.ask("forget", str(each["id"]))


def unreadable(unread: Sequence[str]) -> SourceError:
    others = f", and {len(unread) - 1} more" if len(unread) > 1 else ""
    kind = SourceDenied if "permission denied" in unread[0] else SourceUnavailable
    return kind(
        f"not all could be read: {unread[0]}{others}",
        hint="mend it, `exclude` it, or write `on_unreadable: warn` to leave such files out",
    )


def backup(
    restic: Restic, given: ResticOptions, context: EngineContext, summary: Message
) -> list[str]:
    def told(message: Message) -> None:
        if message["message_type"] == "summary":
            summary.update(message)
        elif message["message_type"] == "status":
            context.reporter.reach(
                bytes_done=message.get("bytes_done", 0),
                files_done=message.get("files_done", 0),
                bytes_total=message.get("total_bytes"),
            )

    unread = restic.follow(
        "backup",
        "--json",
        f"--tag={TAG}",
        f"--tag={context.set_id}",
        f"--host={context.schedule_id or TAG}",
        *(f"--exclude={pattern}" for pattern in given.exclude),
        *_upload_limit(context),
        "--",
        *given.roots,
        told=told,
        reporter=context.reporter,
    )
    if not summary:
        raise EngineError("restic ended without its summary")
    if not summary.get("total_files_processed"):
        raise SourceError(
            f"nothing was read from {', '.join(given.roots)}", hint="is everything excluded?"
        )
    return unread


def _upload_limit(context: EngineContext) -> tuple[str, ...]:
    """Return the rate that holds as it begins, in KiB a second: restic knows no times of day."""
    if context.upload_limit is None:
        return ()
    return (f"--limit-upload={max(1, context.upload_limit // 1024)}",)


def plain(path: str) -> str:
    """
    Write a path as the pattern that means it and no other.

    >>> plain("/srv/a[1]*.txt")
    '/srv/a\\\\[1]\\\\*.txt'
    """
    return re.sub(r"([\\*?\[])", r"\\\1", path)


def problem_of(root: str) -> BackupError | None:
    if not os.path.lexists(root):
        return SourceError(f"there is no '{root}'", hint="is its disk mounted?")
    kind = stat.S_IFMT(os.lstat(root).st_mode)
    if kind not in (stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK):
        return SourceError(f"'{root}' is neither a folder nor a file", hint=f"ls -ld {root}")
    if not os.access(root, os.R_OK):
        return SourceDenied(f"'{root}' may not be read", hint=f"ls -ld {root}")
    return None


def held(target: Path) -> tuple[int, int]:
    """Count regular files, as restic does, and their bytes below the target."""
    sizes = []
    for folder, _, names in os.walk(target):
        if folder == str(target):
            names = [name for name in names if name != MARKER]
        found = (os.lstat(os.path.join(folder, name)) for name in names)
        sizes += [each.st_size for each in found if stat.S_ISREG(each.st_mode)]
    return len(sizes), sum(sizes)


def restic_of(given: ResticOptions, context: EngineContext) -> Restic:
    host = http_host_of(given.restic_repository)
    if host is not None:
        check_host(host)
    return Restic.of(given.program, given.restic_repository, given.connection, context.connections)


def snapshot_of(manifest: Manifest, context: EngineContext) -> tuple[Restic, str]:
    """Return restic as the schedule sets it up, and the snapshot of a set; Refused where it lies elsewhere."""
    if context.source is None:
        raise Refused(
            "only a schedule says where restic keeps its data, and which connection opens it",
            hint="write the schedule into a file, and name it: --schedules FILE",
        )
    given = restic_options(context.source)
    state = manifest.state
    if state.get("repository") != given.restic_repository:
        raise Refused(
            f"set '{manifest.set_id}' says that it lies in another restic repository than the schedule's",
            hint="did `restic_repository` change? name the old one in a schedules file: --schedules FILE",
        )
    snapshot = str(state.get("snapshot"))
    if not _SNAPSHOT.fullmatch(snapshot):
        raise VerifyError(f"the manifest of set '{manifest.set_id}' names no snapshot of restic's")
    return restic_of(given, context), snapshot


def restic_options(source: Model) -> ResticOptions:
    if not isinstance(source, ResticOptions):
        raise EngineError(f"the restic engine cannot read a {type(source).__name__}")
    return source
