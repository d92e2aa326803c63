"""The role in whose name a dump that may be hostile is loaded: it owns the database, and may do nothing else."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from airflow_backup.engines.postgres.client.quoting import execute, literal, name
from airflow_backup.engines.postgres.client.server import Server
from airflow_backup.engines.postgres.properties.model import Properties

if TYPE_CHECKING:
    import psycopg


def make_owner(
    session: psycopg.Connection[Any], wanted: Properties | None, database: Server
) -> Server:
    """Make the role that loads the dump, a member of all roles that own something there; return it at the database."""
    role, password = f"loader_{secrets.token_hex(6)}", secrets.token_hex(24)
    execute(session, f"CREATE ROLE {role} LOGIN INHERIT PASSWORD {literal(password)}")
    for each in () if wanted is None else wanted.roles:
        execute(session, f"GRANT {name(each.name)} TO {role}")
    facts = {**database.facts, "user": role}
    return Server(facts, database.tools, password)


def open_to_owner(session: psycopg.Connection[Any], loader: Server, *, is_owner: bool) -> None:
    """
    Let the role make everything in the database, and hand it to whoever owned it.

    An owner must be allowed to make things in a schema to be given one there; rights come last in a dump.
    """
    role = loader.facts["user"]
    database = name(loader.database)
    if is_owner:
        execute(session, f"ALTER DATABASE {database} OWNER TO {role}")
    execute(session, f"GRANT CREATE, TEMPORARY ON DATABASE {database} TO PUBLIC")
    if session.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'public'").fetchone():
        session.execute("GRANT ALL ON SCHEMA public TO PUBLIC")
    execute(session, f"ALTER DEFAULT PRIVILEGES FOR ROLE {role} GRANT ALL ON SCHEMAS TO PUBLIC")
