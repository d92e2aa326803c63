"""
Asks the assertions of a restore test: as a role that may only read, in a transaction that may only read, for a time.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import VerifyError
from airflow_backup.engines.postgres.client.quoting import execute, literal
from airflow_backup.engines.postgres.client.server import Server
from airflow_backup.engines.shared.assertions import limit, shown, too_long

if TYPE_CHECKING:
    import psycopg

_MOST_TEMPORARY = "10GB"


def ask(server: Server, assertions: Sequence[str]) -> None:
    """
    Ask each assertion in the database of ``server``, where we are the superuser; VerifyError where one does not hold.

    The role that asks reads every row (`BYPASSRLS`), and may do nothing else.
    """
    if not assertions:
        return
    import psycopg

    asker = _make_asker(server)
    with asker.connect(autocommit=True) as session:
        session.execute("RESET search_path")  # they are written for the database as it is
        execute(session, f"SET statement_timeout TO {int(limit() * 1000)}")
        for text in assertions:
            try:
                row = _answer(session, text)
            except psycopg.errors.QueryCanceled as error:
                raise VerifyError(too_long(text)) from error
            except psycopg.Error as error:
                raise VerifyError(f"the assertion {text!r} fails: {error}") from error
            if row is None or row[0] is not True:
                answer = None if row is None else row[0]
                raise VerifyError(f"the assertion {text!r} does not hold: it gives {shown(answer)}")


def _answer(session: psycopg.Connection[Any], text: str) -> Any:
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    try:
        # Prepared: that takes one statement and no second one, which could end the transaction.
        return session.execute(text.encode(), prepare=True).fetchone()
    finally:
        session.execute("ROLLBACK")


def _make_asker(server: Server) -> Server:
    role, password = f"asker_{secrets.token_hex(6)}", secrets.token_hex(24)
    with server.session() as session:
        execute(
            session,
            f"CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE BYPASSRLS PASSWORD {literal(password)}",
        )
        if session.info.server_version >= 140000:
            execute(session, f"GRANT pg_read_all_data TO {role}")
        else:
            _grant_all(session, role)
        execute(session, f"ALTER ROLE {role} SET temp_file_limit TO '{_MOST_TEMPORARY}'")
        session.execute("SELECT 1")
    facts = {**server.facts, "user": role}
    return replace(server, facts=facts, password=password)


def _grant_all(session: psycopg.Connection[Any], role: str) -> None:
    rows = session.execute(
        "SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'"
    ).fetchall()
    for (schema,) in rows:
        execute(session, f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        execute(session, f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")
