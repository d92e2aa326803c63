"""What of a dump needs a search path, and which failures of pg_restore tell that."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import EngineError
from airflow_backup.engines.postgres.client.lacking import is_not_here
from airflow_backup.engines.postgres.client.quoting import name
from airflow_backup.engines.postgres.dump import GLOBALS
from airflow_backup.engines.postgres.properties.model import Properties
from airflow_backup.engines.postgres.properties.statements import setting_clause
from airflow_backup.engines.protocol import SetReader

if TYPE_CHECKING:
    import psycopg


DEFAULT_PATH = '"$user", public'


OWN_SCHEMA = ""
"""A function's own schema, before the default."""


_FROM = re.compile(r"pg_restore: from TOC entry (\d+); ")


_STAGE = re.compile(r"pg_restore: while ([A-Z ]+):")


_ERROR = re.compile(r"pg_restore: error: (.*)")


IGNORED = re.compile(r"pg_restore: warning: errors ignored on restore: \d+")


_BEFORE = re.compile(r"^(could not execute query: |COPY failed for table .*?: )?[A-Z]+: +")


_SQL = ("could not execute query", "COPY failed", "psql:<stdin>:")
"""How programs say that the server has refused a statement."""


_ROLE_PATH = re.compile(rb"^ALTER ROLE .* SET search_path TO (.*);$", re.MULTILINE)


_QUOTED = re.compile(r"'((?:[^']|'')*)'")


_ROUTINES = """
    SELECT format('ALTER ROUTINE %s', p.oid::regprocedure), quote_ident(n.nspname)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
    WHERE p.oid >= 16384 AND p.prokind IN ('f', 'p') AND l.lanname NOT IN ('c', 'internal')
      AND pg_has_role(p.proowner, 'USAGE')
      AND NOT EXISTS (SELECT 1 FROM unnest(p.proconfig) AS s (setting) WHERE setting ILIKE 'search_path=%')
    ORDER BY p.oid
"""


_COMPUTED = """
    SELECT format('SELECT 1 FROM ONLY %I.%I WHERE (%I)::text IS DISTINCT FROM (%s)::text LIMIT 1',
                  n.nspname, c.relname, a.attname, pg_get_expr(f.adbin, f.adrelid)), c.relname
    FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND a.attgenerated = 's'
    JOIN pg_class c ON c.oid = f.adrelid AND c.relkind = 'r' JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
                  AND d.refclassid = 'pg_proc'::regclass AND d.refobjid >= 16384)
"""


class TooEarly(EngineError):
    """Everything went in, and a column was computed from a table that had no rows yet."""


def routines_without_path(session: psycopg.Connection[Any]) -> list[tuple[bytes, bytes]]:
    """Return the functions that run with the search path of whoever calls them: how each is altered, and its schema."""
    rows = session.execute(_ROUTINES.encode()).fetchall()
    return [(raw_of(session, row[0]), raw_of(session, row[1])) for row in rows]


def give_path(
    session: psycopg.Connection[Any], routines: Sequence[tuple[bytes, bytes]], path: str | None
) -> None:
    """Give ``path`` to functions of `routines_without_path`; None takes it away: they are then as they were."""
    for altered, schema in routines:
        if path is None:
            session.execute(altered + b" RESET search_path")
            continue
        own = f"{schema.decode('utf-8', 'surrogateescape')}, {DEFAULT_PATH}"
        clause = setting_clause(f"search_path={own if path == OWN_SCHEMA else path}")
        session.execute(altered + b" SET " + clause.encode("utf-8", "surrogateescape"))


def may_help(error: EngineError) -> bool:
    """
    Whether a load that failed may go in part by part.

    >>> failed = "pg_restore failed with code 1: could not execute query: ERROR:  "
    >>> may_help(EngineError(failed + 'relation "a" does not exist'))
    True
    >>> may_help(EngineError(failed + 'role "a" does not exist'))
    False
    """
    if isinstance(error, TooEarly):
        return True
    return any(sign in error.message for sign in _SQL) and not is_not_here(error.message)


def check_computed(session: psycopg.Connection[Any]) -> None:
    """Raise TooEarly where a generated column is not what its function makes of all that is there now."""
    import psycopg

    for query, table in session.execute(_COMPUTED.encode()).fetchall():
        try:
            differs = session.execute(raw_of(session, query)).fetchone() is not None
        except psycopg.Error:
            differs = True
        if differs:
            told = raw_of(session, table).decode("utf-8", "backslashreplace")
            raise TooEarly(f"a column of '{told}' was computed from what was loaded later")


def failures(said: str, tried: Collection[int]) -> dict[int, str]:
    """
    Return the numbers of the entries that did not go in, and why; EngineError when it did not come to the end.

    >>> failures('''pg_restore: from TOC entry 7; 1259 16406 INDEX i me
    ... pg_restore: error: could not execute query: ERROR:  relation "a" does not exist
    ... pg_restore: warning: errors ignored on restore: 1''', {7, 8})
    {7: 'relation "a" does not exist'}
    """
    lines = said.splitlines()
    if not any(IGNORED.fullmatch(line) for line in lines):
        raise EngineError(f"pg_restore failed: {said.strip()}")
    found: dict[int, str] = {}
    current, starting = None, False
    for line in lines:
        if stage := _STAGE.fullmatch(line):
            starting = stage[1] == "INITIALIZING"  # a setting that an older server does not know
        elif (begun := _FROM.match(line)) and int(
            begun[1]
        ) in tried:  # a message may have such lines
            current, starting = int(begun[1]), False
            found[current] = "it was refused"
        elif (failed := _ERROR.fullmatch(line)) and not starting:
            if current is None:
                raise EngineError(f"pg_restore failed: {failed[1]}")
            if found[current] == "it was refused":
                found[current] = _BEFORE.sub("", failed[1])
    return found


def search_paths(reader: SetReader, wanted: Properties | None) -> list[str]:
    """
    Return the search paths that code of the database may have run with: likely ones first.

    The database's own, or the default; those of roles in it, and of roles anywhere; each function's own schema.
    """
    settings = wanted.settings if wanted is not None else []
    by_role = [(each.role, one) for each in settings for one in each.values]
    own = [one for role, one in by_role if role is None and one.lower().startswith("search_path=")]
    theirs = [
        one for role, one in by_role if role is not None and one.lower().startswith("search_path=")
    ]
    found = [one.partition("=")[2] for one in own] or [DEFAULT_PATH]
    found += [one.partition("=")[2] for one in theirs]
    text = b"".join(reader.blocks(GLOBALS)) if GLOBALS in reader.manifest.streams else b""
    for each in _ROLE_PATH.findall(text):
        items = _QUOTED.findall(each.decode("utf-8", "surrogateescape"))
        found.append(", ".join(name(item.replace("''", "'")) for item in items))
    return list(dict.fromkeys([*(each for each in found if each), DEFAULT_PATH, OWN_SCHEMA]))


def raw_of(session: psycopg.Connection[Any], value: str | bytes) -> bytes:
    """Return a text as the session's bytes: an encoding that converts to no other comes as such."""
    return value if isinstance(value, bytes) else value.encode(session.info.encoding)


def line_of(text: str) -> str:
    """Write a name as a table of contents does: in one line."""
    return re.sub(r"[\r\n]", " ", text)
