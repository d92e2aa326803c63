"""
The marker in a target that is not finished: made, held against others, and taken away.

A folder may lie where other users write. Only an empty one gets a marker, and only a marker of ours is gone on with.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path as Folder
from typing import Any

from airflow_backup.core.errors import Refused
from airflow_backup.core.format.plain_json import read_json
from airflow_backup.core.paths.holding import holding, path_of
from airflow_backup.core.paths.own_files import is_own, read_own
from airflow_backup.core.paths.removal import remove_tree
from airflow_backup.engines.shared.restore_marker import MARKER, put_right
from airflow_backup.engines.shared.restore_root import made_and_held

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
ANOTHER = "restore to a new or empty folder"


@contextmanager
def marked(target: Folder, marker: Mapping[str, Any]) -> Iterator[tuple[Folder, bool]]:
    """
    Say in a target that it is not finished, and keep others out; the engine then finds nothing else in it.

    The value is a path to the open folder, which stays right whatever happens above it, and whether it was made.
    Refused while another restore works there.
    """
    is_new = not target.exists()
    with ExitStack() as opened:
        folder, file = _open_marker(target, opened)
        _take(file, target)
        with os.fdopen(os.dup(file), "r+b") as held:
            held.truncate()
            held.write(json.dumps(marker, indent=2).encode() + b"\n")
        yield path_of(folder, target), is_new


def _open_marker(target: Folder, opened: ExitStack) -> tuple[int, int]:
    try:
        folder = made_and_held(target)
        opened.callback(os.close, folder)
        file = _marker_in(folder, target)
        opened.callback(os.close, file)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Refused(f"cannot restore to '{target}': {why}", hint=f"ls -ld {target}") from error
    return folder, file


def _marker_in(folder: int, target: Folder) -> int:
    """Open the marker, made where it is missing; Refused where that would be in somebody's folder, or is no marker."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.open(MARKER, flags | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
    except FileExistsError:
        file = os.open(MARKER, flags, dir_fd=folder)
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and is_own(found):
            return file
        os.close(file)
        raise Refused(
            f"'{target}' holds '{MARKER}', which another user may have put there", hint=ANOTHER
        ) from None
    if os.listdir(path_of(folder, target)) != [MARKER]:  # since it was looked at
        os.close(file)
        os.unlink(MARKER, dir_fd=folder)
        raise Refused(f"'{target}' is not empty", hint=ANOTHER)
    return file


@contextmanager
def nobody_works_in(folder: Folder, target: Folder) -> Iterator[None]:
    """Keep other restores out of a folder with a marker; Refused while one works there for ``target``."""
    file = os.open(folder / MARKER, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _take(file, target)
        yield
    finally:
        os.close(file)


def _take(file: int, target: Folder) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Refused(
            f"another restore into '{target}' is under way", hint="wait for its end"
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def end_marker(target: Folder, marker: Mapping[str, Any]) -> None:
    """
    Take the marker away; the folder's own time is one of the things that were restored.

    Nothing happens where that was done already: a file of the marker's name may be one of the source's.
    """
    found = target.stat()
    closed = stat.S_IMODE(found.st_mode)
    try:
        if closed & stat.S_IRWXU != stat.S_IRWXU:  # as it was backed up
            target.chmod(closed | stat.S_IRWXU)
        if told_in(target, of_anybody=True) == marker:
            put_right(target)
    finally:
        target.chmod(closed)
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def drop_marker(target: Folder, *, all_of_it: bool) -> None:
    """
    Leave a target as it was before a restore that failed, as far as nothing was restored into it.

    ``all_of_it`` removes what was restored, where nobody could go on with it: the target was empty.
    """
    if all_of_it:
        for name in os.listdir(target):
            _remove(target / name)
    elif os.listdir(target) == [MARKER]:
        (target / MARKER).unlink()


def remove_if_empty(target: Folder) -> None:
    """Remove a target that was made for nothing."""
    with holding(target.parent) as parent:
        if not os.listdir(parent / target.name):
            (parent / target.name).rmdir()


def told_in(target: Folder, *, of_anybody: bool) -> object:
    """Return what a marker says; None where there is none to be believed."""
    try:
        return read_json(read_own(target / MARKER, of_anybody=of_anybody))
    except (OSError, ValueError, Refused):
        return None


def _remove(path: Folder) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink()
