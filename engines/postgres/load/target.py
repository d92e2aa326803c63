"""What lies where a set is to be loaded, and whether the server has what the database needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import (
    ConfigError,
    EngineError,
    Refused,
    SourceError,
    SourceUnavailable,
)
from airflow_backup.engines.postgres.client.server import Server
from airflow_backup.engines.postgres.load.whole import MAKE_ROLES
from airflow_backup.engines.postgres.properties.model import Properties, roles_named
from airflow_backup.engines.postgres.properties.reading import read_properties

if TYPE_CHECKING:
    import psycopg

_LONGEST = 63
_FIRST_OID = 16384
"""What PostgreSQL itself brings has a smaller number."""

_IN_SCHEMAS = {
    "pg_class": "relnamespace",
    "pg_proc": "pronamespace",
    "pg_type": "typnamespace",
    "pg_namespace": "oid",
}
_ALONE = (
    *(
        "pg_cast",
        "pg_collation",
        "pg_conversion",
        "pg_default_acl",
        "pg_event_trigger",
        "pg_extension",
    ),
    *("pg_foreign_data_wrapper", "pg_language", "pg_operator", "pg_publication", "pg_ts_config"),
)
_HOLDS = " UNION ALL ".join(
    [
        # Temporary tables of others do not count.
        *(
            f"SELECT 1 FROM {catalog} c WHERE c.oid >= {_FIRST_OID} AND NOT EXISTS "  # noqa: S608  # ours
            f"(SELECT 1 FROM pg_namespace n WHERE n.oid = c.{schema} AND n.nspname ~ '^pg_')"
            for catalog, schema in _IN_SCHEMAS.items()
        ),
        *(f"SELECT 1 FROM {catalog} WHERE oid >= {_FIRST_OID}" for catalog in _ALONE),  # noqa: S608  # ours
        "SELECT 1 FROM pg_largeobject_metadata",
    ]
)


def check_name(database: str, own: object) -> None:
    """Raise where a name would mean another database than the one that is written, or every new one."""
    if len(database.encode("utf-8", "surrogateescape")) > _LONGEST:
        raise ConfigError(
            f"'{database}' is no name of a database: a server cuts it after {_LONGEST} bytes",
            hint="name a shorter one",
        )
    if database in ("template0", "template1") and database != own:
        raise Refused(
            f"'{database}' is what every new database of the server is made from",
            hint="name a database of its own",
        )


def state_of(server: Server, wanted: Properties | None) -> tuple[str, Properties | None]:
    """Return whether the database is ``missing``, ``empty`` or ``holds`` something, and what it is like."""
    try:
        with server.session() as session:
            check_server(session, wanted)
            holds = session.execute(_HOLDS.encode()).fetchone() is not None
            has = read_properties(session)
    except SourceUnavailable:
        raise
    except SourceError:
        return "missing", None
    return ("holds" if holds else "empty"), has


def check_server(session: psycopg.Connection[Any], wanted: Properties | None) -> None:
    """Raise EngineError, before anything is made, where the server lacks what the database needs."""
    if wanted is None:
        return
    for what, query, needed, hint in (
        ("roles", "SELECT rolname::text FROM pg_roles", roles_named(wanted), MAKE_ROLES),
        (
            "tablespaces",
            "SELECT spcname::text FROM pg_tablespace",
            {wanted.tablespace, *wanted.tablespaces},
            "CREATE TABLESPACE ... LOCATION ...; globals.sql of the set has theirs",
        ),
    ):
        there = {
            row[0].decode("utf-8", "surrogateescape") if isinstance(row[0], bytes) else row[0]
            for row in session.execute(query.encode()).fetchall()
        }
        lacking = sorted(needed - there)
        if lacking:
            # `role "..." does not exist` is how the server itself says it.
            one = what[:-1]
            told = ", ".join(f'"{each}"' for each in lacking)
            raise EngineError(
                f"{one if len(lacking) == 1 else what} {told} "
                f"{'does' if len(lacking) == 1 else 'do'} not exist on the server",
                hint=hint,
            )
