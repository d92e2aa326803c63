"""Room for temporary copies: asked for before a long copy begins, and swept when its owner was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_backup.core.errors import ScratchFull
from airflow_backup.core.paths.removal import remove_tree
from airflow_backup.core.text.durations import format_size

_PREFIX = "airflow-backup-"
_OWNER = ".owner"
_SURE_AFTER = 60.0
"""Seconds in which a folder that was just made gets its lock."""


def check_room(folder: Path, needed: int) -> None:
    """Raise ScratchFull when ``folder`` has less than ``needed`` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ScratchFull(
            f"a temporary copy needs {format_size(needed)}, and '{folder}' has {format_size(free)}",
            hint="set TMPDIR to a folder with more room",
        )


@contextmanager
def scratch_folder(base: Path | None = None) -> Iterator[str]:
    """
    Make an empty folder below ``base`` (the system's temporary folder), and remove it at the end.

    A process that is killed removes nothing, and what it leaves is a whole copy of a database, or a password. So
    each folder is locked by its owner, and whoever makes the next one removes those that nobody locks any more.
    """
    base = base or Path(tempfile.gettempdir())
    sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    owner = os.open(folder / _OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(owner, fcntl.LOCK_EX)
        work = folder / "work"
        work.mkdir(mode=0o700)
        yield str(work)
    finally:
        with contextlib.suppress(OSError):  # what cannot be removed is swept later
            remove_tree(folder)
        os.close(owner)


def sweep(base: Path) -> list[str]:
    """Remove what killed processes of this user left below ``base``; return its names."""
    removed = []
    with os.scandir(base) as entries:
        found = [each for each in entries if each.name.startswith(_PREFIX)]
    for each in found:
        with contextlib.suppress(OSError):  # somebody else's, or gone meanwhile
            if each.is_dir(follow_symlinks=False) and _is_left_behind(Path(each.path)):
                remove_tree(each.path)
                removed.append(each.name)
    return removed


def _is_left_behind(folder: Path) -> bool:
    status = folder.lstat()
    if status.st_uid != os.geteuid() or time.time() - status.st_mtime < _SURE_AFTER:
        return False
    owner = os.open(folder / _OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(owner)
    return True
