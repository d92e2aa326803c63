"""What changed of an SQLite database since a set, and a database made of a set and its changes."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

from airflow_backup.core import errors
from airflow_backup.core.errors import BackupError, EngineError, ParentUnusable, VerifyError
from airflow_backup.core.process.process import Process
from airflow_backup.core.process.python import module_command
from airflow_backup.core.progress import Reporter
from airflow_backup.engines.protocol import DumpReport, EngineContext, SetReader, Sink
from airflow_backup.engines.shared.scratch import scratch_folder
from airflow_backup.engines.sqlite.pages import CHECKSUM, ENTRY, GROUP, entry_of, groups
from airflow_backup.engines.sqlite.reader import messages

STREAM: Final = "database.sqlite"
TABLE: Final = "pages.table"
CHANGES: Final = "pages.changed"
_READER = "airflow_backup.engines.sqlite.reader"


def dump_changes(path: Path, context: EngineContext, parent: SetReader, sink: Sink) -> DumpReport:
    """Store the pages that the parent has not, and the checksums of all."""
    before = parent.manifest.state
    if not {"page_size", "pages", "link"} <= before.keys():
        raise ParentUnusable(f"set '{parent.manifest.set_id}' has no table of its pages")
    with scratch_folder(context.scratch) as folder:
        earlier = Path(folder) / TABLE
        with earlier.open("wb") as file:
            file.writelines(parent.blocks(TABLE))
        return _read(path, context, before, str(earlier), sink)


def _read(
    path: Path, context: EngineContext, before: dict[str, Any], earlier: str, sink: Sink
) -> DumpReport:
    page_size = int(before["page_size"])
    command = module_command(_READER, str(path), earlier, str(page_size))
    changed = pages = 0
    consistent_at = context.clock()
    with (
        sink.stream(CHANGES) as changes,
        sink.stream(TABLE, is_index=True) as table,
        Process(command) as reader,
    ):
        for kind, payload in messages(reader.chunks()):
            if kind == b"H":
                consistent_at = context.clock()
                pages = json.loads(payload)["pages"]
                context.reporter.begin("reading", bytes_total=pages * page_size)
            elif kind == b"P":
                changes.write(payload)
                changed += len(payload) // (4 + page_size)
            elif kind == b"T":
                table.write(payload)
                done = len(payload) // ENTRY * GROUP * page_size
                context.reporter.advance(bytes_done=done)
            else:
                raise _failure(payload)
        if not pages or table.position != -(-pages // GROUP) * ENTRY:
            raise EngineError(f"not all pages of '{path}' were read")
    context.reporter.finish()
    state = state_of(path, page_size=page_size, pages=pages, link=int(before["link"]) + 1)
    return DumpReport(
        consistent_at=consistent_at,
        files=1,
        bytes_read=pages * page_size,
        tools={"sqlite": sqlite3.sqlite_version},
        state={**state, "changed": changed},
    )


def state_of(path: Path, *, page_size: int, pages: int, link: int) -> dict[str, Any]:
    """Return what a manifest says of a database."""
    return {"file": path.name, "page_size": page_size, "pages": pages, "link": link}


def size_of(chain: Sequence[SetReader]) -> int:
    """Return the bytes that are read to restore a chain."""
    return sum(
        piece.raw_size
        for each in chain
        for piece in each.manifest.pieces
        if piece.stream in (STREAM, CHANGES)
    )


def write_database(chain: Sequence[SetReader], file: Path, reporter: Reporter) -> None:
    """Write the full set and what changed since; every page is compared with the last table."""
    last = chain[-1].manifest
    if int(last.state.get("link", 0)) != len(chain) - 1:
        raise EngineError(f"set '{last.set_id}' needs the whole chain below it, the full set first")
    with file.open("xb") as out:
        for block in chain[0].blocks(STREAM):
            out.write(block)
            reporter.advance(bytes_done=len(block))
        for each in chain[1:]:
            _apply(each, out, reporter)
        out.flush()
        os.fsync(out.fileno())
    if len(chain) > 1:
        _compare(chain[-1], file)


def _apply(each: SetReader, out: IO[bytes], reporter: Reporter) -> None:
    page_size = int(each.manifest.state["page_size"])
    out.flush()
    for number, content in pages_of(each.blocks(CHANGES), page_size):
        if not 0 < number <= int(each.manifest.state["pages"]):
            raise VerifyError(f"set '{each.manifest.set_id}' has a page {number} after its last")
        os.pwrite(out.fileno(), content, (number - 1) * page_size)
        reporter.advance(bytes_done=page_size)
    out.truncate(int(each.manifest.state["pages"]) * page_size)


def pages_of(blocks: Iterator[bytes], page_size: int) -> Iterator[tuple[int, memoryview]]:
    """Yield the changed pages of a set: number, counted from 1, and content."""
    size = 4 + page_size
    rest = b""
    for block in blocks:
        data = rest + block
        whole = len(data) - len(data) % size
        for at in range(0, whole, size):
            (number,) = struct.unpack_from(">I", data, at)
            yield number, memoryview(data)[at + 4 : at + size]
        rest = data[whole:]
    if rest:
        raise VerifyError("the changed pages of a set end in the middle of a page")


def _compare(last: SetReader, file: Path) -> None:
    state = last.manifest.state
    page_size = int(state["page_size"])
    entries = entries_of(last.blocks(TABLE))
    with file.open("rb", buffering=0) as restored:
        for _, length in groups(int(state["pages"]), page_size):
            group = memoryview(restored.read(length))
            # That of the group only spares the next set a look at its pages.
            end = CHECKSUM * (1 + length // page_size)
            if entry_of(group, page_size)[CHECKSUM:end] != next(entries, b"")[CHECKSUM:end]:
                raise VerifyError(
                    f"the pages of set '{last.manifest.set_id}' are not those that were read",
                    hint="restore an earlier set",
                )


def entries_of(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut a table of pages into its entries, one for each group."""
    rest = b""
    for block in blocks:
        data = rest + block
        whole = len(data) - len(data) % ENTRY
        for at in range(0, whole, ENTRY):
            yield data[at : at + ENTRY]
        rest = data[whole:]


def _failure(payload: bytes) -> BackupError:
    told = json.loads(payload)
    kind = getattr(errors, told["kind"], EngineError)
    found: BackupError = kind(told["message"], hint=told["hint"])
    return found
