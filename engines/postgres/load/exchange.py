"""Puts a new database in the place of another: made beside it, and named like it when it is whole."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import EngineError
from airflow_backup.engines.postgres.client.quoting import execute, literal, name
from airflow_backup.engines.postgres.client.server import Server
from airflow_backup.engines.postgres.load.target import check_server
from airflow_backup.engines.postgres.properties.model import Properties
from airflow_backup.engines.postgres.properties.statements import create_statement

if TYPE_CHECKING:
    import psycopg

_TRIES = 10
_UNKNOWN_LOCALE = (
    "invalid locale name",
    "invalid LC_",
    "ICU is not supported",
    "could not open collator",
)


def exchanged(
    server: Server,
    wanted: Properties | None,
    fill: Callable[[Server], int],
    warnings: list[str],
    *,
    encoding: str,
    replace: bool,
) -> int:
    """
    Make a database, let ``fill`` fill it, and give it the name of ``server``'s; return what ``fill`` returns.

    With ``replace`` the one that has the name now is removed after that. What fails leaves everything as it was.
    """
    own, token = server.database, secrets.token_hex(4)
    new, old = f"restore_{token}", f"replaced_{token}"
    desk = _desk(server)
    with desk.session() as session:
        check_server(session, wanted)
        warnings += _left_behind(session)
        _create(session, new, wanted, encoding)
    try:
        written = fill(server.other(new))
        _take_the_name(desk, own, new, old if replace else None)
    except BaseException:
        with desk.session() as session:
            _remove(session, new)
        raise
    if replace:
        warnings += _drop_old(desk, old)
    return written


def _desk(server: Server) -> Server:
    """Return a database of the server to work from, which is not the one that is made."""
    return server.other("postgres" if server.database != "postgres" else "template1")


def _left_behind(session: psycopg.Connection[Any]) -> list[str]:
    """Name what a load that was killed has left on the server: nobody can tell whether it is still wanted."""
    rows = session.execute(
        "SELECT datname FROM pg_database d WHERE datname ~ '^(restore|replaced)_[0-9a-f]{8}$' "
        "AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datid = d.oid) ORDER BY 1"
    ).fetchall()
    return [
        f"a load that was killed has left the database '{row[0]}': DROP DATABASE {row[0]}"
        for row in rows
    ]


def _create(
    session: psycopg.Connection[Any], new: str, wanted: Properties | None, encoding: str
) -> None:
    version = session.info.server_version // 10000
    if wanted is None:
        execute(
            session, f"CREATE DATABASE {name(new)} TEMPLATE template0 ENCODING {literal(encoding)}"
        )
        return
    import psycopg

    try:
        execute(session, create_statement(new, wanted, version=version))
    except psycopg.Error as error:
        if any(sign in str(error) for sign in _UNKNOWN_LOCALE):
            told = wanted.locale or wanted.collate
            raise EngineError(
                f"the server does not know the locale '{told}' of the database",
                hint="install it on the server's machine (locale-gen), or PostgreSQL with ICU",
            ) from error
        raise


def _drop_old(desk: Server, old: str) -> list[str]:
    """Remove what was replaced; a warning where the server keeps it, because the new one is in its place."""
    import psycopg

    with desk.connect(autocommit=True) as session:
        try:
            execute(session, f"ALTER DATABASE {name(old)} IS_TEMPLATE false")
            execute(session, f"DROP DATABASE {name(old)} WITH (FORCE)")
        except psycopg.Error as error:
            why = str(error).strip().splitlines()[0]
            return [f"what was replaced is still there as the database '{old}': {why}"]
    return []


def _take_the_name(desk: Server, own: str, new: str, old: str | None) -> None:
    """Let the new database have the name, and the old one another, at once: a kill leaves one or the other."""
    import psycopg

    with desk.connect(autocommit=True) as session:
        for attempt in range(_TRIES):
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%s)",
                [[own, new]],
            )
            try:
                with session.transaction():
                    if old is not None:
                        execute(session, f"ALTER DATABASE {name(own)} RENAME TO {name(old)}")
                    execute(session, f"ALTER DATABASE {name(new)} RENAME TO {name(own)}")
            except psycopg.errors.ObjectInUse as error:  # somebody came back in that moment
                if attempt == _TRIES - 1:
                    raise EngineError(
                        f"the database '{own}' cannot be replaced, because it is never left alone",
                        hint="stop what uses it, and load again",
                    ) from error
            except psycopg.Error as error:
                why = str(error).strip().splitlines()[0]
                raise EngineError(f"the database '{own}' cannot be replaced: {why}") from error
            else:
                return


def _remove(session: psycopg.Connection[Any], new: str) -> None:
    found = session.execute("SELECT datistemplate FROM pg_database WHERE datname = %s", [new])
    row = found.fetchone()
    if row is None:
        return
    if row[0]:
        execute(session, f"ALTER DATABASE {name(new)} IS_TEMPLATE false")
    execute(session, f"DROP DATABASE {name(new)} WITH (FORCE)")
