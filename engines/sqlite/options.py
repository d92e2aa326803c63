"""What a schedule may say about a SQLite database."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import model_validator

from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.paths.places import local_places
from airflow_backup.schedules.model.base import AbsolutePath, ConnectionId
from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.schedules.schema.asked import asked


class SqliteOptions(EngineOptions):
    """One SQLite database, read through a consistent view while others write to it."""

    engine: Literal["sqlite"]
    """Which engine reads the source."""

    connection_types: ClassVar[tuple[str, ...]] = ("sqlite",)

    path: Annotated[AbsolutePath | None, asked("Database file", example="/srv/shop/orders.db")] = (
        None
    )
    """The database file."""

    connection: Annotated[
        ConnectionId | None, asked("Or its Airflow connection", example="orders_db")
    ] = None
    """An Airflow connection of type `sqlite`, instead of `path`."""

    @model_validator(mode="after")
    def _one_of_path_and_connection(self) -> SqliteOptions:
        if (self.path is None) == (self.connection is None):
            raise ValueError("write either `path` or `connection`")
        return self

    def places(self, connections: Connections) -> tuple[str, ...]:
        """Name the file that is read, whether a path or a connection names it."""
        if self.path is not None:
            return local_places([self.path])
        return local_places([file_of(connections(self.connection or ""))])

    @property
    def local_paths(self) -> tuple[str, ...]:
        """The database file, where the schedule names it."""
        return () if self.path is None else (self.path,)


def file_of(found: Connection) -> str:
    """Return the database file that a connection names; ConfigError where it names none."""
    # Airflow keeps the path in the host; a URI with four slashes puts it into the schema.
    path = found.host or (f"/{found.schema}" if found.schema else "")
    if not path.startswith("/"):
        raise ConfigError(
            f"connection '{found.id}' does not name a database file",
            hint="put its absolute path into the host field",
        )
    return path
