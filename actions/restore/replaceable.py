"""Whether another folder can take the place of a target, and what the target is called."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path as Folder

from airflow_backup.core.paths.holding import real_folder

_LONGEST_SUFFIX = ".before-20260101T000000Z"


def named(target: Folder) -> Folder:
    """
    Return the absolute name of a target as the system sees it: links on the way are followed, the last is not.

    >>> named(Folder("/usr/../tmp/x/."))
    PosixPath('/tmp/x')
    """
    text = os.fspath(target)
    if target.name in ("", "..") or text.rstrip("/").endswith("/.."):
        return Folder(os.path.realpath(text))
    return real_folder(target.parent) / target.name


def what_keeps_from_swapping(target: Folder) -> tuple[str | None, str | None]:
    """Return why another folder cannot take the place of ``target``, and what to do; None when it can."""
    target = named(target)
    if target.is_symlink():
        real = os.path.realpath(target)
        return f"'{target}' is a link", f"name the folder itself: --to {real}"
    mounted = _mounted_in(target)
    if mounted is not None:
        return (
            f"a file system is mounted at '{mounted}', and its folder cannot be replaced",
            f"restore into a folder below it, or beside it: --to {target}/restored"
            if mounted == os.fspath(target)
            else "it would go along with what is kept; unmount it, or restore to another folder",
        )
    if len(os.fsencode(target.name)) + len(_LONGEST_SUFFIX) > 255:
        return (
            f"the name of '{target}' leaves no room for one beside it",
            "restore to a new or empty folder",
        )
    parent = target.parent
    if not os.access(parent, os.W_OK | os.X_OK) or not _may_rename(target, parent):
        return (
            f"'{target}' cannot be replaced: nobody but its owner may change '{parent}'",
            f"ls -ld {parent}",
        )
    return None, None


def _may_rename(target: Folder, parent: Folder) -> bool:
    found = parent.stat()
    if os.geteuid() == 0 or not found.st_mode & stat.S_ISVTX:
        return True
    return os.geteuid() in (found.st_uid, target.lstat().st_uid)


def _mounted_in(target: Folder) -> str | None:
    """Return where a file system is mounted, at a folder or below it; None where none is."""
    if os.path.ismount(target):
        return os.fspath(target)
    try:  # where a folder of the same file system is mounted, only this list says so
        lines = Folder("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return None
    real = os.path.realpath(os.fsencode(target))
    places = (_unescaped(line.split(b" ")[4]) for line in lines)
    found = [each for each in places if each == real or each.startswith(real + b"/")]
    return os.fsdecode(min(found)) if found else None


def _unescaped(path: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), path)
