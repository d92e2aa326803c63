"""
Where each page of a pinned snapshot lies: in the database file, or in the write-ahead log.

While a read transaction is open, SQLite itself keeps both from being overwritten: with a rollback
journal nobody may write to the file; with a log, nobody may copy frames newer than the snapshot
into the file, nor start the log over. What the snapshot is, the index of the log says; when it
says the same before and after the transaction began, it is ours.

Only for a process that does nothing else: it leaves descriptors open.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from airflow_backup.core.errors import EngineError, SourceLocked

_HEADER, _FRAME_HEADER = 32, 24
_INDEX_HEADER = 48
_INDEX_VERSION = 3007000
_ATTEMPTS = 2000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A consistent view: so many pages of a size, some of them in frames of the log."""

    page_size: int
    pages: int
    frames: dict[int, int]
    """From page number to the offset of its content in the log."""


def pin(live: sqlite3.Connection, path: Path) -> Snapshot:
    """Begin a read transaction on ``live``, which has none, and say what it sees."""
    if _mode(live) != "wal":
        _begin(live)
        if _mode(live) != "wal":
            return Snapshot(_number(live, "page_size"), _number(live, "page_count"), {})
        live.execute("ROLLBACK")  # somebody began a log just now: what is newest is in that
    live.execute("SELECT count(*) FROM sqlite_master").fetchone()  # opens the log
    real = os.path.realpath(path)
    # No descriptor of the database's files is ever closed here: that would drop SQLite's locks.
    shared = os.open(f"{real}-shm", os.O_RDONLY | os.O_CLOEXEC)
    for _ in range(_ATTEMPTS):
        before = _index(shared)
        _begin(live)
        # How much of the log is in the file counts too: once all of it is, the next writer may start it over.
        if before is not None and before == _index(shared):
            found = _snapshot(live, before, f"{real}-wal")
            if found is not None:
                return found
        live.execute("ROLLBACK")
        time.sleep(0.001)
    raise SourceLocked(f"'{path}' is written to faster than its log can be read", hint="try later")


def _mode(live: sqlite3.Connection) -> str:
    found: str = live.execute("PRAGMA journal_mode").fetchone()[0]
    return found


def _begin(live: sqlite3.Connection) -> None:
    live.execute("BEGIN")
    live.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _number(live: sqlite3.Connection, name: str) -> int:
    found: int = live.execute(f"PRAGMA {name}").fetchone()[0]
    return found


class _Index(NamedTuple):
    """What the index of the log says: its header, and how many frames are in the database file already."""

    header: bytes
    copied: int


def _index(shared: int) -> _Index | None:
    found = os.pread(shared, 2 * _INDEX_HEADER + 4, 0)
    first, second = found[:_INDEX_HEADER], found[_INDEX_HEADER : 2 * _INDEX_HEADER]
    if first != second:
        return None  # somebody is writing it
    return _Index(first, struct.unpack("=I", found[2 * _INDEX_HEADER :])[0])


def _snapshot(live: sqlite3.Connection, index: _Index, log: str) -> Snapshot | None:
    """Return where the pages lie; None when the log was started over, and it is to be pinned anew."""
    header = index.header
    version, _, _, _, _, _, last_frame, pages = struct.unpack("=IIIBBHII", header[:24])
    page_size, seen = _number(live, "page_size"), _number(live, "page_count")
    # An empty log does not count the pages: then the file does.
    if version != _INDEX_VERSION or (last_frame and pages != seen):
        raise EngineError("the write-ahead log is of a kind that this release does not know")
    # When all of the log was in the file already, SQLite reads the file alone, and the log may
    # be started over under us. Else our transaction keeps it: neither can be started over.
    if index.copied >= last_frame:
        return Snapshot(page_size, seen, {})
    frames = _frames(log, last_frame, page_size, header[32:40])
    return None if frames is None else Snapshot(page_size, seen, frames)


def _frames(log: str, last: int, page_size: int, salt: bytes) -> dict[int, int] | None:
    found: dict[int, int] = {}
    descriptor = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
    for number in range(last):
        offset = _HEADER + number * (_FRAME_HEADER + page_size)
        header = os.pread(descriptor, _FRAME_HEADER, offset)
        if header[8:16] != salt:
            return None
        found[int.from_bytes(header[:4], "big")] = offset + _FRAME_HEADER
    return found
