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
from airflow_backup.catalog.columns import metadata
from airflow_backup.catalog.database import Database
from airflow_backup.catalog.notices import tables as notices  # noqa: F401 -- as above
from airflow_backup.core.errors import CatalogError, CatalogUnavailable

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

HEAD = "0012"
WORKS_FROM = "0012"
"""Releases that know this version can work with the tables of ``HEAD``; migrations after it only add."""

VERSION_TABLE = "airflow_backup_version"
_LOCK = 0x6261636B7570  # any number that nobody else locks: "backup" in ASCII
_LOCK_TIMEOUT = 500
"""
Milliseconds that an upgrade waits for tables that are in use: all others queue up behind it meanwhile.

Less than the second after which PostgreSQL looks for deadlocks, and ends a transaction that may be a backup's.
"""

_TRIES, _PAUSE = 30, 1.0
"""How often, and after how many seconds, the tables are asked for again."""

_IN_USE = ("lock timeout", "deadlock detected")


def upgrade(database: Database) -> None:
    """Upgrade when needed; CatalogError when a newer release made the catalog, and it does not work with this one."""
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
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        version = version_of(connection)
        if version is None and not inspect(connection).has_table("executions"):
            _make(connection)
        elif version != HEAD and not works_with(connection, version):
            if not database.is_sqlite:
                _lock_tables(connection)
            _run(connection, version, database.name)


def _lock_tables(connection: Connection) -> None:
    """Take all tables at once, or give up soon: who has some and waits for others blocks who waits for these."""
    known = {*metadata.tables, VERSION_TABLE} & set(inspect(connection).get_table_names())
    connection.execute(text(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT}"))
    connection.execute(text(f"LOCK TABLE {', '.join(sorted(known))} IN ACCESS EXCLUSIVE MODE"))


def works_with(connection: Connection, version: str | None) -> bool:
    """Whether a newer release made the tables, and says that this one can work with them."""
    if version is None or version <= HEAD:
        return False
    works_from = connection.scalar(
        text(f"SELECT works_from FROM {VERSION_TABLE}")  # noqa: S608 -- a constant
    )
    return works_from is not None and works_from <= HEAD


def too_new(name: str, version: str | None) -> CatalogError:
    """Return the error for a catalog whose tables this release does not know."""
    return CatalogError(
        f"the catalog {name} has version {version}, this release knows {HEAD}, and does not work with it",
        hint="which release made it? install that one or a newer one",
    )


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


def _run(connection: Connection, version: str | None, name: str) -> None:
    from alembic.runtime.migration import MigrationContext

    directory = scripts()
    if version is not None and version not in {
        each.revision for each in directory.walk_revisions()
    }:
        raise too_new(name, version)
    context = MigrationContext.configure(
        connection,
        opts={
            "version_table": VERSION_TABLE,
            "fn": lambda current, _: directory._upgrade_revs(HEAD, current),
        },
    )
    from alembic.operations import Operations

    with Operations.context(context):
        context.run_migrations()
    connection.execute(
        text(f"UPDATE {VERSION_TABLE} SET works_from = :works_from"),  # noqa: S608 -- a constant
        {"works_from": WORKS_FROM},
    )
