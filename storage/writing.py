"""What the writers of all storages do alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from airflow_backup.core.errors import NameTaken, StorageError


class OneObject(ABC):
    """An object while it is written: open until it is committed or aborted, whichever comes first."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open = True

    @abstractmethod
    def abort(self) -> None:
        """Leave nothing; harmless after ``commit`` or another ``abort``."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()

    def _require_open(self) -> None:
        if not self._open:
            raise StorageError(f"'{self._name}' is already finished")


def taken(name: str) -> NameTaken:
    """Return the error of a second write of a name."""
    return NameTaken(f"'{name}' exists already, and a name is written once")
