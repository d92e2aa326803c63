"""
Loads a logical PostgreSQL set into a running server.

A database that holds something is never written to: the set is loaded into a new database beside it,
its rows are counted, and only then does the new one take the old one's name. What comes back is the same
database: its owner, the rights on it, its settings, locale and comment come from the set too.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import (
    ConfigError,
    EngineError,
    Refused,
    SourceDenied,
    SourceError,
    SourceUnavailable,
    VerifyError,
)
from airflow_backup.engines.postgres import parts
from airflow_backup.engines.postgres.client.server import Server, count_rows
from airflow_backup.engines.postgres.dump import ARCHIVE
from airflow_backup.engines.postgres.properties import (
    Properties,
    create_statement,
    differences,
    execute,
    name,
    properties_in,
    read_properties,
    roles_named,
    statements,
)
from airflow_backup.engines.postgres.whole import (
    MAKE_ROLES,
    How,
    load_dump,
    remove_what_it_lacked,
)
from airflow_backup.engines.protocol import RestoreReport, SetReader, Surroundings

if TYPE_CHECKING:
    import psycopg

__all__ = ["compare", "load", "load_dump", "named_as"]

_TRIES, _TABLES_AT_ONCE = 10, 200
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
_UNKNOWN_LOCALE = (
    "invalid locale name",
    "invalid LC_",
    "ICU is not supported",
    "could not open collator",
)


def load(
    reader: SetReader,
    around: Surroundings,
    *,
    connection: str,
    database: str | None,
    overwrite: bool,
) -> RestoreReport:
    """Load a set into a database of a running server, which is made when it is missing."""
    if reader.manifest.state.get("method") != "logical":
        raise ConfigError(
            "a physical set is a whole cluster and goes into no running server",
            hint="restore it to a folder, and start a server on that",
        )
    found = around.connections(connection)
    server = Server.at(found, database or found.schema or reader.manifest.state.get("database"))
    _check_name(server.database, reader.manifest.state.get("database"))
    wanted = properties_in(reader)
    state, has = _state_of(server, wanted)
    if state == "holds" and not overwrite:
        raise Refused(
            f"the database '{server.database}' is not empty",
            hint="name a new one, or say that it may be replaced",
        )
    warnings: list[str] = []
    if wanted is None:
        warnings.append(_OLD.format(set_id=reader.manifest.set_id))
    # An empty one is used as it is where it is of the same kind: the role may be allowed no other.
    fits = has is not None and (wanted is None or _fits(has, wanted))
    if has is not None and state == "empty" and fits and _fits_a_transaction(reader):
        written = _load_into_empty(reader, server, wanted, has, around, warnings)
    else:
        written = _load_beside(reader, server, wanted, around, warnings, replace=state != "missing")
    return RestoreReport(files=1, bytes_written=written, warnings=warnings)


def _check_name(database: str, own: object) -> None:
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


def _load_into_empty(
    reader: SetReader,
    server: Server,
    wanted: Properties | None,
    has: Properties,
    around: Surroundings,
    warnings: list[str],
) -> int:
    """Fill what is there in one transaction; where that fails for its order alone, make it anew in parts."""
    try:
        return _load_into(reader, server, wanted, around, warnings, how="whole")
    except EngineError as error:
        if not parts.may_help(error):
            raise
        try:
            return _load_beside(
                reader, server, wanted or has, around, warnings, replace=True, how="parts"
            )
        except SourceDenied as denied:
            hint = "a role that may create databases can load it in parts"
            raise EngineError(error.message, hint=hint) from denied


_OLD = (
    "set '{set_id}' is of a release that did not store the database's owner, rights and settings: "
    "pg_restore --create of its dump shows them"
)


def _fits_a_transaction(reader: SetReader) -> bool:
    """Whether a server as it comes has locks enough for all that one transaction would make."""
    return ARCHIVE not in reader.manifest.streams and len(reader.manifest.counts) <= _TABLES_AT_ONCE


def _fits(has: Properties, wanted: Properties) -> bool:
    return (has.fixed, has.tablespace) == (wanted.fixed, wanted.tablespace)


def _state_of(server: Server, wanted: Properties | None) -> tuple[str, Properties | None]:
    try:
        with server.session() as session:
            _check_server(session, wanted)
            holds = session.execute(_HOLDS.encode()).fetchone() is not None
            has = read_properties(session)
    except SourceUnavailable:
        raise
    except SourceError:
        return "missing", None
    return ("holds" if holds else "empty"), has


def _check_server(session: psycopg.Connection[Any], wanted: Properties | None) -> None:
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


def _desk(server: Server) -> Server:
    """Return a database of the server to work from, which is not the one that is made."""
    return server.other("postgres" if server.database != "postgres" else "template1")


def _load_beside(
    reader: SetReader,
    server: Server,
    wanted: Properties | None,
    around: Surroundings,
    warnings: list[str],
    *,
    replace: bool,
    how: How = "either",
) -> int:
    own, token = server.database, secrets.token_hex(4)
    new, old = f"restore_{token}", f"replaced_{token}"
    desk = _desk(server)
    with desk.session() as session:
        _check_server(session, wanted)
        warnings += _left_behind(session)
        _create(session, new, wanted, str(reader.manifest.state.get("encoding") or "UTF8"))
    try:
        written = _load_into(reader, server.other(new), wanted, around, warnings, how=how)
        _take_the_name(desk, own, new, old if replace else None)
    except BaseException:
        with desk.session() as session:
            _remove(session, new)
        raise
    if replace:
        warnings += _drop_old(desk, old)
    return written


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
        execute(session, f"CREATE DATABASE {name(new)} TEMPLATE template0 ENCODING '{encoding}'")
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


def _load_into(
    reader: SetReader,
    server: Server,
    wanted: Properties | None,
    around: Surroundings,
    warnings: list[str],
    *,
    how: How,
) -> int:
    """Fill an empty database, compare its rows with the manifest, and make it what it was."""
    if wanted is not None:
        _become(
            server, wanted, rehearsal=True
        )  # what is not allowed is said before hours of loading
        remove_what_it_lacked(server, wanted)
    around.reporter.begin("loading", bytes_total=reader.manifest.totals.bytes_read)
    # More than that go into a database of their own, which is removed again when something fails.
    at_once = _fits_a_transaction(reader)
    written = load_dump(reader, server, around, warnings=warnings, at_once=at_once, how=how)
    around.reporter.begin("counting")
    with server.session() as session:
        found = count_rows(session)
    compare(reader.manifest.counts, found, reader.manifest.set_id)
    if wanted is not None:
        warnings += _become(server, wanted)
    around.reporter.finish()
    return written


def _become(server: Server, wanted: Properties, *, rehearsal: bool = False) -> list[str]:
    """Make the database what it was, and return what it is not; asked here, because its settings may let nobody in."""
    import psycopg

    with server.connect() as session:
        try:
            for statement in statements(server.database, read_properties(session), wanted):
                execute(session, statement)
            differ = differences(read_properties(session), wanted)
        except psycopg.Error as error:
            why = str(error).strip().splitlines()[0]
            raise EngineError(
                f"the database cannot get its owner, rights and settings back: {why}",
                hint="load it as a superuser, or as a role that may do this",
            ) from error
        if rehearsal:
            session.rollback()
        else:
            session.commit()
    return differ


def compare(expected: Mapping[str, int], found: Mapping[str, int], set_id: str) -> None:
    """
    Raise VerifyError where a table has not the rows that it had.

    >>> compare({"public.a": 3}, {"public.a": 2}, "s")
    Traceback (most recent call last):
    airflow_backup.core.errors.VerifyError: 'public.a' has 2 rows, and in set 's' it had 3
    """
    found = named_as(expected, found)
    for table, rows in expected.items():
        if found.get(table) != rows:
            raise VerifyError(
                f"'{table}' has {found.get(table, 'no')} rows, and in set '{set_id}' it had {rows}"
            )


def named_as(expected: Mapping[str, int], found: Mapping[str, int]) -> dict[str, int]:
    """
    Return counts under the names that a set uses: which words need quotes differs from version to version.

    >>> named_as({"public.system_user": 1}, {'public."system_user"': 1, "public.b": 2})
    {'public.system_user': 1, 'public.b': 2}
    """
    names = {_unquoted(table): table for table in expected}
    return {names.get(_unquoted(table), table): rows for table, rows in found.items()}


def _unquoted(table: str) -> str:
    return re.sub(r'"([a-z_][a-z0-9_$]*)"', r"\1", table)
