"""What a schedule may say about PostgreSQL."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, model_validator

from airflow_backup.core.connections import Connection
from airflow_backup.core.words import Kind
from airflow_backup.core.worker import machine_of
from airflow_backup.engines.shared.options import Database, Method, Server, Tools
from airflow_backup.schedules.model.base import WHOLE, AbsolutePath
from airflow_backup.schedules.model.sources import Driver, EngineOptions
from airflow_backup.schedules.schema.asked import asked

_USUAL_SOCKETS = ("/var/run/postgresql", "/run/postgresql")


class PostgresOptions(EngineOptions):
    """One PostgreSQL database, or with `method: physical` the whole cluster."""

    engine: Literal["postgres"]
    """Which engine reads the source."""

    driver: ClassVar[Driver | None] = Driver("psycopg", "postgres")
    default_port: ClassVar[int | None] = 5432
    connection_types: ClassVar[tuple[str, ...]] = ("postgres", "postgresql")

    place_extras: ClassVar[tuple[str, ...]] = ("hostaddr",)

    connection: Server
    """The Airflow connection of type `postgres`."""

    database: Database = None
    """Which database; the connection's when missing."""

    method: Method = "logical"
    """`logical` is pg_dump of one database, `physical` is pg_basebackup of the cluster with the WAL it needs."""

    format: Annotated[
        Literal["custom", "directory"],
        asked(
            "A dump is",
            usual=False,
            words={"custom": "one stream", "directory": "a file for each table"},
        ),
    ] = "custom"
    """Of a logical set: one stream, or a folder of one file for each table, which `jobs` write side by side."""

    jobs: Annotated[int, Field(ge=1, le=64), asked("Tables at once", usual=False), WHOLE] = 1
    """How many tables `format: directory` reads at once."""

    wal: Annotated[
        Literal["none", "slot", "archive"],
        asked(
            "WAL between backups",
            usual=False,
            words={
                "none": "is not kept",
                "slot": "through a replication slot",
                "archive": "from an archive folder",
            },
        ),
    ] = "none"
    """Of a physical source: where `archive_log` sets take the WAL from, a replication slot or an archive folder."""

    slot: Annotated[
        Annotated[str, Field(pattern=r"^[a-z0-9_]{1,63}$")] | None,
        asked("Replication slot", usual=False),
    ] = None
    """The replication slot of `wal: slot`; named after the schedule when missing."""

    archive: Annotated[AbsolutePath | None, asked("Archive folder", usual=False)] = None
    """The folder into which the server's `archive_command` copies, for `wal: archive`."""

    tools: Tools = None
    """The folder of the client programs, for example `/usr/lib/postgresql/17/bin`; `PATH` when missing."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds that can be taken of this source."""
        if self.method == "logical":
            return frozenset({Kind.FULL})
        logs = {Kind.ARCHIVE_LOG} if self.wal != "none" else set()
        return frozenset({Kind.FULL, Kind.INCREMENTAL, Kind.DIFFERENTIAL, *logs})

    @model_validator(mode="after")
    def _options_fit_the_method(self) -> PostgresOptions:
        if self.method == "logical" and self.wal != "none":
            raise ValueError("`wal` needs `method: physical`: a dump cannot be rolled forward")
        if self.method == "physical" and (self.format, self.jobs) != ("custom", 1):
            raise ValueError("`format` and `jobs` belong to `method: logical`")
        if self.jobs > 1 and self.format != "directory":
            raise ValueError("`jobs` needs `format: directory`")
        return self

    @model_validator(mode="after")
    def _the_wal_has_a_place(self) -> PostgresOptions:
        if (self.wal == "archive") != (self.archive is not None):
            raise ValueError("`wal: archive` and `archive`, its folder, go together")
        if self.slot is not None and self.wal != "slot":
            raise ValueError("`slot` needs `wal: slot`")
        return self

    @property
    def local_paths(self) -> tuple[str, ...]:
        """The folder of archived WAL."""
        return () if self.archive is None else (self.archive,)

    @classmethod
    def server_of(cls, found: Connection) -> str:
        """Name the server; one behind a socket elsewhere than usual is another, though the port be the same."""
        host = str(found.extra.get("hostaddr") or found.host or "")
        name = f"{machine_of(host)}:{found.port or cls.default_port}"
        is_usual = not host.startswith("/") or host.rstrip("/") in _USUAL_SOCKETS
        return name if is_usual else f"{name}+{quote(host.rstrip('/'), safe='')}"

    def database_of(self, found: Connection) -> str | None:
        """Name the database, the one that the engine takes where none is named; None for the whole cluster."""
        if self.method == "physical":
            return None
        return super().database_of(found) or "postgres"

    def summary(self) -> str:
        """Name the connection and the database."""
        return self.connection if self.database is None else f"{self.connection}/{self.database}"
