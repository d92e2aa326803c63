"""
A repository on another machine's file system, through ``fsspec``.

A write goes to a hidden file beside its target, is made durable where the far side can, and gets its final
name by an operation that fails when the name is taken (``publish``, which every protocol brings itself).
"""

from __future__ import annotations

import contextlib
import io
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from fsspec import AbstractFileSystem

from airflow_backup.core.errors import (
    BackupError,
    NotFound,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageUnavailable,
)
from airflow_backup.core.format.checksums import Bytes
from airflow_backup.storage.protocol import Stored, check_name, check_prefix
from airflow_backup.storage.writing import OneObject, taken

_PARTIAL = ".part"
_FULL = ("no space left", "quota exceeded", "disk full")
_READ_AHEAD = 4 * 1024 * 1024
_WRITE_BEHIND = 1024 * 1024


@dataclass(frozen=True)
class Remote:
    """A file system, and what fsspec has no word for."""

    files: AbstractFileSystem
    publish: Callable[[str, str], None]
    """Give a file another name; FileExistsError when that is taken."""

    lost: tuple[type[Exception], ...]
    """What is raised when the connection is gone."""


class RemoteStorage:
    """Keeps objects as files below ``root``, which is made when the folder above it exists."""

    def __init__(self, remote: Remote, root: str, url: str) -> None:
        self.url = url
        self._remote, self._files, self._root = remote, remote.files, root.rstrip("/")

    def check(self) -> None:
        """Write and remove a small object."""
        name = f"check-{secrets.token_hex(4)}"
        self.put(name, b"?")
        self.delete(name)

    def create(self, name: str) -> RemoteWriter:
        """Begin an object in a hidden file beside it."""
        path = self.path(check_name(name))
        folder, _, last = path.rpartition("/")
        with self.errors("write", name):
            self._make(folder)
            if self._files.exists(path):
                raise taken(name)
            partial = f"{folder}/.{last}.{secrets.token_hex(6)}{_PARTIAL}"
            return RemoteWriter(self, self._remote, name, partial)

    def put(self, name: str, data: bytes) -> Stored:
        """Write a small object."""
        with self.create(name) as writer:
            writer.write(data)
            return writer.commit()

    def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return a part of an object."""
        with self.open(name) as file, self.errors("read", name):
            file.seek(offset)
            return file.read() if length is None else file.read(length)

    def open(self, name: str) -> BinaryIO:
        """Open an object."""
        self.stat(name)
        with self.errors("read", name):
            raw = self._files.open(self.path(name), "rb")
        return io.BufferedReader(cast("io.RawIOBase", _Raw(raw)), _READ_AHEAD)

    def stat(self, name: str) -> Stored:
        """Describe an object."""
        path = self.path(check_name(name))
        with self.errors("look at", name):
            found = self._files.info(path)
        if found["type"] != "file":
            raise NotFound(f"'{name}' in {self.url} is not a file")
        return _stored(name, found)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield objects in order."""
        yield from (stored for stored in self._walk(prefix) if not _is_partial(stored.name))

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Yield the next segments."""
        inside = self._inside(check_prefix(prefix).rstrip("/"))
        yield from sorted(name for name, found in inside.items() if found["type"] == "directory")

    def delete(self, name: str) -> None:
        """Remove an object, and the folders that this leaves empty."""
        self.stat(name)
        with self.errors("delete", name):
            self._files.rm_file(self.path(name))
        self._prune(name)

    def leftovers(self, prefix: str = "") -> Iterator[Stored]:
        """Yield hidden files of writes that did not finish."""
        yield from (stored for stored in self._walk(prefix) if _is_partial(stored.name))

    def sweep(self, leftover: str) -> None:
        """Remove a hidden file."""
        check_name("/".join(part.lstrip(".") for part in leftover.split("/")))
        if not _is_partial(leftover):
            raise StorageError(f"'{leftover}' is not a leftover")
        with self.errors("sweep", leftover):
            self._files.rm_file(self.path(leftover))
        self._prune(leftover)

    def path(self, name: str) -> str:
        """Return where an object lies on the far side."""
        return f"{self._root}/{name}"

    def _walk(self, prefix: str) -> Iterator[Stored]:
        folder = check_prefix(prefix).rpartition("/")[0]
        found = [each for each in self._below(folder) if _shown(each.name).startswith(prefix)]
        yield from sorted(found, key=lambda stored: stored.name)

    def _below(self, folder: str) -> Iterator[Stored]:
        for last, found in self._inside(folder, hidden=True).items():
            name = f"{folder}/{last}" if folder else last
            if found["type"] == "directory":
                yield from self._below(name)
            elif found["type"] == "file" and (not last.startswith(".") or _is_partial(last)):
                yield _stored(name, found)

    def _inside(self, folder: str, *, hidden: bool = False) -> dict[str, dict[str, Any]]:
        with self.errors("list", folder or "."):
            try:
                found = self._files.ls(f"{self._root}/{folder}".rstrip("/"), detail=True)
            except FileNotFoundError:
                return {}
        named = {each["name"].rstrip("/").rpartition("/")[2]: each for each in found}
        return {name: each for name, each in named.items() if hidden or not name.startswith(".")}

    def _make(self, folder: str) -> None:
        if self._files.isdir(folder):
            return
        if folder == self._root:
            above = folder.rpartition("/")[0] or "/"
            if not self._files.isdir(above):
                raise StorageUnavailable(
                    f"cannot write to {self.url}: there is no folder '{above}'",
                    hint="is the disk of that machine mounted?",
                )
        else:
            self._make(folder.rpartition("/")[0])
        try:
            self._files.mkdir(folder, create_parents=False)
        except Exception:
            if not self._files.isdir(folder):  # nobody else made it meanwhile
                raise

    def _prune(self, name: str) -> None:
        folders = name.split("/")[:-1]
        while folders:
            try:
                self._files.rm(self.path("/".join(folders)), recursive=False)
            except Exception:  # noqa: BLE001 -- not empty, or gone: each protocol says it differently
                return
            folders.pop()

    @contextmanager
    def errors(self, doing: str, name: str) -> Iterator[None]:
        """Raise what the far side says as an error of ours."""
        what = f"cannot {doing} '{name}' in {self.url}"
        try:
            yield
        except BackupError:
            raise
        except FileNotFoundError as error:
            raise NotFound(f"no object '{name}' in {self.url}") from error
        except FileExistsError as error:
            raise taken(name) from error
        except PermissionError as error:
            raise StorageDenied(f"{what}: permission denied") from error
        except self._remote.lost as error:
            raise StorageUnavailable(
                f"{what}: {error or 'the connection was lost'}", hint="is the machine up?"
            ) from error
        except Exception as error:
            if any(sign in str(error).lower() for sign in _FULL):
                raise StorageFull(f"no room left to {doing} '{name}' in {self.url}") from error
            raise StorageError(f"{what}: {error}") from error


class RemoteWriter(OneObject):
    """One object while it is written."""

    def __init__(self, storage: RemoteStorage, remote: Remote, name: str, partial: str) -> None:
        super().__init__(name)
        self._storage, self._remote, self._partial = storage, remote, partial
        self._file: Any = remote.files.open(partial, "wb")
        self._waiting: list[Bytes] = []
        self._held = self._size = 0

    def write(self, data: Bytes, /) -> None:
        """Add bytes; small ones travel together."""
        self._require_open()
        self._waiting.append(bytes(data))
        self._held += len(data)
        self._size += len(data)
        if self._held >= _WRITE_BEHIND:
            self._send()

    def commit(self) -> Stored:
        """Give the object its name."""
        self._require_open()
        try:
            self._send()
            with self._storage.errors("write", self._name):
                if hasattr(self._file, "fsync"):
                    self._file.fsync()
                self._file.close()
                self._remote.publish(self._partial, self._storage.path(self._name))
        except BaseException:
            self.abort()
            raise
        self._open = False
        stored = self._storage.stat(self._name)
        if stored.size != self._size:
            raise StorageError(
                f"'{self._name}' has {stored.size} bytes after {self._size} were written"
            )
        return stored

    def abort(self) -> None:
        """Leave nothing; what cannot be removed is a leftover, which a later run sweeps."""
        if self._open:
            self._open = False
            for leave in (self._file.close, lambda: self._remote.files.rm_file(self._partial)):
                with contextlib.suppress(Exception):
                    leave()

    def _send(self) -> None:
        if self._waiting:
            whole = b"".join(self._waiting)
            self._waiting, self._held = [], 0
            with self._storage.errors("write", self._name):
                self._file.write(whole)


class _Raw(io.RawIOBase):
    """A remote file as a raw one."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def readinto(self, buffer: object) -> int:
        room = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        found = self._file.read(len(room))
        room[: len(found)] = found
        return len(found)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _stored(name: str, found: dict[str, Any]) -> Stored:
    modified = found.get("mtime") or datetime.fromtimestamp(0, UTC)
    return Stored(name, int(found["size"]), modified)


def _is_partial(name: str) -> bool:
    last = name.rpartition("/")[2]
    return last.startswith(".") and last.endswith(_PARTIAL)


def _shown(name: str) -> str:
    """Return the name under which a leftover is looked for: its object's."""
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.lstrip('.')}"
