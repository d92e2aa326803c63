"""What a schedule may say about Firebird."""

from __future__ import annotations

from typing import ClassVar, Literal

from airflow_backup.core.words import Kind
from airflow_backup.schedules.model.base import AbsolutePath, ConnectionId
from airflow_backup.schedules.model.sources import EngineOptions


class FirebirdOptions(EngineOptions):
    """One Firebird database."""

    engine: Literal["firebird"]
    """Which engine reads the source."""

    default_port: ClassVar[int | None] = 3050
    connection_types: ClassVar[tuple[str, ...]] = ("firebird",)

    connection: ConnectionId
    """The Airflow connection: host, port, login, password; without a host the file is opened directly."""

    database: AbsolutePath | None = None
    """The database file, as the server sees it; the connection's schema when missing."""

    method: Literal["logical", "physical"] = "logical"
    """`logical` is gbak; `physical` is nbackup, on the machine of the database, which can be incremental."""

    tools: AbsolutePath | None = None
    """The folder of the programs gbak and nbackup; `PATH` when missing."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds that can be taken of this source."""
        more = {Kind.INCREMENTAL, Kind.DIFFERENTIAL} if self.method == "physical" else set()
        return frozenset({Kind.FULL, *more})

    @property
    def local_paths(self) -> tuple[str, ...]:
        """The database file: without a host in the connection it lies here."""
        return () if self.database is None else (self.database,)
