"""
Writing below one folder and nowhere else, whatever the names say.

Names are split at slashes and walked from the target's descriptor, each folder opened with
``O_NOFOLLOW``; ``..``, empty and absolute names are refused. So a link that was restored a
moment ago, or that somebody put there, is never walked through.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

from airflow_backup.core.errors import EngineError, Refused, VerifyError
from airflow_backup.core.paths.holding import open_held
from airflow_backup.core.text.names import shown
from airflow_backup.engines.shared.restore_marker import MARKER

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_NOWHERE = frozenset({b"", b".", b".."})

Leave = Callable[[int], None]
"""Called with a folder's descriptor when nothing more will be written into it."""


class RestoreRoot:
    """
    A target folder and the chain of open folders that leads to the place of work.

    Members come folder by folder, so the chain rarely changes and a file costs one ``open``.
    """

    def __init__(self, target: int) -> None:
        self._chain: list[tuple[bytes, int]] = [(b"", target)]
        self._leaving: dict[int, Leave] = {}

    def parent_of(self, name: bytes) -> tuple[int, bytes]:
        """Return the open folder that holds ``name``, made if missing, and the last segment."""
        *folders, last = split(name)
        self._go(folders)
        return self._chain[-1][1], last

    def enter(self, name: bytes, leave: Leave) -> None:
        """Make a folder; ``leave`` is called when the work below it is done."""
        self._go(split(name) if name != b"." else [])
        self._leaving[self._chain[-1][1]] = leave

    def reach(self, name: bytes) -> tuple[int, bytes]:
        """Return a descriptor that the caller closes, and the last segment; makes nothing."""
        *folders, last = split(name)
        here = os.dup(self._chain[0][1])
        for folder in folders:
            try:
                below = os.open(folder, _FOLDER, dir_fd=here)
            finally:
                os.close(here)
            here = below
        return here, last

    def close(self) -> None:
        """Close the descriptors of all folders that a restore has open."""
        self._back_to(1)
        self._leave(self._chain.pop()[1])

    def abandon(self) -> None:
        """Close every folder as it is."""
        while self._chain:
            os.close(self._chain.pop()[1])

    def _go(self, folders: list[bytes]) -> None:
        shared = 1
        for (known, _), wanted in zip(self._chain[1:], folders, strict=False):
            if known != wanted:
                break
            shared += 1
        self._back_to(shared)
        for folder in folders[shared - 1 :]:
            here = self._chain[-1][1]
            self._chain.append((folder, _make(folder, here)))

    def _back_to(self, length: int) -> None:
        while len(self._chain) > length:
            self._leave(self._chain.pop()[1])

    def _leave(self, folder: int) -> None:
        try:
            leave = self._leaving.pop(folder, None)
            if leave is not None:
                leave(folder)
        finally:
            os.close(folder)


def open_target(target: Path, *, resume: bool = False) -> int:
    """
    Open an empty folder, made when it is missing; Refused when something is in it.

    ``resume`` opens one that holds a part of the same restore.
    """
    try:
        folder = made_and_held(target)
    except (FileExistsError, NotADirectoryError) as error:
        raise Refused(f"'{target}' is not a folder", hint="restore to a new folder") from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Refused(f"cannot restore to '{target}': {why}", hint=f"ls -ld {target}") from error
    if not resume and set(os.listdir(folder)) - {MARKER}:
        os.close(folder)
        raise Refused(f"'{target}' is not empty", hint="restore to a new or empty folder")
    return folder


def made_and_held(target: Path) -> int:
    """
    Open a folder whose way nobody else leads elsewhere, made for its owner alone when it is missing; OSError where it
    cannot be.
    """
    with contextlib.suppress(FileNotFoundError):
        return open_held(target, to_read=True)
    parent = open_held(target.parent)
    try:
        os.mkdir(target.name, mode=0o700, dir_fd=parent)
        return os.open(target.name, _FOLDER, dir_fd=parent)
    finally:
        os.close(parent)


def split(name: bytes) -> list[bytes]:
    """
    Return the segments of a member's name; VerifyError when it could lead out of the target.

    >>> split(b"a/b/")
    [b'a', b'b']
    >>> split(b"a/../../etc/passwd")
    Traceback (most recent call last):
    airflow_backup.core.errors.VerifyError: refused the name 'a/../../etc/passwd'
    HINT: it could lead out of the target; who made this archive?
    """
    segments = name.removesuffix(b"/").split(b"/")
    if b"\0" in name or not _NOWHERE.isdisjoint(segments):
        raise VerifyError(
            f"refused the name '{shown(name)}'",
            hint="it could lead out of the target; who made this archive?",
        )
    return segments


def _make(name: bytes, parent: int) -> int:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, mode=0o700, dir_fd=parent)
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise EngineError(
                f"the tree is too deep at '{shown(name)}': too many open folders",
                hint="raise the limit of open files: ulimit -n 65536",
            ) from error
        raise VerifyError(
            f"refused to write below '{shown(name)}': it is not a folder",
            hint="it could lead out of the target; who made this archive?",
        ) from error
