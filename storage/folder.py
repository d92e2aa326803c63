"""
A repository in a local folder, on any file system that a worker can mount.

A write goes to a hidden file beside its target, is fsynced, is linked to its final name (which
fails when the name is taken), and the folder is fsynced. Every path is walked from the root
with ``O_NOFOLLOW``: a link inside the repository leads nowhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from airflow_backup.core.errors import NotFound, StorageError
from airflow_backup.core.paths.holding import open_held
from airflow_backup.storage.folder_errors import storage_error
from airflow_backup.storage.folder_writer import FolderWriter
from airflow_backup.storage.protocol import Stored, check_name, check_prefix, is_name
from airflow_backup.storage.writing import taken

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""A pipe that somebody put in the place of an object is not waited for."""
_PARTIAL = ".part"


class FolderStorage:
    """
    Keeps objects as files below ``root``.

    The root itself is created when its parent exists, and no further up: a missing parent is
    more likely a disk that is not mounted than a wish for a new folder on the system disk.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._was_there = False
        self.url = f"file://{self.root}"

    def check(self) -> None:
        """Write, read back and remove a small object."""
        name = f"check-{secrets.token_hex(4)}"
        self.put(name, b"?")
        self.delete(name)

    def look(self, folder: str) -> None:
        """Raise what a write below a folder would raise, as far as that can be told without one."""
        with self._errors("write", folder):
            place = self.root if os.path.lexists(self.root) else self.root.parent
            parts = folder.split("/") if place is self.root else []
            for part in [None, *parts]:
                below = place if part is None else place / part
                if part is not None and not os.path.lexists(below):
                    break
                place = below
                is_folder = place.is_dir() and (part is None or not place.is_symlink())
                if not is_folder:
                    os.stat(place)  # what is not there says so
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
                is_read_only = os.statvfs(place).f_flag & os.ST_RDONLY
                number = errno.EROFS if is_read_only else errno.EACCES
                raise OSError(number, os.strerror(number))

    def create(self, name: str) -> FolderWriter:
        """Begin an object in a hidden file beside it."""
        *folders, last = check_name(name).split("/")
        with self._errors("write", name):
            folder = self._enter(folders, create=True)
            try:
                if _exists(last, folder):
                    raise taken(name)
                partial = f".{last}.{secrets.token_hex(6)}{_PARTIAL}"
                return FolderWriter(self.url, name, folder=folder, partial=partial, final=last)
            except BaseException:
                os.close(folder)
                raise

    def put(self, name: str, data: bytes) -> Stored:
        """Write a small object."""
        with self.create(name) as writer:
            writer.write(data)
            return writer.commit()

    def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return a part of an object."""
        with self._errors("read", name), self.open(name) as file:
            file.seek(offset)
            return file.read() if length is None else file.read(length)

    def open(self, name: str) -> BinaryIO:
        """Open an object."""
        with self._errors("read", name), self._parent(name) as (folder, last):
            found = os.open(last, _FILE, dir_fd=folder)
            if not stat.S_ISREG(os.fstat(found).st_mode):
                os.close(found)
                raise NotFound(f"'{name}' in {self.url} is not a file")
            return open(found, "rb", buffering=0)

    def stat(self, name: str) -> Stored:
        """Describe an object."""
        with self._errors("look at", name), self._parent(name) as (folder, last):
            found = os.stat(last, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                raise NotFound(f"'{name}' in {self.url} is not a file")
            return _stored(name, found)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield objects in order."""
        for name, is_partial, found in self._walk(prefix):
            if not is_partial and is_name(name):
                yield _stored(name, found)

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Yield the next segments."""
        where = [part for part in check_prefix(prefix).split("/") if part]
        with self._errors("list", prefix or "."):
            try:
                folder = self._enter(where, create=False)
            except FileNotFoundError:
                return
            try:
                with os.scandir(folder) as entries:
                    names = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
            finally:
                os.close(folder)
        yield from sorted(filter(is_name, names))

    def delete(self, name: str) -> None:
        """Remove an object, and the folders that this leaves empty."""
        with self._errors("delete", name), self._parent(name) as (folder, last):
            os.unlink(last, dir_fd=folder)
            os.fsync(folder)
        self._prune(name)

    def leftovers(self, prefix: str = "") -> Iterator[Stored]:
        """Yield hidden files of writes that did not finish."""
        for name, is_partial, found in self._walk(prefix):
            if is_partial:
                yield _stored(name, found)

    def sweep(self, leftover: str) -> None:
        """Remove a hidden file."""
        folders, _, last = leftover.rpartition("/")
        if folders:
            check_name(folders)
        if not (last.startswith(".") and last.endswith(_PARTIAL) and "\0" not in last):
            raise StorageError(f"'{leftover}' is not a leftover of {self.url}")
        with self._errors("delete", leftover), self._inside(folders) as folder:
            _unlink_if_there(last, folder)
        self._prune(leftover)

    @contextlib.contextmanager
    def _errors(self, doing: str, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise storage_error(error, doing=doing, name=name, url=self.url) from error

    @contextlib.contextmanager
    def _parent(self, name: str) -> Iterator[tuple[int, str]]:
        folders, _, last = check_name(name).rpartition("/")
        with self._inside(folders) as folder:
            yield folder, last

    @contextlib.contextmanager
    def _inside(self, folders: str) -> Iterator[int]:
        folder = self._enter([part for part in folders.split("/") if part], create=False)
        try:
            yield folder
        finally:
            os.close(folder)

    def _enter(self, folders: Sequence[str], *, create: bool) -> int:
        if create and not self._was_there:  # one that is gone again is a disk that was taken away
            _make_root(self.root)
        # The root may be reached through links that an administrator made; below it, none.
        here = open_held(self.root, to_read=True)
        self._was_there = True
        for part in folders:
            try:
                below = _open_folder(part, here, create=create)
            finally:
                os.close(here)
            here = below
        return here

    def _walk(self, prefix: str) -> Iterator[tuple[str, bool, os.stat_result]]:
        base = check_prefix(prefix).rpartition("/")[0]
        with self._errors("list", prefix or "."):
            yield from (
                found
                for found in _files_below(self.root, f"{base}/" if base else "")
                if found[0].startswith(prefix) or (found[1] and _unhidden(found[0], prefix))
            )

    def _prune(self, name: str) -> None:
        folders = name.split("/")[:-1]
        while folders:
            try:
                with self._inside("/".join(folders[:-1])) as parent:
                    os.rmdir(folders.pop(), dir_fd=parent)
            except OSError:
                return  # not empty, or already gone: both are fine


def _make_root(root: Path) -> None:
    try:
        root.mkdir(mode=0o700)
    except FileExistsError:
        return
    _sync_folder(root.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _open_folder(part: str, parent: int, *, create: bool) -> int:
    try:
        return os.open(part, _FOLDER, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(part, mode=0o700, dir_fd=parent)
        os.fsync(parent)
    return os.open(part, _FOLDER, dir_fd=parent)


def _unlink_if_there(name: str, folder: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _files_below(root: Path, base: str) -> Iterator[tuple[str, bool, os.stat_result]]:
    try:
        entries = sorted(os.scandir(root / base), key=_order)
    except FileNotFoundError:
        if not base and not root.parent.exists():
            raise  # a disk that is not mounted must not look like an empty repository
        return
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            return
        raise
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(root, f"{base}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            with contextlib.suppress(FileNotFoundError):  # a write that just finished
                hidden = entry.name.startswith(".")
                if not hidden or entry.name.endswith(_PARTIAL):
                    yield base + entry.name, hidden, entry.stat(follow_symlinks=False)


def _order(entry: os.DirEntry[str]) -> str:
    # "a.b" sorts before "a/b": the order of whole names, not of segments.
    return entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")


def _unhidden(name: str, prefix: str) -> bool:
    folders, slash, last = name.rpartition("/")
    return f"{folders}{slash}{last.removeprefix('.')}".startswith(prefix)


def _stored(name: str, found: os.stat_result) -> Stored:
    return Stored(name, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
