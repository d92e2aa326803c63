"""
SQLite databases, through a consistent view, while others write: never a copy of the file.

The source is read inside one read transaction by SQLite's own backup API into a temporary copy;
held open, the transaction pins the snapshot, so the copy cannot be restarted by writers. The
copy is checked, its rows are counted, and then it is stored, with a table of checksums of its
pages. An incremental reads the pages themselves under the same pin, and stores those whose
checksum is not in the parent's table: see :mod:`.sqlite_reader`.

By hand::

    cat database.sqlite.*.zst | zstd -d > restored.sqlite
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from airflow_backup.core.errors import BackupError, ConfigError, EngineError, VerifyError
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.core.paths.holding import holding, path_of
from airflow_backup.core.paths.roots import real_path
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import Kind
from airflow_backup.engines.capabilities import Estimate
from airflow_backup.engines.protocol import (
    DumpReport,
    EngineContext,
    RestoreReport,
    SetReader,
    Sink,
    Stream,
    VerificationReport,
)
from airflow_backup.engines.shared.restore_root import open_target
from airflow_backup.engines.shared.scratch import check_room, scratch_folder
from airflow_backup.engines.sqlite.dump import (
    STREAM,
    TABLE,
    dump_changes,
    size_of,
    state_of,
    write_database,
)
from airflow_backup.engines.sqlite.open import look_through, reading
from airflow_backup.engines.sqlite.options import SqliteOptions, file_of
from airflow_backup.engines.sqlite.pages import GROUP, entry_of
from airflow_backup.engines.sqlite.state import SqliteState
from airflow_backup.engines.sqlite.verify import check_chain, check_layout, examined, rebuilt
from airflow_backup.schedules.model.base import Model

_PAGES_A_STEP = 4096
_CHUNK = 1024 * 1024
_PARTIAL = ".restoring"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._-]{0,199}")


class SqliteEngine:
    """Backs up one SQLite database."""

    name = "sqlite"
    held_while_paused = "its snapshot stays open, and the write-ahead log grows"
    state_model = SqliteState
    only_reads = True
    """Whether a restore only writes the set's bytes: it runs no program, and asks no server."""

    version = "1"
    kinds = frozenset({Kind.FULL, Kind.INCREMENTAL, Kind.DIFFERENTIAL})

    def check(self, source: Model, context: EngineContext) -> list[BackupError]:
        """Return why the database cannot be read now, if it cannot."""
        try:
            with reading(_path(source, context)):
                return []
        except BackupError as error:
            return [error]

    def dump(
        self,
        source: Model,
        context: EngineContext,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """Copy a snapshot, prove the copy, store it; or store what changed since the parent."""
        path = _path(source, context)
        if parent is not None:
            return dump_changes(path, context, parent, sink)
        with scratch_folder(context.scratch) as folder:
            copy = Path(folder) / "copy.sqlite"
            with reading(path) as live:
                consistent_at = context.clock()
                size, page_size = _size(live)
                check_room(context.scratch, size)
                context.reporter.begin("copying", bytes_total=size)
                _copy(live, copy, context.reporter)
            context.reporter.begin("checking")
            looked = look_through(copy, f"the copy of '{path}'")
            context.reporter.begin("storing", bytes_total=size)
            with sink.stream(STREAM) as stream, sink.stream(TABLE, is_index=True) as table:
                stored = _store(copy, stream, table, page_size, context.reporter)
            context.reporter.finish()
        return DumpReport(
            consistent_at=consistent_at,
            files=1,
            bytes_read=stored,
            tools={"sqlite": sqlite3.sqlite_version},
            counts=looked.counts,
            warnings=looked.notes,
            state=state_of(path, page_size=page_size, pages=stored // page_size, link=0),
        )

    def restore(
        self,
        chain: Sequence[SetReader],
        target: Path,
        context: EngineContext,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """Write the database into an empty folder, under its old name, and prove it."""
        if only:
            raise ConfigError("a database is restored whole", hint="leave the paths out")
        folder = open_target(target)
        try:
            size, warnings = _write_and_prove(chain, path_of(folder, target), context)
        finally:
            os.close(folder)
        context.reporter.finish()
        return RestoreReport(files=1, bytes_written=size, warnings=warnings)

    def resume(
        self,
        chain: Sequence[SetReader],
        target: Path,
        context: EngineContext,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """Begin again: of a database, an unfinished copy is worth nothing; a finished one has its name already."""
        with holding(target) as held:
            partial, final = held / _PARTIAL, held / _file_name(chain[-1].manifest.state)
            if final.is_file() and not final.is_symlink() and not os.path.lexists(partial):
                return RestoreReport(files=1, bytes_written=0)
            partial.unlink(missing_ok=True)
        return self.restore(chain, target, context, only=only, until=until)

    def estimate(self, source: Model, context: EngineContext, *, seconds: float) -> Estimate:
        """Ask for the pages of the database."""
        with reading(_path(source, context)) as live:
            size, _ = _size(live)
            return Estimate(size)

    def check_format(self, stored: SetReader) -> Sequence[str]:
        """Look at the database's header, and whether all pages are there."""
        return check_layout(stored)

    def check_structure(self, chain: Sequence[SetReader]) -> Sequence[str]:
        """Look at the layout, and at what changed since the set below."""
        return check_chain(chain)

    def decode(self, chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
        """Rebuild the database in a temporary folder, and let SQLite check all of it."""
        return rebuilt(chain, context)

    def try_restore(
        self, chain: Sequence[SetReader], context: EngineContext, *, assertions: Sequence[str] = ()
    ) -> VerificationReport:
        """Restore into a temporary folder; let SQLite check it, and ask it the assertions."""
        with scratch_folder(context.scratch) as folder:
            target = Path(folder) / "restored"
            check_room(context.scratch, size_of(chain))
            self.restore(chain, target, context)
            (database,) = target.iterdir()
            return examined(database, chain[-1].manifest.set_id, assertions)


def _path(source: Model, context: EngineContext) -> Path:
    if not isinstance(source, SqliteOptions):
        raise EngineError(f"the sqlite engine cannot read a {type(source).__name__}")
    if source.path is not None:
        return _allowed(source.path, context)
    path = file_of(context.connections(source.connection or ""))
    return _allowed(path, context)


def _allowed(path: str, context: EngineContext) -> Path:
    """Return the path; where an administrator fenced the schedule in, the one that it really is."""
    if context.source_roots is None:
        return Path(path)
    return Path(real_path(path, context.source_roots, what="the database"))


def _size(live: sqlite3.Connection) -> tuple[int, int]:
    pages: int = live.execute("PRAGMA page_count").fetchone()[0]
    page_size: int = live.execute("PRAGMA page_size").fetchone()[0]
    return pages * page_size, page_size


def _copy(live: sqlite3.Connection, copy: Path, reporter: Reporter) -> None:
    page_size: int = live.execute("PRAGMA page_size").fetchone()[0]
    left_before: int | None = None

    def advance(status: int, left: int, total: int) -> None:
        nonlocal left_before
        before = total if left_before is None else left_before
        if left > before:
            raise EngineError("the copy was started over, although its snapshot is pinned")
        reporter.advance(bytes_done=(before - left) * page_size)
        left_before = left

    with closing(sqlite3.connect(copy, isolation_level=None)) as target:
        target.execute("PRAGMA synchronous=OFF")  # gone in a minute, and proven before it is used
        target.execute("PRAGMA journal_mode=OFF")
        live.backup(target, pages=_PAGES_A_STEP, progress=advance, sleep=0)


def _store(copy: Path, stream: Stream, table: Stream, page_size: int, reporter: Reporter) -> int:
    size = 0
    step = max(_CHUNK, GROUP * page_size)
    with copy.open("rb", buffering=0) as file:
        while chunk := file.read(step):
            stream.write(chunk)
            view = memoryview(chunk)
            for at in range(0, len(chunk), GROUP * page_size):
                table.write(entry_of(view[at : at + GROUP * page_size], page_size))
            size += len(chunk)
            reporter.advance(bytes_done=len(chunk))
    if not size:
        raise EngineError("the copy of the database is empty")
    return size


def _file_name(state: dict[str, object]) -> str:
    name = str(state.get("file", ""))
    return name if _PLAIN_NAME.fullmatch(name) else STREAM


def _write_and_prove(
    chain: Sequence[SetReader], folder: Path, context: EngineContext
) -> tuple[int, list[str]]:
    """
    Write the database into an open folder; return its size, and what SQLite says against it.

    VerifyError when its rows are not those of the set.
    """
    manifest = chain[-1].manifest
    context.reporter.begin("restoring", bytes_total=size_of(chain))
    partial, final = folder / _PARTIAL, folder / _file_name(manifest.state)
    write_database(chain, partial, context.reporter)
    warnings = _proven(partial, manifest)
    size = partial.stat().st_size
    partial.rename(final)
    return size, warnings


def _proven(database: Path, manifest: Manifest) -> list[str]:
    """
    Look through what was written; return what SQLite finds wrong with it.

    All its pages are those that were read. An incremental reads pages and not what they mean, and another release
    of SQLite may find what that of the dump did not. So what is wrong was wrong in the source, and nobody is helped
    by a restore that holds back what there is.
    """
    try:
        looked = look_through(database, f"set '{manifest.set_id}'")
    except (VerifyError, EngineError) as error:
        return [f"{error.message}; every page is as it was read, so it was so in the source"]
    expected = {name: n for name, n in manifest.counts.items() if name not in looked.uncounted}
    if not expected.items() <= looked.counts.items():
        raise VerifyError(f"set '{manifest.set_id}' has not the rows its manifest states")
    return []
