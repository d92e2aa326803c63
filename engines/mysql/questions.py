"""
Asks the assertions of a restore test: as a user who may only read, in a transaction that may only read, for a time.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import VerifyError
from airflow_backup.engines.mysql.client.programs import said
from airflow_backup.engines.mysql.client.server import Server, ask
from airflow_backup.engines.shared.assertions import limit, shown, too_long

if TYPE_CHECKING:
    import pymysql

_TIME_IS_UP = (1317, 1969, 3024)
"""MariaDB's and MySQL's numbers for a statement that was ended by its limit."""


def ask_all(server: Server, assertions: Sequence[str]) -> None:
    """
    Ask each assertion in the database of ``server``, where we may do everything; VerifyError where one does not hold.
    """
    if not assertions:
        return
    import pymysql

    with _asker(server).session() as session:
        for text in assertions:
            try:
                rows = _answer(session, text)
            except pymysql.Error as error:
                number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
                if number in _TIME_IS_UP:
                    raise VerifyError(too_long(text)) from None
                what = f"error {number}{said(number, str(error.args[-1]))}" if number else "?"
                raise VerifyError(f"the assertion {text!r} fails: {what}") from None
            answer = rows[0][0] if rows else None
            if answer != 1:
                raise VerifyError(f"the assertion {text!r} does not hold: it gives {shown(answer)}")


def _answer(session: pymysql.Connection[Any], text: str) -> Any:
    ask(session, f"SET SESSION max_statement_time = {limit()}")
    ask(session, "START TRANSACTION READ ONLY")
    try:
        return ask(session, text)  # one statement: the protocol takes no second one
    finally:
        ask(session, "ROLLBACK")


def _asker(server: Server) -> Server:
    """Make a user who may read everything, call functions, and nothing else."""
    user, password = f"asker_{secrets.token_hex(4)}", secrets.token_hex(16)
    who = f"{user}@localhost"
    with server.session() as session:
        ask(session, f"CREATE USER {who} IDENTIFIED BY '{password}'")
        ask(session, f"GRANT SELECT, EXECUTE, SHOW VIEW ON *.* TO {who}")
    return replace(server, user=user, password=password)
