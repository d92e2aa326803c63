"""What the tables of each version are made of, and where a catalog differs from that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, create_engine, inspect

from airflow_backup.catalog.changes import triggers, triggers_in
from airflow_backup.catalog.columns import metadata
from airflow_backup.catalog.migrate import HEAD, VERSION_TABLE, known_versions, migrate_to

_NOTES_CHANGES = "0014"
"""The version from which on the database notes what changes."""


@dataclass(frozen=True, slots=True)
class Table:
    """The names of a table's columns and indexes."""

    columns: frozenset[str]
    indexes: frozenset[str]


def faults_of(connection: Connection, version: str) -> Iterator[str]:
    """
    Yield what is missing in the tables of ``version``, and what an upgrade would find made already.

    Of a version that this release does not know, only what this release needs is asked for.
    """
    is_older = version != HEAD and version in known_versions()
    expected = _of_version(version) if is_older else _known()
    present = _tables_in(connection)
    yield from _missing(expected, present)
    if is_older:
        yield from _early(expected, present)
    if not is_older or version >= _NOTES_CHANGES:
        lacking = triggers(connection.dialect.name).keys() - triggers_in(connection)
        yield from (f"the trigger {name} is missing, or switched off" for name in sorted(lacking))
    if connection.dialect.name == "sqlite":
        told = connection.exec_driver_sql("PRAGMA quick_check").scalars().all()
        yield from (str(each) for each in told if each != "ok")


def _missing(expected: Mapping[str, Table], present: Mapping[str, Table]) -> Iterator[str]:
    for name, table in expected.items():
        if name not in present:
            yield f"the table {name} is missing"
            continue
        if columns := table.columns - present[name].columns:
            yield f"the table {name} lacks {', '.join(sorted(columns))}"
        for index in sorted(table.indexes - present[name].indexes):
            yield f"the table {name} lacks the index {index}"


def _early(expected: Mapping[str, Table], present: Mapping[str, Table]) -> Iterator[str]:
    for name, table in _known().items():
        if name not in present:
            continue
        if name not in expected:
            yield f"the table {name} is there already, which a later version makes"
        elif columns := table.columns & present[name].columns - expected[name].columns:
            yield f"the table {name} has {', '.join(sorted(columns))} already, which a later version adds"


def _known() -> dict[str, Table]:
    """Return the tables of the newest version that this release knows."""
    known = {
        table.name: Table(
            frozenset(column.name for column in table.columns),
            frozenset(str(index.name) for index in table.indexes),
        )
        for table in metadata.sorted_tables
    }
    return known | {VERSION_TABLE: Table(frozenset({"version_num", "works_from"}), frozenset())}


def _of_version(version: str) -> dict[str, Table]:
    """Return the tables of a version as its migrations make them, in a database in memory."""
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            migrate_to(connection, version)
            return _tables_in(connection)
    finally:
        engine.dispose()


def _tables_in(connection: Connection) -> dict[str, Table]:
    found = inspect(connection)
    return {
        name: Table(
            frozenset(column["name"] for column in found.get_columns(name)),
            frozenset(str(index["name"]) for index in found.get_indexes(name)),
        )
        for name in found.get_table_names()
        if name in metadata.tables or name == VERSION_TABLE
    }
