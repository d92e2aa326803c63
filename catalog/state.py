"""What a catalog is like, without changing it: its version, what is missing, what an upgrade would do."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.migrate import (
    HEAD,
    OF_ITS_OWN,
    REBUILD,
    known_versions,
    scripts,
    strangers,
    tables_of_ours,
    unknown,
    version_of,
    works_with,
)
from airflow_backup.catalog.structure import faults_of
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

    UNKNOWN = "unknown"
    """The version is one that no release has."""

    FOREIGN = "foreign"
    """There are tables with names of the catalog's, which do not say that they are a catalog's."""


_WITH_TABLES = (CatalogShape.CURRENT, CatalogShape.OLDER, CatalogShape.NEWER)
"""Of these it is known which tables there should be."""


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
            if version is not None and shape in _WITH_TABLES:
                damage = tuple(faults_of(connection, version))
            elif shape is CatalogShape.FOREIGN:
                damage = (strangers(tables_of_ours(connection)),)
        return _state(database, version, shape, damage=damage)
    finally:
        database.close()


def copy_file(file: Path, version: str | None) -> Path:
    """
    Copy a catalog in SQLite to a file beside it, wherever links lead, named after its version; never over another one.

    The copy has its name only when it is whole; what a killed one leaves is a folder that ends in `.part`.
    """
    file = file.resolve()
    target = file.with_name(f"{file.name}.before-{HEAD}-was-{version or 'none'}")
    if os.path.lexists(target):
        raise _is_there(target)
    try:
        # A folder: SQLite's journal lies beside the copy, and would be played back into the next one.
        with TemporaryDirectory(prefix=f"{target.name}.", suffix=".part", dir=file.parent) as part:
            whole = Path(part) / target.name
            whole.touch(mode=0o600)
            with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(whole)) as copy:
                source.backup(copy)
            _name(whole, target)
    except (sqlite3.Error, OSError) as error:
        raise CatalogError(
            f"the catalog '{file}' cannot be copied: {error}",
            hint=f"is there room in {file.parent}, and may this user write there? without a copy: --no-copy",
        ) from error
    return target


def _name(whole: Path, target: Path) -> None:
    try:
        os.link(whole, target)
    except FileExistsError:
        raise _is_there(target) from None
    except OSError:  # a file system without links
        whole.rename(target)


def _is_there(target: Path) -> CatalogError:
    return CatalogError(
        f"'{target}' is there already", hint="move it away; it is a copy of before an upgrade"
    )


def require_upgradable(state: CatalogState) -> None:
    """Raise what an upgrade cannot mend: no catalog at all, one of a version that is not known, or a damaged one."""
    if state.shape is CatalogShape.ABSENT:
        raise NotFound(
            f"there is no catalog at {state.name}",
            hint="the first backup makes it; is the address right?",
        )
    if state.version is not None and state.shape in (CatalogShape.TOO_NEW, CatalogShape.UNKNOWN):
        raise unknown(state.name, state.version)
    if state.damage:
        is_foreign = state.shape is CatalogShape.FOREIGN
        raise CatalogError(
            f"the catalog {state.name} is damaged: {'; '.join(state.damage[:5])}",
            hint=OF_ITS_OWN if is_foreign else REBUILD,
        )


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
        return CatalogShape.FOREIGN if tables_of_ours(connection) else CatalogShape.ABSENT
    if version in known_versions():
        return CatalogShape.OLDER
    if works_with(connection, version):
        return CatalogShape.NEWER
    return CatalogShape.TOO_NEW if version > HEAD else CatalogShape.UNKNOWN


def _steps(version: str | None) -> Iterator[Step]:
    """Yield the migrations after ``version``; the first line of each says what it is for."""
    for each in reversed(list(scripts().walk_revisions())):
        if version is None or each.revision > version:
            yield Step(version=each.revision, what=(each.doc or "").partition("\n")[0])
