"""
Loads a logical PostgreSQL set into a running server.

A database that holds something is never written to: the set is loaded into a new database beside it,
its rows are counted, and only then does the new one take the old one's name. What comes back is the same
database: its owner, the rights on it, its settings, locale and comment come from the set too.
"""

from __future__ import annotations

from airflow_backup.core.errors import ConfigError, EngineError, Refused, SourceDenied
from airflow_backup.engines.postgres.client.quoting import execute
from airflow_backup.engines.postgres.client.server import Server
from airflow_backup.engines.postgres.client.snapshot import count_rows
from airflow_backup.engines.postgres.dump import ARCHIVE
from airflow_backup.engines.postgres.load import search_paths
from airflow_backup.engines.postgres.load.counts import compare
from airflow_backup.engines.postgres.load.exchange import exchanged
from airflow_backup.engines.postgres.load.target import check_name, state_of
from airflow_backup.engines.postgres.load.whole import How, load_dump, remove_what_it_lacked
from airflow_backup.engines.postgres.properties.differences import differences
from airflow_backup.engines.postgres.properties.model import Properties, properties_in
from airflow_backup.engines.postgres.properties.reading import read_properties
from airflow_backup.engines.postgres.properties.statements import statements
from airflow_backup.engines.protocol import EngineContext, RestoreReport, SetReader

_TABLES_AT_ONCE = 200
_OLD = (
    "set '{set_id}' is of a release that did not store the database's owner, rights and settings: "
    "pg_restore --create of its dump shows them"
)


def load(
    reader: SetReader,
    context: EngineContext,
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
    found = context.connections(connection)
    server = Server.at(found, database or found.schema or reader.manifest.state.get("database"))
    check_name(server.database, reader.manifest.state.get("database"))
    wanted = properties_in(reader)
    state, has = state_of(server, wanted)
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
        written = _load_into_empty(reader, server, wanted, has, context, warnings)
    else:
        written = _load_beside(
            reader, server, wanted, context, warnings, replace=state != "missing"
        )
    return RestoreReport(files=1, bytes_written=written, warnings=warnings)


def _load_into_empty(
    reader: SetReader,
    server: Server,
    wanted: Properties | None,
    has: Properties,
    context: EngineContext,
    warnings: list[str],
) -> int:
    """Fill what is there in one transaction; where that fails for its order alone, make it anew in parts."""
    try:
        return _load_into(reader, server, wanted, context, warnings, how="whole")
    except EngineError as error:
        if not search_paths.may_help(error):
            raise
        try:
            return _load_beside(
                reader, server, wanted or has, context, warnings, replace=True, how="parts"
            )
        except SourceDenied as denied:
            hint = "a role that may create databases can load it in parts"
            raise EngineError(error.message, hint=hint) from denied


def _fits_a_transaction(reader: SetReader) -> bool:
    """Whether a server as it comes has locks enough for all that one transaction would make."""
    return ARCHIVE not in reader.manifest.streams and len(reader.manifest.counts) <= _TABLES_AT_ONCE


def _fits(has: Properties, wanted: Properties) -> bool:
    return (has.fixed, has.tablespace) == (wanted.fixed, wanted.tablespace)


def _load_beside(
    reader: SetReader,
    server: Server,
    wanted: Properties | None,
    context: EngineContext,
    warnings: list[str],
    *,
    replace: bool,
    how: How = "either",
) -> int:
    def fill(new: Server) -> int:
        return _load_into(reader, new, wanted, context, warnings, how=how)

    encoding = str(reader.manifest.state.get("encoding") or "UTF8")
    return exchanged(server, wanted, fill, warnings, encoding=encoding, replace=replace)


def _load_into(
    reader: SetReader,
    server: Server,
    wanted: Properties | None,
    context: EngineContext,
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
    context.reporter.begin("loading", bytes_total=reader.manifest.totals.bytes_read)
    # More than that go into a database of their own, which is removed again when something fails.
    at_once = _fits_a_transaction(reader)
    written = load_dump(reader, server, context, warnings=warnings, at_once=at_once, how=how)
    context.reporter.begin("counting")
    with server.session() as session:
        found = count_rows(session)
    compare(reader.manifest.counts, found, reader.manifest.set_id)
    if wanted is not None:
        warnings += _become(server, wanted)
    context.reporter.finish()
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
