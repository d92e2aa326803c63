"""What a schedule may say about MariaDB and MySQL."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from airflow_backup.core.words import Kind
from airflow_backup.schedules.model.base import AbsolutePath, ConnectionId
from airflow_backup.schedules.model.sources import Driver, EngineOptions


class MysqlOptions(EngineOptions):
    """A MariaDB or MySQL database, or all of a server, or with `method: physical` its data folder."""

    engine: Literal["mysql"]
    """Which engine reads the source."""

    driver: ClassVar[Driver | None] = Driver("pymysql", "mysql")

    connection: ConnectionId
    """The Airflow connection of type `mysql`."""

    database: Annotated[str, Field(max_length=250)] | None = None
    """Which database of a logical set; the connection's when missing, all but the server's own without either."""

    method: Literal["logical", "physical"] = "logical"
    """`logical` is mariadb-dump or mysqldump, `physical` is mariadb-backup on the server's own machine."""

    tools: AbsolutePath | None = None
    """The folder of the client programs; `PATH` when missing."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds that can be taken of this source; `archive_log` needs the server's binary log."""
        if self.method == "logical":
            return frozenset({Kind.FULL, Kind.ARCHIVE_LOG})
        return frozenset(Kind)

    @model_validator(mode="after")
    def _a_data_folder_is_copied_whole(self) -> MysqlOptions:
        if self.method == "physical" and self.database is not None:
            raise ValueError("`method: physical` copies all databases; leave `database` out")
        return self

    def summary(self) -> str:
        """Name the connection and the database."""
        return self.connection if self.database is None else f"{self.connection}/{self.database}"
