"""Proves a set of an SQLite database: by its layout, and by a copy that SQLite itself looks through."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from airflow_backup.core.errors import VerifyError
from airflow_backup.core.manifest import Manifest
from airflow_backup.engines.protocol import Proof, SetReader, Surroundings
from airflow_backup.engines.scratch import check_room, scratch_folder
from airflow_backup.engines.sqlite_changes import CHANGES, STREAM, TABLE, size_of, write_database
from airflow_backup.engines.sqlite_open import prove
from airflow_backup.engines.sqlite_pages import ENTRY, GROUP

_MAGIC = b"SQLite format 3\0"


def check_layout(stored: SetReader) -> list[str]:
    """Look at the header of a database and at the sizes of streams, which follow from its pages."""
    manifest = stored.manifest
    page_size, pages = int(manifest.state["page_size"]), int(manifest.state["pages"])
    checks = ["the number of pages"]
    _expect(manifest, TABLE, -(-pages // GROUP) * ENTRY)
    if manifest.pieces_of(STREAM):
        _expect(manifest, STREAM, pages * page_size)
        if b"".join(stored.blocks(STREAM, 0, len(_MAGIC))) != _MAGIC:
            raise VerifyError(f"set '{manifest.set_id}' does not begin like an SQLite database")
        checks.append("the header of the database")
    else:
        _expect(manifest, CHANGES, int(manifest.state["changed"]) * (4 + page_size))
    return checks


def rebuilt(path: Sequence[SetReader], around: Surroundings) -> Proof:
    """Write the database that the sets make, compare its pages with their table, and examine it."""
    with scratch_folder(around.scratch) as folder:
        check_room(around.scratch, size_of(path))
        around.reporter.begin("decoding", bytes_total=size_of(path))
        copy = Path(folder) / "copy.sqlite"
        write_database(path, copy, around.reporter)
        return examined(copy, path[-1].manifest.set_id)


def examined(database: Path, set_id: str, assertions: Sequence[str] = ()) -> Proof:
    """Let SQLite look through a copy, and ask it what must be true."""
    what = f"the database of set '{set_id}'"
    counts = prove(database, what)
    address = f"file:{quote(str(database))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
            if found != ["ok"]:
                raise VerifyError(f"{what} is damaged: {'; '.join(found)}")
            for query in assertions:
                _assert(connection, query, what)
    except sqlite3.DatabaseError as error:
        raise VerifyError(f"{what}: {error}", hint="is the assertion right?") from error
    checks = ["integrity_check of a copy", f"the rows of {len(counts)} tables"]
    return Proof(counts=counts, checks=[*checks, *(f"assertion: {each}" for each in assertions)])


def _assert(connection: sqlite3.Connection, query: str, what: str) -> None:
    row = connection.execute(query).fetchone()
    if row is None or not row[0]:
        told = "no row" if row is None else repr(row[0])
        raise VerifyError(f"{what} does not hold the assertion {query!r}: {told}")


def _expect(manifest: Manifest, stream: str, size: int) -> None:
    found = sum(piece.raw_size for piece in manifest.pieces_of(stream))
    if found != size:
        raise VerifyError(
            f"{stream} of set '{manifest.set_id}' has {found} bytes, and {size} were expected"
        )
