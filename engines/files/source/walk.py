"""
A folder tree in a stable order: each folder before its content, names by their bytes.

Every folder is opened relative to its parent without following links, so nobody who can write
to the tree can lead the walk out of it. Names are kept as small as possible, because a folder
may hold a million of them.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

from airflow_backup.core.errors import SourceDenied, SourceError, SourceUnavailable
from airflow_backup.core.paths.patterns import Patterns

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# What os.fsencode asks for at every call.
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()

Kind = Literal["file", "folder", "other"]


class Warn(Protocol):
    """Told of a folder below the root that could not be entered or listed; may raise."""

    def __call__(self, path: bytes, error: OSError, *, is_gone: bool) -> None:
        """``is_gone``: there is no folder of that name any more."""
        ...


class Entry(NamedTuple):
    """
    One entry of the source tree: a file, a folder, a link or a special file, with its attributes.

    ``parent`` is the open descriptor of the folder that holds ``name``, valid until the next
    entry is asked for; ``path`` is relative to the root. For a folder, ``parent`` is the
    descriptor of the folder itself and ``name`` is ``.``. Names are bytes, as the system has them:
    every call that takes a name would encode it again.
    """

    parent: int
    name: bytes
    path: bytes
    is_file: bool
    is_folder: bool

    @property
    def kind(self) -> Kind:
        """What it was when its folder was listed."""
        if self.is_folder:
            return "folder"
        return "file" if self.is_file else "other"


class Walk:
    """
    Walks one tree once.

    ``prefix`` is put before paths (empty, or ending in a slash); patterns see paths without it.
    Takes over ``root``, a descriptor that is open on a folder, and closes it.
    """

    def __init__(self, root: int, *, prefix: bytes, patterns: Patterns, warn: Warn) -> None:
        self._root, self._prefix = root, prefix
        self._patterns, self._warn = patterns, warn
        self._open: list[_Folder] = []

    def __iter__(self) -> Iterator[Entry]:
        selects = not self._patterns.takes_everything
        try:
            yield from self._enter(self._root, self._prefix)
            while self._open:
                folder = self._open[-1]
                for name in folder.names:
                    path = folder.path + name
                    is_folder = name in folder.folders
                    if selects and not self._wanted(path, is_folder=is_folder):
                        continue
                    if is_folder:
                        yield from self._descend(folder, name, path)
                        break
                    is_file = name not in folder.others
                    yield Entry(folder.descriptor, name, path, is_file, False)
                else:
                    os.close(self._open.pop().descriptor)
        finally:
            while self._open:
                os.close(self._open.pop().descriptor)

    def _descend(self, folder: _Folder, name: bytes, path: bytes) -> Iterator[Entry]:
        try:
            below = os.open(name, FOLDER_FLAGS, dir_fd=folder.descriptor)
        except OSError as error:
            self._warn(path, error, is_gone=is_gone(name, folder.descriptor, "folder"))
            return
        yield from self._enter(below, path + b"/")

    def _enter(self, descriptor: int, path: bytes) -> Iterator[Entry]:
        folder = _Folder(descriptor, path)
        self._open.append(folder)
        name = path.rstrip(b"/") or b"."
        yield Entry(descriptor, b".", name, False, True)
        try:
            folder.read()
        except OSError as error:
            if len(self._open) == 1:
                raise _unlisted(error) from error
            self._warn(name, error, is_gone=not os.fstat(descriptor).st_nlink)

    def takes_folder(self, path: bytes) -> bool:
        """Whether a folder is taken for itself, and not only for what lies in it."""
        inside = path[len(self._prefix) :]
        return bool(inside) and path != b"." and self._patterns.takes(inside, is_folder=True)

    def _wanted(self, path: bytes, *, is_folder: bool) -> bool:
        inside = path[len(self._prefix) :]
        if self._patterns.skips(inside, is_folder=is_folder):
            return False
        return is_folder or self._patterns.takes(inside)


def is_gone(name: bytes, parent: int, kind: Kind) -> bool:
    """Whether another look at what was listed in a folder shows nothing, or something of another kind."""
    try:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ENOTDIR)
    if stat.S_ISDIR(mode):
        return kind != "folder"
    return kind != ("file" if stat.S_ISREG(mode) else "other")


def _unlisted(error: OSError) -> SourceError:
    kind = SourceDenied if error.errno in (errno.EACCES, errno.EPERM) else SourceUnavailable
    return kind(f"cannot list the source: {(error.strerror or str(error)).lower()}")


class _Folder:
    """A folder that is being walked: what is left of its names, and what they are."""

    def __init__(self, descriptor: int, path: bytes) -> None:
        self.descriptor, self.path = descriptor, path
        self.names: Iterator[bytes] = iter(())
        self.folders: set[bytes] = set()
        self.others: set[bytes] = set()

    def read(self) -> None:
        names: list[bytes] = []
        with os.scandir(self.descriptor) as entries:
            for entry in entries:
                name = entry.name.encode(_ENCODING, _ERRORS)
                names.append(name)
                if entry.is_file(follow_symlinks=False):
                    continue
                kinds = self.folders if entry.is_dir(follow_symlinks=False) else self.others
                kinds.add(name)
        names.sort()
        self.names = iter(names)
