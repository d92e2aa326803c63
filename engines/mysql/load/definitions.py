"""
What of a database is no table: views, triggers, routines, packages and events, as the statements that make them.

RENAME TABLE cannot move them, so they are written down, dropped and made anew, and who may run them is remembered.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import Refused
from airflow_backup.core.process.process import Process
from airflow_backup.engines.mysql.client.programs import environment
from airflow_backup.engines.mysql.client.server import Server, ask, quoted
from airflow_backup.engines.mysql.load.dump_parts import Parts

if TYPE_CHECKING:
    import pymysql

_NO_TABLES = {
    "VIEW": "SELECT table_name FROM information_schema.views WHERE table_schema = %s",
    "PACKAGE BODY": "SELECT routine_name FROM information_schema.routines"
    " WHERE routine_schema = %s AND routine_type = 'PACKAGE BODY'",
    "PACKAGE": "SELECT routine_name FROM information_schema.routines"
    " WHERE routine_schema = %s AND routine_type = 'PACKAGE'",
    "FUNCTION": "SELECT routine_name FROM information_schema.routines"
    " WHERE routine_schema = %s AND routine_type = 'FUNCTION'",
    "PROCEDURE": "SELECT routine_name FROM information_schema.routines"
    " WHERE routine_schema = %s AND routine_type = 'PROCEDURE'",
    "EVENT": "SELECT event_name FROM information_schema.events WHERE event_schema = %s",
    "TRIGGER": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = %s",
}
_ROUTINE_GRANTS = """
    SELECT Host, User, Routine_name, Routine_type, Proc_priv FROM mysql.procs_priv WHERE Db = %s
"""
ALL = ("--routines", "--triggers", "--events")
ONLY_TRIGGERS = ("--no-create-info", "--skip-routines", "--triggers", "--skip-events")


def statements_of(server: Server, name: str, *which: str) -> bytes:
    """Return the statements that make what is no table; a view that is broken is kept as far as it can be."""
    with server.options_file() as options:
        words = [
            "--force",
            "--no-data",
            *which,
            "--skip-lock-tables",
            "--add-drop-trigger",
        ]
        command = server.client("mariadb-dump", options, *words, "--default-character-set=utf8mb4")
        with Process(
            [*command, "--", name],
            environment=environment(),
            success_codes=range(256),
        ) as dump:
            whole = b"".join(dump.chunks())
    found = io.BytesIO()
    for _ in Parts([whole], found, names={name: name}, beside={name: name}, only=name).tables():
        pass
    return found.getvalue()


def check_all(session: pymysql.Connection[Any], name: str, statements: bytes) -> None:
    """Raise Refused where something would be lost: who may drop a thing may not always see how it is made."""
    for word, query in _NO_TABLES.items():
        for (each,) in ask(session, query, name):
            shown = quoted(str(each)).encode()
            if shown not in statements:
                raise Refused(
                    f"how the {word.lower()} '{name}.{each}' is made cannot be read, and replacing would lose it",
                    hint="let the connection's user see it (SHOW VIEW, TRIGGER, EVENT, SELECT on mysql.proc)",
                )


def clear(session: pymysql.Connection[Any], name: str) -> None:
    """Drop what is no table: it is written down where the old database is kept."""
    for word, query in _NO_TABLES.items():
        for (each,) in ask(session, query, name):
            with _mode_for(session, word):
                ask(session, f"DROP {word} {quoted(name, str(each))}")


@contextmanager
def _mode_for(session: pymysql.Connection[Any], kind: str) -> Iterator[None]:
    """Speak as MariaDB wants to hear it: packages have words in its mode ORACLE alone."""
    if not kind.startswith("PACKAGE"):
        yield
        return
    ask(session, "SET SESSION sql_mode = 'ORACLE'")
    try:
        yield
    finally:
        ask(session, "SET SESSION sql_mode = ''")


def grants_of(session: pymysql.Connection[Any], name: str) -> list[tuple[str, ...]]:
    """Return who may run the routines: dropping one takes that away."""
    import pymysql

    try:
        rows = ask(session, _ROUTINE_GRANTS, name)
    except pymysql.Error:
        return []  # not shown to us: then neither is the routine dropped by us without its owner
    return [tuple(map(str, row)) for row in rows]


_ROUTINE = (
    "SELECT 1 FROM information_schema.routines "
    "WHERE routine_schema = %s AND routine_name = %s AND routine_type = %s"
)


def grant_again(
    session: pymysql.Connection[Any], name: str, grants: Iterable[Sequence[str]]
) -> None:
    for host, user, routine, kind, given in grants:
        words = [word for word in given.upper().split(",") if word and word != "GRANT"]
        if not words or not ask(session, _ROUTINE, name, routine, kind):
            continue
        who = quoted(user) + (f"@{quoted(host)}" if host else "")
        also = " WITH GRANT OPTION" if "GRANT" in given.upper().split(",") else ""
        what = f"{kind} {quoted(name, routine)}"
        with _mode_for(session, kind):
            ask(session, f"GRANT {', '.join(words)} ON {what} TO {who}{also}")
