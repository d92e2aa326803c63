"""
Brings the catalog's tables to the shape that this release knows.

Opening an up-to-date catalog costs one SELECT and does not load Alembic. An upgrade runs in one
transaction behind a lock, so of two processes that open an old catalog, one upgrades and the
other finds it done.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from airflow_backup.catalog import tables  # noqa: F401 -- metadata knows the tables that are imported
from airflow_backup.catalog.columns import metadata
from airflow_backup.catalog.database import Database
from airflow_backup.catalog.notices import tables as notices  # noqa: F401 -- as above
from airflow_backup.core.errors import CatalogError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

HEAD = "0011"
VERSION_TABLE = "airflow_backup_version"
_LOCK = 0x6261636B7570  # any number that nobody else locks: "backup" in ASCII


def upgrade(database: Database) -> None:
    """Upgrade when needed; CatalogError when a newer release made the catalog."""
    with database.reading() as connection:
        if _version(connection) == HEAD:
            return
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        version = _version(connection)
        if version is None and not inspect(connection).has_table("executions"):
            _make(connection)
        elif version != HEAD:
            _run(connection, version, database.name)


def scripts() -> ScriptDirectory:
    """Return the migrations of this package."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    # A % in the path of the package would be read as the start of a placeholder.
    folder = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return ScriptDirectory.from_config(config)


def _version(connection: Connection) -> str | None:
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
            f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
            f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(
        text(f"INSERT INTO {VERSION_TABLE} VALUES (:version)"),  # noqa: S608 -- a constant
        {"version": HEAD},
    )


def _run(connection: Connection, version: str | None, name: str) -> None:
    from alembic.runtime.migration import MigrationContext

    directory = scripts()
    if version is not None and version not in {
        each.revision for each in directory.walk_revisions()
    }:
        raise CatalogError(
            f"the catalog {name} has version {version}, and this release knows {HEAD}",
            hint="which release made it? install that one or a newer one",
        )
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
