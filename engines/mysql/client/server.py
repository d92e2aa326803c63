"""A MariaDB or MySQL server as a connection names it: sessions, programs; the password never in an argument."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
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
from airflow_backup.core.process import process
from airflow_backup.engines.mysql.options import MysqlOptions
from airflow_backup.engines.shared.scratch import scratch_folder

if TYPE_CHECKING:
    import pymysql

OWN = ("information_schema", "mysql", "performance_schema", "sys")
"""The server's own databases; they are not in a logical set."""

_NAMES = {
    "mariadb-dump": "mysqldump",
    "mariadb-binlog": "mysqlbinlog",
    "mariadb": "mysql",
    "mbstream": "xbstream",
}
_UNAVAILABLE = (2002, 2003, 2006, 2013, 1040)
_DENIED = (1044, 1045, 1142, 1227, 1370)
_NO_DATABASE = 1049
_SESSION = (
    "SET time_zone = '+00:00', sql_mode = '', wait_timeout = 604800"
    " /*M!100101 , max_statement_time = 0 */"
)
"""Whatever the server's settings are, our questions mean the same and may take their time."""

_NAMES_ONLY = frozenset(
    {
        1005,
        1006,
        1007,
        1008,
        1044,
        1045,
        1049,
        1050,
        1051,
        1054,
        1059,
        1064,
        1072,
        1091,
        1102,
        1103,
        1115,
        1118,
        1142,
        1143,
        1146,
        1193,
        1205,
        1213,
        1227,
        1231,
        1235,
        1273,
        1286,
        1290,
        1298,
        1305,
        1356,
        1370,
        1419,
        1436,
        1449,
        1524,
        1577,
        1969,
        4031,
        4047,
    }
)
"""Errors whose words name tables, columns and settings; those of others may quote a row."""

_QUOTES_TEXT = frozenset({1064, 1231})
"""... and of these a piece of the statement, which is cut off."""
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
        facts: dict[str, Any] = {
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
            facts["unix_socket"] = self.place
        else:
            facts |= {"host": self.place or "127.0.0.1", "port": self.port or 3306}
        ssl = {"ca": self.certificate_authority, "cert": self.certificate, "key": self.key}
        if any(ssl.values()):
            facts["ssl"] = {key: value for key, value in ssl.items() if value is not None}
        try:
            session = pymysql.connect(**facts)
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
            return SourceDenied(f"{where} refuses: {text}", hint="docs/how-to/databases.md")
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
        facts = {
            "user": self.user,
            "password": self.password,
            "socket" if self.is_socket else "host": self.place or "127.0.0.1",
            "port": None if self.is_socket else str(self.port or 3306),
            "ssl-ca": self.certificate_authority,
            "ssl-cert": self.certificate,
            "ssl-key": self.key,
        }
        lines = [f'{key}="{_escaped(value)}"\n' for key, value in facts.items() if value]
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


def said(number: int, text: str) -> str:
    """
    Return the words of an error, where they can hold nothing of a row, after a colon.

    >>> said(1146, "Table 'shop.x' doesn't exist"), said(1062, "Duplicate entry 'alice@x' for key")
    (": Table 'shop.x' doesn't exist", '')
    """
    if number not in _NAMES_ONLY or number in _QUOTES_TEXT:
        return ""
    return f": {text.strip().splitlines()[0]}" if text.strip() else ""


def environment() -> dict[str, str]:
    """
    Return what the programs get: nothing that names a server, a user, a file of options.

    `MYSQL_TEST_LOGIN_FILE` is where MySQL's programs look for `~/.mylogin.cnf`, whatever other file they are given.
    """
    return {"MYSQL_TEST_LOGIN_FILE": "/dev/null/none", "MYSQL_HISTFILE": os.devnull}


def find(program: str, folder: str | None = None) -> str:
    """
    Return the path of a program, in ``folder`` or on `PATH`; ToolMissing when there is none.

    >>> find("mariadb-tape")
    Traceback (most recent call last):
    airflow_backup.core.errors.ToolMissing: the program 'mariadb-tape' is not installed
    HINT: on Debian: apt-get install mariadb-client, for physical sets mariadb-backup
    """
    names = [program, *([_NAMES[program]] if program in _NAMES else [])]
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    for name in names:
        found = shutil.which(name, path=folder) if folder else shutil.which(name, path=places)
        if found is not None:
            return found
    raise ToolMissing(
        f"the program '{program}' is not installed",
        hint="on Debian: apt-get install mariadb-client, for physical sets mariadb-backup",
    )


def find_here(program: str, folder: str | None) -> str:
    """Return the path of a program for a restore: of ``folder``, where it has it, else of this machine."""
    with suppress(ToolMissing):
        return find(program, folder)
    return find(program)


def told_by(command: Sequence[str]) -> process.Finished:
    """Run a short program in an environment that steers nothing."""
    return process.run(command, environment=environment())


def version_of(command: str) -> tuple[int, int]:
    """Return major and minor version of a program's server series; raise ToolMissing."""
    finished = told_by([command, "--no-defaults", "--version"])
    text = finished.output.decode() + finished.errors  # mariadb-backup tells it as an error
    found = re.search(r"(?:Distrib|server|Ver) (\d+)\.(\d+)\.\d+", text)
    if found is None:
        raise ToolMissing(f"{Path(command).name} does not say its version: {text.strip()!r}")
    return int(found[1]), int(found[2])


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
