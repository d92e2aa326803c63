"""Commands that save PostgreSQL: ``pg_dump``, ``pg_dumpall``, ``pg_basebackup``."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from airflow_backup.schedules.setup.draft import Draft, NeededConnection
from airflow_backup.schedules.setup.foreign.programs.notes import (
    LOGIN_NOTE,
    WHICH,
    elsewhere,
    left_out,
)
from airflow_backup.schedules.setup.foreign.shell.arguments import Arguments, grammar, read
from airflow_backup.schedules.setup.foreign.shell.follow import Command

PROGRAMS = ("pg_dump", "pg_dumpall", "pg_basebackup")
ALL_DATABASES = (
    "all databases of the server are one physical set here: its user needs REPLICATION. "
    "Or write one schedule for each database"
)
_REPLICATION = "the user of the connection needs REPLICATION"
_GRAMMAR = grammar(
    "host port username dbname file format jobs compress table exclude-table schema exclude-schema "
    "exclude-table-data encoding lock-wait-timeout role snapshot section superuser extension "
    "rows-per-insert extra-float-digits filter pgdata wal-method checkpoint label max-rate "
    "tablespace-mapping waldir exclude-database database l",
    "h=host p=port U=username d=dbname f=file F=format j=jobs Z=compress t=table T=exclude-table "
    "n=schema N=exclude-schema E=encoding S=superuser e=extension D=pgdata X=wal-method "
    "c=clean r=max-rate",
)
_IGNORED = (
    "host port username dbname file format jobs compress verbose v w no-password W password pgdata "
    "wal-method checkpoint label progress P clean create C if-exists blobs b large-objects z R "
    "write-recovery-conf lock-wait-timeout no-sync gzip roles-only globals-only g database l"
)
_WANTED = ("host", "port", "user", "dbname", "service")


def read_command(command: Command, origin: str) -> list[Draft]:
    """Make a schedule of one command; ValueError where it is none."""
    given = read(command.arguments, _GRAMMAR)
    if any(not each.is_known for each in (*given.operands, *given.all("dbname"))):
        raise ValueError(WHICH)
    facts = _facts(command, given)
    name = facts.pop("dbname", None)
    source: dict[str, Any] = {"engine": "postgres"}
    notes = left_out(given, _IGNORED, command.program, asked=("host", "port", "username"))
    notes += elsewhere(command, "the worker must reach it by host and port")
    if facts.pop("service", None) or command.variable("PGSERVICE"):
        notes.append("the service file was not read: what it says belongs in the connection")
    if command.program == "pg_dump":
        if name is None:
            notes.append("the database was not named here; it is the connection's")
        else:
            source["database"] = name
    elif given.has("globals-only", "g", "roles-only"):
        raise ValueError("roles are part of every set of the postgres engine (globals.sql)")
    else:
        source["method"] = "physical"
        notes.append(ALL_DATABASES if command.program == "pg_dumpall" else _REPLICATION)
    connection = NeededConnection(
        "postgres", facts.get("host"), facts.get("port"), facts.get("user")
    )
    called = name or connection.host or "postgres"
    return [Draft(called, source, origin, notes=(*notes, LOGIN_NOTE), connection=connection)]


def _facts(command: Command, given: Arguments) -> dict[str, str]:
    """Return host, port, user and dbname: of options, else of a connection string, else of variables."""
    operand = given.operands[0].text if given.operands and command.program == "pg_dump" else None
    named = given.text("dbname") or operand
    facts = connection_string(named) if named else {}
    for key, option, variable in (
        ("host", "host", "PGHOST"),
        ("port", "port", "PGPORT"),
        ("user", "username", "PGUSER"),
        ("dbname", "", "PGDATABASE"),
    ):
        found = given.text(option) or facts.get(key) or command.variable(variable)
        if found:
            facts[key] = found
    return facts


def connection_string(text: str) -> dict[str, str]:
    """
    Take a connection string of PostgreSQL apart; its password is left out.

    >>> connection_string("postgresql://app:secret@db:5433/shop?sslmode=require")
    {'host': 'db', 'port': '5433', 'user': 'app', 'dbname': 'shop'}
    >>> connection_string("host=db dbname='my shop' password=x"), connection_string("shop")
    ({'host': 'db', 'dbname': 'my shop'}, {'dbname': 'shop'})
    """
    if re.match(r"postgres(ql)?://", text, re.IGNORECASE):
        try:
            parts = urlsplit(text)
            found = {
                "host": parts.hostname,
                "port": str(parts.port or ""),
                "user": unquote(parts.username or ""),
                "dbname": unquote(parts.path.lstrip("/")),
                **{key: value for key, value in parse_qsl(parts.query) if key in _WANTED},
            }
        except ValueError:
            return {}
        return {key: value for key, value in found.items() if value}
    if "=" in text:
        pairs = re.findall(r"(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s']+)", text)
        return {key: value.strip("'") for key, value in pairs if key in _WANTED}
    return {} if "://" in text else {"dbname": text}


def target(command: Command) -> str | None:
    """Return where a dump is written to by an option."""
    found = read(command.arguments, _GRAMMAR).all("file", "pgdata")
    return found[-1].text if found else None
