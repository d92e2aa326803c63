"""A repository in memory: for tests and for trying things out; gone with the process."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import BinaryIO

from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import NotFound
from airflow_backup.core.format.checksums import Bytes
from airflow_backup.storage.protocol import Stored, check_name, check_prefix
from airflow_backup.storage.writing import OneObject, taken


class MemoryStorage:
    """Keeps objects in a dictionary, under the same treaty as everything else."""

    def __init__(self, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.url = "memory://"
        self._clock = clock
        self._objects: dict[str, tuple[bytes, datetime]] = {}
        self._unfinished: dict[str, MemoryWriter] = {}
        self._lock = threading.Lock()

    def check(self) -> None:
        """Memory can always be written."""

    def create(self, name: str) -> MemoryWriter:
        """Begin an object."""
        if check_name(name) in self._objects:
            raise taken(name)
        return MemoryWriter(self, name)

    def put(self, name: str, data: bytes) -> Stored:
        """Write a small object."""
        with self.create(name) as writer:
            writer.write(data)
            return writer.commit()

    def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return a part of an object."""
        data, _ = self._get(name)
        return data[offset:] if length is None else data[offset : offset + length]

    def open(self, name: str) -> BinaryIO:
        """Open an object."""
        return io.BytesIO(self._get(name)[0])

    def stat(self, name: str) -> Stored:
        """Describe an object."""
        data, modified = self._get(name)
        return Stored(name, len(data), modified)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield objects in order."""
        check_prefix(prefix)
        for name in sorted(self._objects):
            if name.startswith(prefix):
                yield self.stat(name)

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Yield the next segments."""
        check_prefix(prefix)
        below = (name[len(prefix) :] for name in self._objects if name.startswith(prefix))
        yield from sorted({rest.split("/", 1)[0] for rest in below if "/" in rest})

    def delete(self, name: str) -> None:
        """Remove an object."""
        with self._lock:
            if self._objects.pop(check_name(name), None) is None:
                raise _missing(name)

    def leftovers(self, prefix: str = "") -> Iterator[Stored]:
        """Yield writers that neither committed nor aborted."""
        check_prefix(prefix)
        for name, writer in sorted(self._unfinished.items()):
            if name.startswith(prefix):
                yield Stored(name, writer.size, self._clock())

    def sweep(self, leftover: str) -> None:
        """Forget an unfinished write."""
        self._unfinished.pop(leftover, None)

    def begin(self, writer: MemoryWriter, name: str) -> None:
        """Remember an unfinished write."""
        self._unfinished[f"{name}.{id(writer):x}"] = writer

    def forget(self, writer: MemoryWriter, name: str) -> None:
        """Forget a finished write."""
        self._unfinished.pop(f"{name}.{id(writer):x}", None)

    def publish(self, name: str, data: bytes) -> Stored:
        """Make an object visible."""
        with self._lock:
            if name in self._objects:
                raise taken(name)
            self._objects[name] = (data, self._clock())
        return self.stat(name)

    def _get(self, name: str) -> tuple[bytes, datetime]:
        try:
            return self._objects[check_name(name)]
        except KeyError:
            raise _missing(name) from None


class MemoryWriter(OneObject):
    """One object of a :class:`MemoryStorage` while it is written."""

    def __init__(self, storage: MemoryStorage, name: str) -> None:
        super().__init__(name)
        self._storage = storage
        self._chunks: list[bytes] = []
        storage.begin(self, name)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return sum(map(len, self._chunks))

    def write(self, data: Bytes, /) -> None:
        """Add bytes."""
        self._require_open()
        self._chunks.append(bytes(data))

    def commit(self) -> Stored:
        """Make the object visible."""
        self._require_open()
        self.abort()
        return self._storage.publish(self._name, b"".join(self._chunks))

    def abort(self) -> None:
        """Leave nothing."""
        self._open = False
        self._storage.forget(self, self._name)


def _missing(name: str) -> NotFound:
    return NotFound(f"no object '{name}' in memory://")
