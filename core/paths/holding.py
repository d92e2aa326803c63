"""
Opens a folder so that no other user of this machine leads us elsewhere, and holds it while it is worked in.

The way to it is walked from the root, or from the folder that we are in, one name after the other. A link on the way
is followed only where an administrator or ourselves made it: one that somebody else has put there, perhaps a moment
ago in the place of a folder, is refused. What is open stays the same folder, whatever its name means meanwhile.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_backup.core.errors import Refused

PASS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a folder on the way is opened: where the system has it, without asking for the right to read it."""

_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 40


def open_held(path: Path | str, *, to_read: bool = False) -> int:
    """
    Open a folder, ``to_read`` its names too; Refused where a link of somebody else is on the way to it.

    OSError where there is no such folder.
    """
    text = os.fspath(path)
    left = _parts(text)
    # Not put together as a text first: what is two dots above a link is known to the system alone.
    here = os.open("/" if text.startswith("/") else ".", PASS)
    links = 0
    try:
        while left:
            name = left.pop()
            try:
                below = os.open(name, PASS, dir_fd=here)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                    raise
                links += 1
                text = _link(name, here, path, links)
                left += _parts(text)
                below = os.open("/", PASS) if text.startswith("/") else os.dup(here)
            os.close(here)
            here = below
        return os.open(".", _READ if to_read else PASS, dir_fd=here)
    finally:
        os.close(here)


@contextmanager
def holding(path: Path | str) -> Iterator[Path]:
    """
    Hold a folder, and give the path by which this process, and no other, reaches it whatever its name means.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     os.mkdir(f"{place}/folder")
    ...     with holding(f"{place}/folder") as held:
    ...         os.rename(f"{place}/folder", f"{place}/moved")
    ...         _ = (held / "x").write_text("still there")
    ...     os.listdir(f"{place}/moved")
    ['x']
    """
    folder = open_held(path)
    try:
        yield path_of(folder, path)
    finally:
        os.close(folder)


def path_of(folder: int, path: Path | str) -> Path:
    """Return a path to an open folder; its own name on systems that have none for open folders."""
    found = Path(f"/proc/self/fd/{folder}")
    return found if found.exists() else Path(path)


def real_folder(path: Path | str) -> Path:
    """Return where a folder really is; Refused where a link of somebody else is on the way to it."""
    try:
        folder = open_held(path)
    except OSError:  # not there, or not ours to read: whoever opens it is told
        return Path(os.path.realpath(path))
    try:
        return Path(os.path.realpath(path_of(folder, path)))
    finally:
        os.close(folder)


def _parts(path: str) -> list[str]:
    """Return the names on a way, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _link(name: str, folder: int, path: Path | str, links: int) -> str:
    """Return where a link leads; Refused when anybody but an administrator and ourselves may have made it."""
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
    if links > _MOST_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    above = os.fstat(folder)
    ours = {0, os.geteuid()}
    anybody_writes = above.st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH
    if found.st_uid not in ours or above.st_uid not in ours or anybody_writes:
        raise Refused(
            f"'{name}' on the way to '{path}' is a link that another user may have made",
            hint="name the folder itself; folders above it should belong to root or to the worker's user",
        )
    return os.readlink(name, dir_fd=folder)
