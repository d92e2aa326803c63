"""
Brings the catalog's tables to the shape that this release knows.

Opening an up-to-date catalog costs one SELECT and does not load Alembic. An upgrade runs in one
transaction behind a lock, so of two processes that open an old catalog, one upgrades and the
other finds it done.

Releases change tables in two steps: one only adds (tables, columns that may be empty), a later one takes away
what nobody uses any more. Beside the version the catalog says from which version on releases can work with it, so
processes of the release before go on while this one upgrades, and as long as they like.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from airflow_backup.catalog import tables  # noqa: F401 -- metadata knows the tables that are imported
from airflow_backup.catalog.changes import note_changes
from airflow_backup.catalog.columns import metadata
from airflow_backup.catalog.database import Database
from airflow_backup.catalog.notices import tables as notices  # noqa: F401 -- as above
from airflow_backup.core.errors import CatalogError, CatalogUnavailable

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

HEAD = "0015"
WORKS_FROM = "0012"
"""Releases that know this version can work with the tables of ``HEAD``; migrations after it only add."""

VERSION_TABLE = "airflow_backup_version"
_LOCK = 0x6261636B7570  # any number that nobody else locks: "backup" in ASCII
_LOCK_TIMEOUT = 500
"""
Milliseconds that an upgrade waits for tables that are in use: all others queue up behind it meanwhile.

Less than the second after which PostgreSQL looks for deadlocks, and ends a transaction that may be a backup's.
"""

_TURN_TIMEOUT = 20_000
"""Milliseconds that an upgrade waits for another one, before it asks again."""

_NOT_OURS = ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout")
"""
Settings of the server, the database or the role that may be right for queries, and would end an upgrade that is whole
or not at all: it would fail in the same way each time. Older servers do not know all of them.
"""

_TRIES, _PAUSE = 30, 1.0
"""How often, and after how many seconds, the tables are asked for again."""

REBUILD = "restore it from a copy, or move it away and rebuild it: airflow-backup sync"
OF_ITS_OWN = "give the catalog a database, or a schema, of its own"
"""What to do about a catalog that somebody changed, and about a database that is none."""

_IN_USE = ("lock timeout", "deadlock detected")


def upgrade(database: Database) -> None:
    """Upgrade when needed; CatalogError when the tables are none of a catalog that this release works with."""
    with database.reading() as connection:
        version = version_of(connection)
        if version == HEAD or works_with(connection, version):
            return
    for turn in range(_TRIES):
        try:
            _upgrade(database)
            return
        except CatalogUnavailable as error:
            if turn + 1 == _TRIES or not any(sign in error.message for sign in _IN_USE):
                raise
            time.sleep(_PAUSE)


def _upgrade(database: Database) -> None:
    with database.writing() as connection:
        if not database.is_sqlite:
            _take_turn(connection)
        version = version_of(connection)
        if version is None:
            if found := tables_of_ours(connection):
                raise CatalogError(f"in {database.name} {strangers(found)}", hint=OF_ITS_OWN)
            _make(connection)
        elif version != HEAD and not works_with(connection, version):
            if version not in known_versions():
                raise unknown(database.name, version)
            if not database.is_sqlite:
                _lock_tables(connection)
            _run(connection)


def _take_turn(connection: Connection) -> None:
    """Wait until no other upgrade is at work; and let the limits of this transaction be our own."""
    known = "SELECT set_config(name, '0', true) FROM pg_settings WHERE name = ANY(:names)"
    connection.execute(text(known), {"names": list(_NOT_OURS)})
    connection.execute(text(f"SET LOCAL lock_timeout = {_TURN_TIMEOUT}"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _lock_tables(connection: Connection) -> None:
    """Take all tables at once, or give up soon: who has some and waits for others blocks who waits for these."""
    connection.execute(text(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT}"))
    known = ", ".join(tables_of_ours(connection))
    connection.execute(text(f"LOCK TABLE {known} IN ACCESS EXCLUSIVE MODE"))


def works_with(connection: Connection, version: str | None) -> bool:
    """Whether a newer release made the tables, and says that this one can work with them."""
    if version is None or version <= HEAD:
        return False
    columns = {each["name"] for each in inspect(connection).get_columns(VERSION_TABLE)}
    if "works_from" not in columns:
        return False
    works_from = connection.scalar(
        text(f"SELECT works_from FROM {VERSION_TABLE}")  # noqa: S608 -- a constant
    )
    return bool(works_from) and works_from <= HEAD


def tables_of_ours(connection: Connection) -> list[str]:
    """Return the tables that have a name of the catalog's, whoever made them; in order of their names."""
    return sorted({*metadata.tables, VERSION_TABLE} & set(inspect(connection).get_table_names()))


def strangers(names: list[str]) -> str:
    """Say of tables with our names, in a database that says no version, that they are no catalog's."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"there are tables named {', '.join(names[:5])}{more}, which do not say that they are a catalog's"


def unknown(name: str, version: str) -> CatalogError:
    """Return the error for a catalog of a version that this release does not know."""
    if version <= HEAD:
        return CatalogError(
            f"the catalog {name} has version '{version}', which no release has",
            hint=REBUILD,
        )
    return CatalogError(
        f"the catalog {name} has version {version}, this release knows {HEAD}, and does not work with it",
        hint="which release made it? install that one or a newer one",
    )


def known_versions() -> frozenset[str]:
    """Return the versions for which this release has a migration."""
    return frozenset(each.revision for each in scripts().walk_revisions())


def scripts() -> ScriptDirectory:
    """Return the migrations of this package."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    # A % in the path of the package would be read as the start of a placeholder.
    folder = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return ScriptDirectory.from_config(config)


def version_of(connection: Connection) -> str | None:
    """Return the version of the tables; None where there are none, or none of ours."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.scalar(
        text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 -- a constant
    )
    return found


def _make(connection: Connection) -> None:
    """Make the tables of a new catalog at once: what migrations would come to, as a test holds."""
    metadata.create_all(connection)
    note_changes(connection)
    connection.execute(
        text(
            f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, works_from VARCHAR(32), "
            f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(
        text(f"INSERT INTO {VERSION_TABLE} VALUES (:version, :works_from)"),  # noqa: S608 -- a constant
        {"version": HEAD, "works_from": WORKS_FROM},
    )


def _run(connection: Connection) -> None:
    migrate_to(connection, HEAD)
    connection.execute(
        text(f"UPDATE {VERSION_TABLE} SET works_from = :works_from"),  # noqa: S608 -- a constant
        {"works_from": WORKS_FROM},
    )


def migrate_to(connection: Connection, version: str) -> None:
    """Run the migrations from what the tables are up to ``version``, in the transaction of ``connection``."""
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    directory = scripts()
    context = MigrationContext.configure(
        connection,
        opts={
            "version_table": VERSION_TABLE,
            "fn": lambda current, _: directory._upgrade_revs(version, current),
        },
    )
    with Operations.context(context):
        context.run_migrations()
