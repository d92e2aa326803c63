"""What a schedule may say about MariaDB and MySQL."""

from __future__ import annotations

from typing import ClassVar, Literal
from urllib.parse import quote

from pydantic import model_validator

from airflow_backup.core.connections import Connection
from airflow_backup.core.words import Kind
from airflow_backup.core.worker import machine_of
from airflow_backup.engines.shared.options import Database, Method, Server, Tools
from airflow_backup.schedules.model.sources import Driver, EngineOptions

_USUAL_SOCKETS = (
    "/run/mysqld/mysqld.sock",
    "/var/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",
)


class MysqlOptions(EngineOptions):
    """A MariaDB or MySQL database, or all of a server, or with `method: physical` its data folder."""

    engine: Literal["mysql"]
    """Which engine reads the source."""

    driver: ClassVar[Driver | None] = Driver("pymysql", "mysql")
    default_port: ClassVar[int | None] = 3306
    connection_types: ClassVar[tuple[str, ...]] = ("mysql", "mariadb")

    place_extras: ClassVar[tuple[str, ...]] = ("unix_socket",)

    connection: Server
    """The Airflow connection of type `mysql`."""

    database: Database = None
    """Which database of a logical set; the connection's when missing, all but the server's own without either."""

    method: Method = "logical"
    """`logical` is mariadb-dump or mysqldump, `physical` is mariadb-backup on the server's own machine."""

    tools: Tools = None
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

    @classmethod
    def server_of(cls, found: Connection) -> str:
        """Name the server; a socket leads to one, whatever the port says."""
        place = str(found.extra.get("unix_socket") or found.host or "")
        if not place.startswith("/"):
            return f"{machine_of(place)}:{found.port or cls.default_port}"
        name = f"{machine_of(None)}:{cls.default_port}"
        return name if place in _USUAL_SOCKETS else f"{name}+{quote(place, safe='')}"

    def database_of(self, found: Connection) -> str | None:
        """Name the database; None for all of them, which is also what is read where none is named."""
        return None if self.method == "physical" else super().database_of(found) or None

    def summary(self) -> str:
        """Name the connection and the database."""
        return self.connection if self.database is None else f"{self.connection}/{self.database}"
