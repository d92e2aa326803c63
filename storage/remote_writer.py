"""Writes one object of a remote storage."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from fsspec import AbstractFileSystem

from airflow_backup.core.errors import (
    StorageError,
)
from airflow_backup.core.format.checksums import Bytes
from airflow_backup.storage.protocol import Stored
from airflow_backup.storage.writing import OneObject

_WRITE_BEHIND = 1024 * 1024


@dataclass(frozen=True)
class Remote:
    """A file system, and what fsspec has no word for."""

    files: AbstractFileSystem
    publish: Callable[[str, str], None]
    """Give a file another name; FileExistsError when that is taken."""

    lost: tuple[type[Exception], ...]
    """What is raised when the connection is gone."""


class Place(Protocol):
    """The storage that an object is written to."""

    def path(self, name: str) -> str:
        """Return where an object lies on the far side."""
        ...

    def stat(self, name: str) -> Stored:
        """Describe an object."""
        ...

    def errors(self, doing: str, name: str) -> contextlib.AbstractContextManager[None]:
        """Raise what the far side says as an error of ours."""
        ...


class RemoteWriter(OneObject):
    """One object while it is written."""

    def __init__(self, storage: Place, remote: Remote, name: str, partial: str) -> None:
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


class Raw(io.RawIOBase):
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
