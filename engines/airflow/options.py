"""What a schedule may say about the Airflow that it is a part of."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import Field, field_validator

from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.paths.places import local_places
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.mysql.options import MysqlOptions
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.engines.shared.options import Tools
from airflow_backup.engines.sqlite.options import SqliteOptions
from airflow_backup.schedules.model.base import AbsolutePath, ConnectionId, Pattern
from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.schedules.schema.asked import asked

DatabaseOptions = SqliteOptions | PostgresOptions | MysqlOptions


class AirflowOptions(EngineOptions):
    """Airflow itself: its metadata database, its configuration, the files of its local DAG bundles and its plugins."""

    engine: Literal["airflow"]
    """Which engine reads the source."""

    connection: Annotated[
        ConnectionId | None, asked("Airflow connection", example="airflow_metadata")
    ] = None
    """The connection to the metadata database, `postgres`, `mysql` or `sqlite`; a configured SQLite file needs none."""

    home: Annotated[AbsolutePath | None, asked("Folder of Airflow", usual=False)] = None
    """The folder of Airflow, with `airflow.cfg`; that of the worker, `$AIRFLOW_HOME`, when missing."""

    exclude: Annotated[list[Pattern], Field(max_length=10_000), asked("Leave out", usual=False)] = [
        "__pycache__/"
    ]
    """
    Leave out what matches one of these patterns in the folders of DAG bundles and plugins, in the manner of
    gitignore.
    """

    tools: Tools = None
    """The folder of the database's client programs; `PATH` when missing."""

    @field_validator("exclude")
    @classmethod
    def _patterns_mean_something(cls, patterns: list[str]) -> list[str]:
        FilesOptions(engine="files", path="/", exclude=patterns)
        return patterns

    @property
    def local_paths(self) -> tuple[str, ...]:
        """The configuration file: who may not read it may not back up Airflow, whatever else there is to read."""
        # Only here: what reads files safely is not on every system, and options are read on all of them.
        from airflow_backup.engines.airflow.configuration import config_file

        return (config_file(self.home, os.environ),)

    def places(self, connections: Connections) -> tuple[str, ...]:
        """Name the configuration file, and the database as the engine names it that reads it."""
        own = local_places(self.local_paths)
        if self.connection is None:
            return own
        return own + database_at(connections(self.connection), self.tools).places(connections)

    def summary(self) -> str:
        """Name the database where it is a connection, and the folder where it is another one than the worker's."""
        return ", ".join(["Airflow", *(each for each in (self.connection, self.home) if each)])


def engine_of(found: Connection) -> Literal["sqlite", "postgres", "mysql"]:
    """Return which engine reads the database of a connection; ConfigError where none does."""
    if found.type in SqliteOptions.connection_types:
        return "sqlite"
    if found.type in PostgresOptions.connection_types:
        return "postgres"
    if found.type in MysqlOptions.connection_types:
        return "mysql"
    raise ConfigError(
        f"connection '{found.id}' is of the type '{found.type}', and no database of Airflow's is",
        hint="it must be postgres, mysql or sqlite",
    )


def database_at(found: Connection, tools: str | None) -> DatabaseOptions:
    """Return the options of the engine that reads the database of a connection; ConfigError where none does."""
    engine = engine_of(found)
    if engine == "sqlite":
        return SqliteOptions(engine="sqlite", connection=found.id)
    if not found.schema:  # the engines would take another one, or all
        raise ConfigError(
            f"connection '{found.id}' names no database", hint="put its name into the schema field"
        )
    facts = {"connection": found.id, "database": found.schema, "tools": tools}
    if engine == "postgres":
        return PostgresOptions.model_validate({"engine": engine, **facts})
    return MysqlOptions.model_validate({"engine": engine, **facts})
