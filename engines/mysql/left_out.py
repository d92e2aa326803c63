"""What a dump of MariaDB or MySQL does not hold, or not as it was: said in each set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_backup.engines.mysql.client.programs import told_by
from airflow_backup.engines.mysql.client.server import ask

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
_LOSSLESS = (
    *("utf8mb3", "utf8mb4", "utf8", "ucs2", "utf16", "utf16le", "utf32", "latin1", "latin2"),
    *("latin5", "cp850", "cp852", "cp866", "koi8r", "koi8u", "macroman", "macce", "keybcs2"),
)
"""Character sets of which each byte is a character, and each character one of Unicode's, there and back."""

_LETTERS = """
    SELECT c.table_schema, c.table_name, c.column_name FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.character_set_name IS NOT NULL AND t.table_type <> 'VIEW' AND c.table_schema IN ({})
    AND c.character_set_name NOT IN ({}) ORDER BY 1, 2, 3
"""
_AS_BYTES = (
    *("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "json", "enum", "set"),
    *("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit"),
    *("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double"),
    *("date", "time", "datetime", "timestamp", "year", "geometry", "point", "linestring"),
    *("polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection"),
)
"""
Types of which the server takes bytes for what it gave; of an INET6 or a UUID it gives words, and takes other bytes.
"""

_OTHERS = """
    SELECT c.table_schema, c.table_name, c.column_name FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE t.table_type <> 'VIEW' AND c.table_schema IN ({}) AND c.data_type NOT IN ({}) LIMIT 1
"""
_EMPTY_MEMBERS = """
    SELECT c.table_schema, c.table_name, c.column_name FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.data_type IN ('enum', 'set') AND t.table_type <> 'VIEW' AND c.table_schema IN ({})
    AND c.column_type REGEXP {} ORDER BY 1, 2, 3
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


def letters(session: pymysql.Connection[Any], names: Sequence[str]) -> list[str]:
    """Return columns whose bytes do not all survive the way to Unicode and back: those are dumped as bytes."""
    return [".".join(row) for row in _ask(session, _LETTERS, names, _LOSSLESS)]


def is_dumped_as_bytes(session: pymysql.Connection[Any], names: Sequence[str]) -> bool:
    """Whether a dump of bytes is wanted, and comes back as it was."""
    return bool(letters(session, names)) and not _ask(session, _OTHERS, names, _AS_BYTES)


def empty_members(session: pymysql.Connection[Any], names: Sequence[str]) -> list[str]:
    """Return a warning where a dump writes two values the same: an ENUM's empty member, and what is no member."""
    found = [".".join(row) for row in _ask(session, _EMPTY_MEMBERS, names, ["[(,]''[,)]"])]
    if not found:
        return []
    return [
        "in a dump the empty member of an ENUM or SET looks like no member, and comes back as one of them: "
        + shown(found)
    ]


def can_dump_history(program: str) -> bool:
    """Whether a dump program can write the history of versioned tables: MariaDB's from 10.11 on."""
    return b"--dump-history" in told_by([program, "--no-defaults", "--help"]).output


def shown(names: Sequence[str]) -> str:
    """Return some of many names in a sentence."""
    return ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")


def _ask(
    session: pymysql.Connection[Any], query: str, *lists: Sequence[str]
) -> list[tuple[str, ...]]:
    marks = (", ".join(["%s"] * len(each)) for each in lists)
    rows = ask(session, query.format(*marks), *(value for each in lists for value in each))
    return [tuple(map(str, row)) for row in rows]
