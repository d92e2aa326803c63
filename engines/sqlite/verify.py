"""Proves a set of an SQLite database: by its layout, and by a copy that SQLite itself looks through."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from airflow_backup.core.errors import VerifyError
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.engines.protocol import EngineContext, SetReader, VerificationReport
from airflow_backup.engines.shared.scratch import check_room, scratch_folder
from airflow_backup.engines.sqlite.dump import (
    CHANGES,
    STREAM,
    TABLE,
    entries_of,
    pages_of,
    size_of,
    write_database,
)
from airflow_backup.engines.sqlite.open import look_through, telling_damage
from airflow_backup.engines.sqlite.pages import (
    CHECKSUM,
    ENTRY,
    GROUP,
    checksum_at,
    page_checksum,
)
from airflow_backup.engines.sqlite.questions import ask

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


def rebuilt(chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
    """Write the database that the sets make, compare its pages with their table, and examine it."""
    with scratch_folder(context.scratch) as folder:
        check_room(context.scratch, size_of(chain))
        context.reporter.begin("decoding", bytes_total=size_of(chain))
        copy = Path(folder) / "copy.sqlite"
        write_database(chain, copy, context.reporter)
        return examined(copy, chain[-1].manifest.set_id)


def examined(database: Path, set_id: str, assertions: Sequence[str] = ()) -> VerificationReport:
    """Let SQLite look through a copy, and ask it what must be true."""
    what = f"the database of set '{set_id}'"
    looked = look_through(database, what, check="integrity_check")
    address = f"file:{quote(str(database))}?mode=ro&immutable=1"
    with telling_damage(what), closing(sqlite3.connect(address, uri=True)) as connection:
        for query in assertions:
            ask(connection, query, what)
    checks = [
        "integrity_check of a copy",
        f"the rows of {len(looked.counts)} tables",
        *looked.notes,
    ]
    return VerificationReport(
        counts=looked.counts,
        uncounted=looked.uncounted,
        checks=[*checks, *(f"assertion: {each}" for each in assertions)],
    )


def check_chain(chain: Sequence[SetReader]) -> list[str]:
    """
    See that the changed pages of the last set, on the one below it, make the pages that its table lists.

    Read are what changed and both tables, not the database: the pages that the tables tell apart must be
    there, with the content that the table says, in order and within the database.
    """
    last = chain[-1]
    checks = check_layout(last)
    if len(chain) == 1:
        return checks
    page_size, pages = int(last.manifest.state["page_size"]), int(last.manifest.state["pages"])
    own, before = _PageTable(last), _PageTable(chain[-2])
    at = 0
    for number, content in pages_of(last.blocks(CHANGES), page_size):
        own.check_unchanged(at, number - 1, before, last)
        if not at < number <= pages:
            raise VerifyError(f"set '{last.manifest.set_id}' has page {number} out of order")
        if own.checksum(number) != page_checksum(content):
            raise VerifyError(f"page {number} of set '{last.manifest.set_id}' is not what was read")
        at = number
    own.check_unchanged(at, pages, before, last)
    _check_groups(last, chain[-2])
    return [*checks, "the changed pages against both tables of pages"]


def _check_groups(last: SetReader, below: SetReader) -> None:
    """
    See that the checksum of a group of pages changed where one of theirs did, and nowhere else.

    The next set takes a group whose checksum is the same for unchanged, and looks at none of its pages.
    """
    before = entries_of(below.blocks(TABLE))
    for number, entry in enumerate(entries_of(last.blocks(TABLE)), start=1):
        known = next(before, b"")
        if (entry[:CHECKSUM] == known[:CHECKSUM]) != (entry[CHECKSUM:] == known[CHECKSUM:]):
            raise VerifyError(
                f"group {number} of the pages of set '{last.manifest.set_id}' has another checksum "
                "than its pages"
            )


class _PageTable:
    """The checksums of all pages of a set, in order."""

    def __init__(self, stored: SetReader) -> None:
        self._entries = entries_of(stored.blocks(TABLE))
        self._pages = int(stored.manifest.state["pages"])
        self._group, self._entry = -1, b""

    def checksum(self, number: int) -> bytes:
        """Return the checksum of a page, counted from 1; pages are asked for in order."""
        group, index = divmod(number - 1, GROUP)
        while self._group < group:
            self._entry = next(self._entries, b"").ljust(ENTRY, b"\0")
            self._group += 1
        return checksum_at(self._entry, index) if number <= self._pages else bytes(CHECKSUM)

    def check_unchanged(self, after: int, last: int, before: _PageTable, stored: SetReader) -> None:
        """Raise where a page from ``after`` + 1 to ``last`` is another one than before."""
        for number in range(after + 1, last + 1):
            if self.checksum(number) != before.checksum(number):
                raise VerifyError(
                    f"page {number} changed since the set below '{stored.manifest.set_id}', "
                    "and is not in it"
                )


def _expect(manifest: Manifest, stream: str, size: int) -> None:
    found = sum(piece.raw_size for piece in manifest.pieces_of(stream))
    if found != size:
        raise VerifyError(
            f"{stream} of set '{manifest.set_id}' has {found} bytes, and {size} were expected"
        )
