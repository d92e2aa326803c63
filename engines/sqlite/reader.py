"""
A process of its own that reads the changed pages of a live SQLite database, and says them aloud.

It is not part of the worker's process because POSIX drops all locks that a process holds on a file
when the process closes any descriptor of it: reading the file of a database that the worker has
open elsewhere, its own catalog for example, would silently unlock it.

It is called with the database, the parent's table of checksums and the page size of that table.
Messages on its standard output are a letter, a length, and a payload: ``H`` what the snapshot is,
``P`` pages (number and content), ``T`` checksums, ``X`` a failure, ``E`` the end.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from airflow_backup.core.errors import BackupError, EngineError, ParentUnusable, SourceChanged
from airflow_backup.engines.sqlite.open import check_file, connect, errors
from airflow_backup.engines.sqlite.pages import ENTRY, GROUP, LOCK_BYTE, Page, compare, groups
from airflow_backup.engines.sqlite.wal import Snapshot, pin

_HEAD = struct.Struct(">cI")
_BATCH_GROUPS = 16


def main(arguments: list[str]) -> int:
    """Read a database page by page and write which pages changed since the parent set."""
    path, table, page_size = arguments
    out = sys.stdout.buffer
    try:
        with errors(Path(path)), open(table, "rb") as earlier:
            _read(Path(path), earlier, int(page_size), out)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        told = {"message": f"cannot read the database '{path}': {why}", "hint": f"ls -l {path}"}
        _say(out, b"X", json.dumps({"kind": "SourceUnavailable", **told}).encode())
    except BackupError as error:
        failure = {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
        _say(out, b"X", json.dumps(failure).encode())
    out.flush()
    return 0


def messages(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Read what the process says; EngineError when it stops in the middle."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= _HEAD.size:
            kind, size = _HEAD.unpack_from(buffer)
            end = _HEAD.size + size
            if len(buffer) < end:
                break
            payload = bytes(buffer[_HEAD.size : end])
            del buffer[:end]
            if kind == b"E":
                return
            yield kind, payload
    raise EngineError("the reader of the database ended in the middle")


def _read(path: Path, earlier: BinaryIO, page_size: int, out: BinaryIO) -> None:
    file = check_file(path)
    with closing(connect(path)) as live:
        snapshot = pin(live, path)
        pages = _Pages(path, snapshot)
        # SQLite opened the path, and so did we: what was put in its place meanwhile is another database.
        if not os.path.samestat(file, pages.status()):
            raise SourceChanged(f"'{path}' was replaced by another file while it was opened")
        _say_all(path, pages, snapshot, earlier, page_size, out)


def _say_all(
    path: Path,
    pages: _Pages,
    snapshot: Snapshot,
    earlier: BinaryIO,
    page_size: int,
    out: BinaryIO,
) -> None:
    if snapshot.page_size != page_size:
        raise ParentUnusable(
            f"the page size of '{path}' changed from {page_size} to {snapshot.page_size}"
        )
    about = {"page_size": page_size, "pages": snapshot.pages}
    _say(out, b"H", json.dumps(about).encode())
    _say_changes(pages, snapshot, earlier, out)
    _say(out, b"E", b"")


def _say_changes(pages: _Pages, snapshot: Snapshot, earlier: BinaryIO, out: BinaryIO) -> None:
    page_size = snapshot.page_size
    for begin, size in _batches(snapshot.pages * page_size, step=_BATCH_GROUPS * GROUP * page_size):
        table: list[bytes] = []
        changed: list[bytes] = []
        batch = pages.read(begin, size)
        for offset, length in groups(size // page_size, page_size):
            known = earlier.read(ENTRY).ljust(ENTRY, b"\0")
            first = (begin + offset) // page_size + 1
            group = batch[offset : offset + length]
            entry, found = compare(group, known, first=first, page_size=page_size)
            table.append(entry)
            changed.extend(_packed(page) for page in found)
        _say(out, b"P", b"".join(changed))
        _say(out, b"T", b"".join(table))


def _batches(size: int, *, step: int) -> Iterator[tuple[int, int]]:
    for begin in range(0, size, step):
        yield begin, min(step, size - begin)


def _packed(page: Page) -> bytes:
    return struct.pack(">I", page.number) + page.content


class _Pages:
    """The pages of a snapshot, from the file and from the log."""

    def __init__(self, path: Path, snapshot: Snapshot) -> None:
        real = os.path.realpath(path)
        self._snapshot = snapshot
        self._file = os.open(real, os.O_RDONLY | os.O_CLOEXEC)
        self._log = os.open(f"{real}-wal", os.O_RDONLY | os.O_CLOEXEC) if snapshot.frames else -1
        self._buffer = bytearray()

    def status(self) -> os.stat_result:
        """Return which file is read."""
        return os.fstat(self._file)

    def read(self, offset: int, length: int) -> memoryview:
        """Return ``length`` bytes, valid until the next call."""
        if len(self._buffer) < length:
            self._buffer = bytearray(length)
        group = memoryview(self._buffer)[:length]
        found = 0
        while found < length and (count := os.preadv(self._file, [group[found:]], offset + found)):
            found += count  # one read may give less than there is
        page_size = self._snapshot.page_size
        missing = self._overlay(group, offset // page_size + 1, found // page_size)
        if missing:
            raise EngineError(f"page {missing} of the database is neither in its file nor its log")
        if offset <= LOCK_BYTE < offset + length:
            at = LOCK_BYTE - offset
            group[at : at + page_size] = bytes(page_size)
        return group

    def _overlay(self, group: memoryview, first: int, found: int) -> int | None:
        """Put pages of the log over those of the file; return a page that neither has."""
        page_size = self._snapshot.page_size
        missing = None
        if not self._snapshot.frames and found * page_size == len(group):
            return None
        for index in range(len(group) // page_size):
            frame = self._snapshot.frames.get(first + index)
            if frame is not None:
                view = group[index * page_size : (index + 1) * page_size]
                if os.preadv(self._log, [view], frame) != page_size:
                    raise EngineError("the write-ahead log ends in the middle of a page")
            elif index >= found and (first + index - 1) != LOCK_BYTE // page_size:
                missing = first + index
        return missing


def _say(out: BinaryIO, kind: bytes, payload: bytes) -> None:
    if payload or kind in b"HXE":
        out.write(_HEAD.pack(kind, len(payload)))
        out.write(payload)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
