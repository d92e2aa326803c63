"""What a schedule may say about a SQLite database."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from airflow_backup.schedules.model.base import AbsolutePath, ConnectionId
from airflow_backup.schedules.model.sources import EngineOptions


class SqliteOptions(EngineOptions):
    """One SQLite database, read through a consistent view while others write to it."""

    engine: Literal["sqlite"]
    """Which engine reads the source."""

    path: AbsolutePath | None = None
    """The database file."""

    connection: ConnectionId | None = None
    """An Airflow connection of type `sqlite`, instead of `path`."""

    @model_validator(mode="after")
    def _one_of_path_and_connection(self) -> SqliteOptions:
        if (self.path is None) == (self.connection is None):
            raise ValueError("write either `path` or `connection`")
        return self

    @property
    def local_paths(self) -> tuple[str, ...]:
        """The database file, where the schedule names it."""
        return () if self.path is None else (self.path,)
