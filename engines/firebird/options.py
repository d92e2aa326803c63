"""What a schedule may say about Firebird."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from airflow_backup.core.words import Kind
from airflow_backup.engines.shared.options import Tools
from airflow_backup.schedules.model.base import AbsolutePath, ConnectionId
from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.schedules.schema.asked import asked


class FirebirdOptions(EngineOptions):
    """One Firebird database."""

    engine: Literal["firebird"]
    """Which engine reads the source."""

    default_port: ClassVar[int | None] = 3050
    connection_types: ClassVar[tuple[str, ...]] = ("firebird",)

    connection: Annotated[ConnectionId, asked("Airflow connection", example="bank_db")]
    """The Airflow connection: host, port, login, password; without a host the file is opened directly."""

    database: Annotated[AbsolutePath | None, asked("Database file", example="the connection's")] = (
        None
    )
    """The database file, as the server sees it; the connection's schema when missing."""

    method: Annotated[
        Literal["logical", "physical"],
        asked(
            "How",
            words={"logical": "A dump of the database", "physical": "The file of the database"},
        ),
    ] = "logical"
    """`logical` is gbak; `physical` is nbackup, on the machine of the database, which can be incremental."""

    tools: Tools = None
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
