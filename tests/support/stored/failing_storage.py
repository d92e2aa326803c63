"""A storage that fails at a chosen moment: the fake at the seam between verbs and the world."""

from __future__ import annotations

from collections.abc import Callable

from airflow_backup.core.format.checksums import Bytes
from airflow_backup.storage.memory import MemoryStorage, MemoryWriter
from airflow_backup.storage.protocol import Stored

Blow = Callable[[str, str], None]
"""Told of each operation and its object's name; raises at the chosen one."""


class FailingStorage(MemoryStorage):
    """Asks ``blow`` before each operation that changes something."""

    def __init__(self, blow: Blow = lambda operation, name: None) -> None:
        super().__init__()
        self.blow = blow

    def create(self, name: str) -> MemoryWriter:
        self.blow("create", name)
        return _Writer(self, name)

    def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        self.blow("read", name)
        return super().read(name, offset=offset, length=length)

    def delete(self, name: str) -> None:
        self.blow("delete", name)
        super().delete(name)

    def put(self, name: str, data: bytes) -> Stored:
        self.blow("put", name)
        stored = super().put(name, data)
        self.blow("after put", name)
        return stored


class _Writer(MemoryWriter):
    def __init__(self, storage: FailingStorage, name: str) -> None:
        super().__init__(storage, name)
        self._failing = storage

    def write(self, data: Bytes, /) -> None:
        self._failing.blow("write", self._name)
        super().write(data)

    def commit(self) -> Stored:
        self._failing.blow("commit", self._name)
        return super().commit()
