"""
Who may do what on a test server: what is loaded there is somebody's code, and nobody in whose name it runs may leave.

No file, no plugin, no setting of the server, no other user. `mysql`, the database of the server itself, is written to
by nobody but us.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_backup.engines.mysql.client.server import Server, ask, quoted

if TYPE_CHECKING:
    import pymysql

_EVERYTHING_INSIDE = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE TEMPORARY TABLES, LOCK TABLES, "
    "EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, EVENT, TRIGGER"
)
_NAMES_DEFINERS = ("SET USER", "SUPER")
"""Who may make a view in somebody else's name; before MariaDB 10.5 there was one word for that and much more."""


def forget_root(server: Server) -> None:
    """Remove the users that a new server brings: a routine could be made in the name of one."""
    with server.session() as session:
        rows = ask(
            session,
            "SELECT user, host FROM mysql.user WHERE user IN ('root', 'mysql', 'PUBLIC', '')",
        )
        for user, host in rows:
            if user != "PUBLIC":
                ask(session, f"DROP USER IF EXISTS {quoted(str(user))}@{quoted(str(host))}")


def make_loader(server: Server, databases: Iterable[str]) -> Server:
    """Make a user who may do everything in ``databases``, and nothing else; return it."""
    user, password = f"loader_{secrets.token_hex(4)}", secrets.token_hex(16)
    who = f"{user}@localhost"
    with server.session() as session:
        ask(session, f"CREATE USER {who} IDENTIFIED BY '{password}'")
        give(session, who, databases)
        for each in _NAMES_DEFINERS:
            try:
                ask(session, f"GRANT {each} ON *.* TO {who}")
            except _errors():
                continue
            break
        with suppress(_errors()):
            ask(session, f"GRANT DELETE HISTORY ON *.* TO {who}")
    return replace(server, user=user, password=password)


def give(session: pymysql.Connection[Any], who: str, databases: Iterable[str] | None) -> None:
    """Let somebody do everything in ``databases``; None: in all of them."""
    if databases is None:
        ask(session, f"GRANT {_EVERYTHING_INSIDE} ON *.* TO {who}")
        return
    for each in databases:
        pattern = each.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")
        ask(session, f"GRANT {_EVERYTHING_INSIDE} ON {quoted(pattern)}.* TO {who}")


def _errors() -> type[Exception]:
    import pymysql

    return pymysql.Error
