"""A MariaDB or MySQL server as a connection names it: sessions, programs; the password never in an argument."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.errors import (
    BackupError,
    EngineError,
    SourceDenied,
    SourceError,
    SourceLocked,
    SourceUnavailable,
    ToolMissing,
    VerifyError,
)
from airflow_backup.engines.mysql.client.programs import find, said
from airflow_backup.engines.mysql.options import MysqlOptions
from airflow_backup.engines.shared.scratch import scratch_folder

if TYPE_CHECKING:
    import pymysql

OWN = ("information_schema", "mysql", "performance_schema", "sys")
"""The server's own databases; they are not in a logical set."""

_UNAVAILABLE = (2002, 2003, 2006, 2013, 1040)
_DENIED = (1044, 1045, 1142, 1227, 1370)
_NO_DATABASE = 1049
_SESSION = (
    "SET time_zone = '+00:00', sql_mode = '', wait_timeout = 604800"
    " /*M!100101 , max_statement_time = 0 */"
)
"""Whatever the server's settings are, our questions mean the same and may take their time."""


_LOCKED = 1205


@dataclass(frozen=True)
class Server:
    """Where the server is and who we are there."""

    place: str | None
    """A host name, or the path of a socket."""

    port: int | None
    user: str | None
    database: str | None
    tools: str | None
    certificate_authority: str | None = None
    certificate: str | None = None
    key: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, source: MysqlOptions, connections: Connections) -> Server:
        """Read the connection of a source."""
        return cls.at(connections(source.connection), source.database, tools=source.tools)

    @classmethod
    def at(cls, found: Connection, database: str | None, *, tools: str | None = None) -> Server:
        """Read a connection; ``database`` is the connection's own when it is None."""
        ssl = found.extra.get("ssl")

        def of_ssl(key: str) -> str | None:
            value = ssl.get(key) if isinstance(ssl, dict) else None
            value = found.extra.get(f"ssl_{key}") if value is None else value
            return None if value is None else str(value)

        return cls(
            place=found.extra.get("unix_socket") or found.host,
            port=found.port,
            user=found.login,
            database=database or found.schema or None,
            tools=tools,
            certificate_authority=of_ssl("ca"),
            certificate=of_ssl("cert"),
            key=of_ssl("key"),
            password=found.password,
        )

    def other(self, database: str | None) -> Server:
        """Return the same server, with another database."""
        return replace(self, database=database)

    @property
    def is_socket(self) -> bool:
        """Whether the place is a socket's path."""
        return (self.place or "").startswith("/")

    @contextmanager
    def session(self) -> Iterator[pymysql.Connection[Any]]:
        """Open a session in UTC; what the server refuses is raised in our words."""
        try:
            import pymysql  # an extra; only those who back up MySQL have it
        except ImportError as error:
            raise ToolMissing(
                "the mysql engine needs PyMySQL", hint="pip install 'airflow-backup[mysql]'"
            ) from error
        server_state: dict[str, Any] = {
            "user": self.user,
            # As bytes: PyMySQL would write letters in another encoding than the programs do.
            "password": (self.password or "").encode(),
            "database": self.database,
            "connect_timeout": 20,
            "autocommit": True,
            "charset": "utf8mb4",
            "init_command": _SESSION,
        }
        if self.is_socket:
            server_state["unix_socket"] = self.place
        else:
            server_state |= {"host": self.place or "127.0.0.1", "port": self.port or 3306}
        ssl = {"ca": self.certificate_authority, "cert": self.certificate, "key": self.key}
        if any(ssl.values()):
            server_state["ssl"] = {key: value for key, value in ssl.items() if value is not None}
        try:
            session = pymysql.connect(**server_state)
        except (pymysql.Error, OSError) as error:
            raise self._refusal(error) from error
        try:
            with closing(session):
                yield session
        except pymysql.Error as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> BackupError:
        code = error.args[0] if error.args else None
        text = (str(error.args[-1] if error.args else error).splitlines() or [""])[0]
        where = f"the server at {self.place or '127.0.0.1'}"
        if code in _DENIED:
            return SourceDenied(
                f"{where} refuses: {text}",
                hint="which privileges are needed: airflow-backup help privileges",
            )
        if code == _NO_DATABASE:
            return SourceError(
                f"there is no database '{self.database}' on {where}",
                hint="is `database` spelled right?",
            )
        if code in _UNAVAILABLE:
            return SourceUnavailable(f"{where} cannot be reached: {text}", hint="is it up?")
        if code == _LOCKED:
            return SourceLocked(f"{where} is locked: {text}")
        if isinstance(code, int) and isinstance(error, _server_errors()):
            return EngineError(f"{where} refuses with error {code}{said(code, text)}")
        return EngineError(f"{where} refuses: {text}")

    @contextmanager
    def options_file(self) -> Iterator[Path]:
        """Write host, user and password where the programs read them and nobody else can."""
        server_state = {
            "user": self.user,
            "password": self.password,
            "socket" if self.is_socket else "host": self.place or "127.0.0.1",
            "port": None if self.is_socket else str(self.port or 3306),
            "ssl-ca": self.certificate_authority,
            "ssl-cert": self.certificate,
            "ssl-key": self.key,
        }
        lines = [f'{key}="{_escaped(value)}"\n' for key, value in server_state.items() if value]
        if not self.is_socket:
            lines.append("protocol=tcp\n")  # `localhost` would mean the default socket
        with scratch_folder() as folder:
            file = Path(folder) / "client.cnf"
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write("".join(["[client]\n", *lines]))
            yield file

    def tool(self, program: str) -> str:
        """Return a client program by MariaDB's name for it, or MySQL's; raise ToolMissing."""
        return find(program, self.tools)

    def client(self, program: str, options: Path, *arguments: str) -> list[str]:
        """Return the command of a client that reads our options, and nobody else's."""
        return [self.tool(program), f"--defaults-file={options}", *arguments]


def _server_errors() -> tuple[type[Exception], ...]:
    import pymysql

    return (pymysql.err.DatabaseError,)


def ask(session: pymysql.Connection[Any], query: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a query; return its rows."""
    with session.cursor() as cursor:
        cursor.execute(query, values or None)
        return list(cursor.fetchall())


def quoted(*names: str) -> str:
    """
    Quote a name, with its database before it.

    >>> quoted("a`b", "c")
    '`a``b`.`c`'
    """
    return ".".join(f"`{name.replace('`', '``')}`" for name in names)


def charset_words(charset: Sequence[str]) -> str:
    """
    Return what makes a database with a character set and a collation; VerifyError where a set names none.

    >>> charset_words(["utf8mb4", "utf8mb4_bin"])
    'CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'
    """
    if len(charset) != 2 or not all(re.fullmatch(r"\w{1,64}", word, re.ASCII) for word in charset):
        raise VerifyError(f"the set names no character set and collation: {charset!r}")
    return "CHARACTER SET {} COLLATE {}".format(*charset)


def _escaped(value: str) -> str:
    # An end of line would begin an option of its own.
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return escaped.replace("\n", "\\n").replace("\r", "\\r")
