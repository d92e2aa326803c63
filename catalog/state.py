"""What a catalog is like, without changing it: its version, what is missing, what an upgrade would do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, Inspector, inspect

from airflow_backup.catalog.columns import metadata
from airflow_backup.catalog.database import Database
from airflow_backup.catalog.migrate import HEAD, scripts, too_new, version_of, works_with
from airflow_backup.core.errors import CatalogError, NotFound


class CatalogShape(StrEnum):
    """How the tables of a catalog relate to this release."""

    ABSENT = "absent"
    """There are no tables yet; the first backup makes them."""

    CURRENT = "current"
    OLDER = "older"
    """An upgrade is needed, which the next process that opens the catalog does."""

    NEWER = "newer"
    """A newer release made the tables, and this one works with them."""

    TOO_NEW = "too new"
    """A newer release made the tables, and this one does not work with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of the tables that an upgrade makes."""

    version: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogState:
    """What a look at a catalog found."""

    name: str
    """Its address, without a password."""

    version: str | None
    shape: CatalogShape
    steps: tuple[Step, ...]
    """What an upgrade would do, in this order."""

    damage: tuple[str, ...]
    """What is broken or missing in tables that should be whole."""

    file: Path | None
    """Where a catalog in SQLite lies; None for one on a server, or in memory."""

    @property
    def is_well(self) -> bool:
        """Whether this release works with the catalog as it is."""
        return not self.damage and self.shape in (CatalogShape.CURRENT, CatalogShape.NEWER)


def _file_of(database: Database) -> Path | None:
    kept = database.url.database
    return Path(kept) if database.is_sqlite and kept not in (None, "", ":memory:") else None


def state_of(url: str) -> CatalogState:
    """Look at the catalog at a SQLAlchemy URL; makes no file, and CatalogError says what cannot be reached."""
    database = Database(url, make=False)
    try:
        file = _file_of(database)
        if file is not None and not file.exists():
            return _state(database, None, CatalogShape.ABSENT)
        with database.reading() as connection:
            version = version_of(connection)
            shape = _shape_of(connection, version)
            damage: tuple[str, ...] = ()
            if shape in (CatalogShape.CURRENT, CatalogShape.NEWER):
                damage = tuple(_damage(connection, is_sqlite=database.is_sqlite))
        return _state(database, version, shape, damage=damage)
    finally:
        database.close()


def copy_file(file: Path, version: str | None) -> Path:
    """Copy a catalog in SQLite to a file beside it that is named after its version; never over another one."""
    target = file.with_name(f"{file.name}.before-{HEAD}-was-{version or 'none'}")
    try:
        target.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise CatalogError(
            f"'{target}' is there already", hint="move it away; it is a copy of before an upgrade"
        ) from None
    try:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    except sqlite3.Error as error:
        target.unlink()
        raise CatalogError(f"the catalog '{file}' cannot be copied: {error}") from error
    return target


def require_known(state: CatalogState) -> None:
    """Raise what an upgrade cannot mend: no catalog at all, or one of a newer release."""
    if state.shape is CatalogShape.ABSENT:
        raise NotFound(
            f"there is no catalog at {state.name}",
            hint="the first backup makes it; is the address right?",
        )
    if state.shape is CatalogShape.TOO_NEW:
        raise too_new(state.name, state.version)


def _state(
    database: Database,
    version: str | None,
    shape: CatalogShape,
    *,
    damage: tuple[str, ...] = (),
) -> CatalogState:
    steps = tuple(_steps(version)) if shape is CatalogShape.OLDER else ()
    return CatalogState(
        name=database.name,
        version=version,
        shape=shape,
        steps=steps,
        damage=damage,
        file=_file_of(database),
    )


def _shape_of(connection: Connection, version: str | None) -> CatalogShape:
    if version == HEAD:
        return CatalogShape.CURRENT
    if version is None:
        is_old = inspect(connection).has_table("executions")
        return CatalogShape.OLDER if is_old else CatalogShape.ABSENT
    if works_with(connection, version):
        return CatalogShape.NEWER
    return CatalogShape.TOO_NEW if version > HEAD else CatalogShape.OLDER


def _steps(version: str | None) -> Iterator[Step]:
    """Yield the migrations after ``version``; the first line of each says what it is for."""
    for each in reversed(list(scripts().walk_revisions())):
        if version is None or each.revision > version:
            yield Step(version=each.revision, what=(each.doc or "").partition("\n")[0])


def _damage(connection: Connection, *, is_sqlite: bool) -> Iterator[str]:
    found = inspect(connection)
    present = set(found.get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in present:
            yield f"the table {table.name} is missing"
        elif missing := _missing_columns(found, table.name):
            yield f"the table {table.name} lacks {', '.join(missing)}"
    if is_sqlite:
        told = connection.exec_driver_sql("PRAGMA quick_check").scalars().all()
        yield from (str(each) for each in told if each != "ok")


def _missing_columns(found: Inspector, table: str) -> list[str]:
    present = {each["name"] for each in found.get_columns(table)}
    return [column.name for column in metadata.tables[table].columns if column.name not in present]
