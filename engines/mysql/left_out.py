"""What a dump of MariaDB or MySQL does not hold, or not as it was: said in each set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_backup.engines.mysql.client.server import ask, told_by

if TYPE_CHECKING:
    import pymysql

ALWAYS = (
    "users, roles and grants",
    "the server's own databases and settings",
)
_VERSIONED = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_type = 'SYSTEM VERSIONED' AND table_schema IN ({}) ORDER BY 1, 2
"""
_FLOATS = """
    SELECT c.table_schema, c.table_name, c.column_name FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.data_type = 'float' AND t.table_type <> 'VIEW' AND c.table_schema IN ({}) ORDER BY 1, 2, 3
"""
_SHOWN = 20


def versioned(session: pymysql.Connection[Any], names: Sequence[str]) -> list[str]:
    """Return the tables that keep their history."""
    return [".".join(row) for row in _ask(session, _VERSIONED, names)]


def floats(session: pymysql.Connection[Any], names: Sequence[str]) -> list[str]:
    """Return a warning where columns lose digits in any dump: the programs write six of a FLOAT."""
    found = [".".join(row) for row in _ask(session, _FLOATS, names)]
    if not found:
        return []
    columns = f"{shown(found)} (DOUBLE and DECIMAL are whole, and so is a physical set)"
    return [f"a dump has six digits of a FLOAT, and the server keeps more: {columns}"]


def can_dump_history(program: str) -> bool:
    """Whether a dump program can write the history of versioned tables: MariaDB's from 10.11 on."""
    return b"--dump-history" in told_by([program, "--no-defaults", "--help"]).output


def shown(names: Sequence[str]) -> str:
    """Return some of many names in a sentence."""
    return ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")


def _ask(
    session: pymysql.Connection[Any], query: str, names: Sequence[str]
) -> list[tuple[str, ...]]:
    rows = ask(session, query.format(", ".join(["%s"] * len(names))), *names)
    return [tuple(map(str, row)) for row in rows]
