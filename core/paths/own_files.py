"""
Small files that we leave beside other people's, and read again later: what somebody else put there is not believed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from airflow_backup.core.errors import Refused

_MOST = 4 * 2**20
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def read_own(path: Path, *, of_anybody: bool = False) -> bytes:
    """
    Return what a small file says; Refused where it is none, or neither root's nor ours.

    No link is followed, and nothing is waited for: a pipe in its place has no end. ``of_anybody`` takes one of
    another user too, where believing it does no harm. OSError where there is none.
    """
    try:
        file = os.open(path, _LOOK)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EMLINK):  # a link; a socket
            raise _strange(path) from error
        raise
    with open(file, "rb") as opened:
        found = os.fstat(file)
        is_believed = of_anybody or is_own(found)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST or not is_believed:
            raise _strange(path)
        return opened.read(_MOST)


def write_own(path: Path, content: bytes) -> None:
    """Write a small file anew, to the disk; what bears the name is removed, and a link of it never followed."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with open(os.open(path, _NEW, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def is_own(found: os.stat_result) -> bool:
    """Whether something belongs to root or to the user that we are."""
    return found.st_uid in (0, os.geteuid())


def _strange(path: Path) -> Refused:
    return Refused(
        f"'{path}' is not the file of ours that has this name: another user may have put it there",
        hint=f"ls -ld {path}; remove it where nothing else needs it",
    )
