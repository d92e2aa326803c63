"""Names and texts as PostgreSQL reads them, quoted; also where they are bytes that are no text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import EngineError

if TYPE_CHECKING:
    import psycopg


def name(text: str) -> str:
    """
    Quote a name.

    >>> name('a"b')
    '"a""b"'
    """
    return '"' + _whole(text).replace('"', '""') + '"'


def literal(text: str) -> str:
    """
    Quote a text.

    >>> literal("it's"), literal("a\\\\b")
    ("'it''s'", " E'a\\\\\\\\b'")
    """
    quoted = _whole(text).replace("'", "''")
    return f"'{quoted}'" if "\\" not in text else " E'" + quoted.replace("\\", "\\\\") + "'"


def _whole(text: str) -> str:
    if "\0" in text:
        raise EngineError("a name with a zero byte cannot be PostgreSQL's")
    return text


def execute(session: psycopg.Connection[Any], statement: str) -> None:
    """Run a statement whose parts are quoted, also where names are bytes that are no text."""
    session.execute(statement.encode("utf-8", "surrogateescape"))
