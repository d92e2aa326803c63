"""Asks assertions of a copy of an SQLite database: they only read it, and come to an end."""

from __future__ import annotations

import re
import sqlite3
import time

from airflow_backup.core.errors import ConfigError, VerifyError
from airflow_backup.engines.shared.assertions import limit, shown, too_long

_OF_THE_APPLICATION = re.compile("(no such|unknown) (function|collation sequence|module)")
_READS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE)
_NO_FUNCTION = ("load_extension", "fts3_tokenizer", "writefile", "readfile", "edit")
_PRAGMAS = frozenset(
    (
        *(
            "application_id",
            "collation_list",
            "compile_options",
            "count_changes",
            "data_version",
            "database_list",
        ),
        *(
            "encoding",
            "foreign_key_check",
            "foreign_key_list",
            "freelist_count",
            "function_list",
            "index_info",
        ),
        *(
            "index_list",
            "index_xinfo",
            "integrity_check",
            "module_list",
            "page_count",
            "page_size",
            "pragma_list",
        ),
        *(
            "quick_check",
            "schema_version",
            "table_info",
            "table_list",
            "table_xinfo",
            "user_version",
        ),
    )
)
_SET_BY_A_VALUE = frozenset(
    ("application_id", "page_size", "schema_version", "user_version", "encoding")
)
_SCHEMA = ("sqlite_master", "sqlite_temp_master")
_MORE = "the assertion {query!r} does more than read: {error}"
_STEPS = 10_000


def ask(connection: sqlite3.Connection, query: str, what: str) -> None:
    """Raise VerifyError where ``query`` does not hold, does more than read, or does not come to an end."""
    end = time.monotonic() + limit()
    connection.set_authorizer(_only_reading)
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        row = connection.execute(query).fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            raise VerifyError(f"{what}: {too_long(query)}") from error
        if _OF_THE_APPLICATION.match(str(error)):
            raise ConfigError(
                f"the assertion {query!r} cannot be asked here: {error}",
                hint="ask something that SQLite alone can answer",
            ) from error
        if "not authorized" in str(error):
            raise VerifyError(f"{what}: {_MORE.format(query=query, error=error)}") from error
        raise VerifyError(f"{what}: {error}", hint="is the assertion right?") from error
    except sqlite3.DatabaseError as error:
        if getattr(
            error, "sqlite_errorcode", None
        ) != sqlite3.SQLITE_AUTH and "authorized" not in str(error):
            if not isinstance(error, sqlite3.ProgrammingError):
                raise
            raise VerifyError(
                f"{what}: the assertion {query!r} is not one question: {error}"
            ) from error
        raise VerifyError(
            f"{what}: the assertion {query!r} does more than read: {error}"
        ) from error
    except sqlite3.Warning as error:  # more than one statement
        raise VerifyError(
            f"{what}: the assertion {query!r} is not one question: {error}"
        ) from error
    finally:
        connection.set_progress_handler(None, 0)
        connection.set_authorizer(None)
    if row is None or not row[0]:
        told = "no row" if row is None else shown(row[0])
        raise VerifyError(f"{what} does not hold the assertion {query!r}: {told}")


def _only_reading(
    action: int, one: str | None, other: str | None, database: str | None, trigger: str | None
) -> int:
    if action in _READS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_UPDATE and one in _SCHEMA:
        return (
            sqlite3.SQLITE_OK
        )  # a virtual table is opened; a statement that says so is refused by SQLite itself
    if action == sqlite3.SQLITE_FUNCTION and (other or "").lower() not in _NO_FUNCTION:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA:
        name = (one or "").lower()
        if name in _PRAGMAS and (other is None or name not in _SET_BY_A_VALUE):
            return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
