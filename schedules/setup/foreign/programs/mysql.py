"""Commands that save MariaDB and MySQL: ``mysqldump``, ``mariadb-dump``, ``mariadb-backup``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_backup.schedules.setup.draft import Draft, NeededConnection
from airflow_backup.schedules.setup.foreign.programs.notes import (
    LOGIN_NOTE,
    WHICH,
    elsewhere,
    left_out,
)
from airflow_backup.schedules.setup.foreign.shell.arguments import Arguments, grammar, read
from airflow_backup.schedules.setup.foreign.shell.follow import Command

_COPIES = ("mariadb-backup", "mariabackup", "xtrabackup")
PROGRAMS = ("mysqldump", "mariadb-dump", *_COPIES)
_GRAMMAR = grammar(
    "host port user socket defaults-file defaults-extra-file defaults-group-suffix login-path "
    "result-file where ignore-table ignore-database default-character-set protocol "
    "max-allowed-packet net-buffer-length tab ssl-ca ssl-cert ssl-key target-dir compress-threads "
    "parallel stream set-gtid-purged column-statistics",
    "h=host P=port u=user S=socket r=result-file w=where T=tab A=all-databases B=databases "
    "p=password R=routines E=events",
    "password",
)
_IGNORED = (
    "host port user socket password defaults-file defaults-extra-file login-path result-file "
    "all-databases databases single-transaction routines events triggers quick q opt skip-lock-tables "
    "lock-tables l lock-all-tables x add-drop-table add-drop-database hex-blob max-allowed-packet "
    "net-buffer-length default-character-set verbose v compress C protocol column-statistics flush-logs "
    "F master-data source-data dump-slave set-gtid-purged no-tablespaces y extended-insert e force f "
    "disable-keys K create-options a set-charset comments i backup target-dir stream parallel"
)


def read_command(command: Command, origin: str) -> list[Draft]:
    """Make a schedule for each database that is dumped; ValueError where it is none."""
    given = read(command.arguments, _GRAMMAR)
    if any(not each.is_known or "://" in each.text for each in given.operands):
        raise ValueError(WHICH)
    is_copy = command.program in _COPIES
    if is_copy and not given.has("backup"):
        raise ValueError("it makes no backup")
    notes = left_out(given, _IGNORED, command.program, asked=("host", "port", "user", "socket"))
    notes += elsewhere(command, "the worker must reach it by host and port")
    if given.has("defaults-file", "defaults-extra-file", "login-path"):
        notes.append("the option file was not read: what it says belongs in the connection")
    notes.append(LOGIN_NOTE)
    connection = _connection(command, given)
    if not is_copy:
        return _databases(given, origin, notes, connection)
    if given.has("databases", "tables", "tables-file", "databases-file"):
        notes.append("only some databases or tables were copied; here it is the whole server")
    source = {"engine": "mysql", "method": "physical"}
    called = connection.host or "mysql"
    return [Draft(called, source, origin, notes=tuple(notes), connection=connection)]


def _connection(command: Command, given: Arguments) -> NeededConnection:
    socket = given.text("socket")
    return NeededConnection(
        "mysql",
        given.text("host") or command.variable("MYSQL_HOST"),
        given.text("port"),
        given.text("user"),
        {"unix_socket": socket} if socket else {},
    )


def _databases(
    given: Arguments, origin: str, notes: Sequence[str], connection: NeededConnection
) -> list[Draft]:
    names = [each.text for each in given.operands]
    said = [*notes]
    if len(names) > 1 and given.has("password") and not given.all("password"):
        # Nobody answers a question at night, so the first name is most likely the password.
        raise ValueError(f"{WHICH}: after a password without a value stand several names")
    if not given.has("databases", "all-databases") and len(names) > 1:
        said.append("only some tables were dumped; here it is the whole database")
        names = names[:1]
    sources: list[tuple[str, dict[str, Any]]] = [
        (each, {"engine": "mysql", "database": each}) for each in names
    ]
    if given.has("all-databases"):
        sources = [(connection.host or "mysql", {"engine": "mysql"})]
    elif not names:
        raise ValueError(WHICH)
    return [
        Draft(name, source, origin, notes=tuple(said), connection=connection)
        for name, source in sources
    ]


def target(command: Command) -> str | None:
    """Return where a dump is written to by an option."""
    found = read(command.arguments, _GRAMMAR).all("result-file", "target-dir")
    return found[-1].text if found else None
