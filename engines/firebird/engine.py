"""
Firebird: one database by ``gbak``, or its pages by ``nbackup``, which can be incremental.

A logical set has the stream ``database.fbk``, whose rows gbak itself counted in the transaction that it read. A
physical set has the stream ``pages.nbk``: a full one is nbackup's level 0, a differential level 1, an incremental
one level more than its parent. Each names the one below by a GUID in its header, which is compared before it is
stored, since another program's nbackup would break the chain unseen. By hand::

    cat database.fbk.*.zst | zstd -d | gbak -c stdin restored.fdb
    nbackup -R restored.fdb level-0.nbk level-1.nbk ...
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath

from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    EngineError,
    SourceError,
    ToolMissing,
    VerifyError,
)
from airflow_backup.core.words import Kind
from airflow_backup.engines.firebird.header import HEADER, header_of
from airflow_backup.engines.firebird.options import FirebirdOptions
from airflow_backup.engines.firebird.physical import PAGES, assemble, dump_pages, problems_of
from airflow_backup.engines.firebird.program import (
    NO_TRIGGERS,
    Database,
    counts_of,
    feed,
    read,
    tables_of,
)
from airflow_backup.engines.firebird.questions import ask_all
from airflow_backup.engines.firebird.state import FirebirdState
from airflow_backup.engines.protocol import (
    DumpReport,
    Proof,
    RestoreReport,
    SetReader,
    Sink,
    Surroundings,
)
from airflow_backup.engines.shared.restore_root import open_target
from airflow_backup.engines.shared.scratch import scratch_folder
from airflow_backup.schedules.model.base import Model

DUMP = "database.fbk"
_PROGRAMS = {"logical": "gbak", "physical": "nbackup"}
_LEFT_OUT = ("users: they are in the server's security database", "rows of external tables")


class FirebirdEngine:
    """Backs up Firebird 3.0 and newer."""

    name = "firebird"
    state_model = FirebirdState
    version = "1"
    kinds = frozenset({Kind.FULL, Kind.INCREMENTAL, Kind.DIFFERENTIAL})

    def check(self, source: Model, around: Surroundings) -> list[BackupError]:
        """Return what is in the way: no programs, a file that is elsewhere or missing."""
        given = _options(source)
        try:
            database = Database.of(given, around.connections)
            database.version(_PROGRAMS[given.method])
        except BackupError as error:
            return [error]
        if database.is_local and not os.path.exists(database.path):
            return [
                SourceError(f"there is no database '{database.path}'", hint="is it spelled right?")
            ]
        return problems_of(database) if given.method == "physical" else []

    def dump(
        self,
        source: Model,
        around: Surroundings,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """Run gbak or nbackup into a stream."""
        given = _options(source)
        database = Database.of(given, around.connections)
        around.reporter.begin("dumping", bytes_total=around.expected_bytes)
        if given.method == "physical":
            return dump_pages(database, around, parent, sink)
        return _dump_rows(database, around, sink)

    def restore(
        self,
        path: Sequence[SetReader],
        target: Path,
        around: Surroundings,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """Make a database file below ``target`` that a server can open."""
        if only:
            raise ConfigError("a database is restored whole", hint="leave the paths out")
        if ":" in str(target):
            raise ConfigError(
                f"Firebird takes what stands before a colon for the name of a machine: '{target}'",
                hint="restore to a folder without one in its path",
            )
        os.close(open_target(target))
        state = path[-1].manifest.state
        file = target / _file_name(str(state["database"]))
        total = sum(each.manifest.totals.bytes_read for each in path)
        around.reporter.begin("restoring", bytes_total=total)
        warnings: list[str] = []
        if state["method"] == "logical":
            _create(path[-1], file, around)
        else:
            warnings = assemble(path, file, around)
        around.reporter.finish()
        return RestoreReport(files=1, bytes_written=file.stat().st_size, warnings=warnings)

    def check_format(self, stored: SetReader) -> Sequence[str]:
        """Look at the header."""
        if stored.manifest.state["method"] == "physical":
            head = b"".join(stored.blocks(PAGES, 0, HEADER))
            if header_of(head).guid != stored.manifest.state["guid"]:
                raise VerifyError("the pages are of another backup than the manifest says")
            return ["nbackup's header"]
        if not b"".join(stored.blocks(DUMP, 0, 2)):
            raise VerifyError("gbak's output is empty")
        return ["gbak's output is not empty"]

    def decode(self, path: Sequence[SetReader], around: Surroundings) -> Proof:
        """Make the database in a scratch folder, and let gbak read every row of it."""
        return self.try_restore(path, around)

    def try_restore(
        self, path: Sequence[SetReader], around: Surroundings, *, assertions: Sequence[str] = ()
    ) -> Proof:
        """Make the database in a scratch folder, read every row, and ask the assertions."""
        missing = [name for name in ("gbak", "nbackup") if shutil.which(name) is None]
        if missing:
            return Proof(inconclusive=f"{missing[0]} is not installed")
        with scratch_folder(around.scratch) as folder:
            target = Path(folder) / "database"
            try:
                self.restore(path, target, around)
                (file,) = [each for each in target.iterdir() if each.is_file()]
                own = Database(str(file), login="SYSDBA")
                options = [*NO_TRIGGERS, "-b", "-v", str(file), "stdout"]
                told = read(own, "gbak", options, take=_drop, reporter=around.reporter)
            except EngineError as error:
                raise VerifyError(f"the database cannot be restored: {error.message}") from error
            ask_all(file, assertions, Path(folder))
        return Proof(
            counts=counts_of(told), checks=["gbak read every row of the restored database"]
        )


def _dump_rows(database: Database, around: Surroundings, sink: Sink) -> DumpReport:
    consistent_at = around.clock()
    size = 0

    with sink.stream(DUMP) as stream:

        def take(chunk: bytes) -> None:
            nonlocal size
            stream.write(chunk)
            size += len(chunk)

        # Garbage collection (-g leaves it out) is the server's own business, and slows a backup down.
        options = [*NO_TRIGGERS, "-b", "-g", "-v", database.name, "stdout"]
        told = read(database, "gbak", options, take=take, reporter=around.reporter)
        if not size or "closing file, committing, and finishing" not in told:
            raise EngineError("gbak ended before its last line")
    around.reporter.finish()
    return DumpReport(
        consistent_at=consistent_at,
        files=1,
        bytes_read=size,
        tools={"gbak": database.version("gbak")},
        counts=counts_of(told),
        warnings=_external(told),
        state={"method": "logical", "database": database.path, "leaves_out": [*_LEFT_OUT]},
    )


def _create(reader: SetReader, file: Path, around: Surroundings) -> None:
    if shutil.which("gbak") is None:
        raise ToolMissing("restoring needs gbak", hint="on Debian: apt install firebird3.0-utils")

    def told_blocks() -> Iterator[bytes]:
        for block in reader.blocks(DUMP):
            around.reporter.advance(bytes_done=len(block))
            yield block

    # -k: a shadow lies where the living database has its own, perhaps on this very machine.
    command = ["gbak", "-user", "SYSDBA", "-k", "-c", "-v", "stdin", str(file)]
    told = feed(command, told_blocks())
    # Of a table without rows gbak says nothing when it restores, and zero when it saves.
    found, expected = counts_of(told), reader.manifest.counts
    for name in {**expected, **found}:
        if expected.get(name, 0) != found.get(name, 0):
            raise VerifyError(
                f"table {name} has {found.get(name, 0)} rows, and {expected.get(name, 0)} were saved"
            )


def _external(told: str) -> list[str]:
    """Return a warning where rows lie in files beside the database: of those only the table is saved."""
    names = sorted(set(tables_of(told)) - set(counts_of(told)))
    if not names:
        return []
    shown = ", ".join(names[:20]) + (" ..." if len(names) > 20 else "")
    return [f"the rows of external tables are not in the set, but in their own files: {shown}"]


def _file_name(database: str) -> str:
    """
    Return the name of a restored file.

    >>> _file_name("/data/bank.fdb"), _file_name("/data/a:b.fdb"), _file_name("/..")
    ('bank.fdb', 'a_b.fdb', 'database.fdb')
    """
    name = PurePosixPath(database).name.replace(":", "_")
    return "database.fdb" if name in ("", ".", "..") else name


def _drop(chunk: bytes) -> None:
    """Only what gbak tells on the side is wanted."""


def _options(source: Model) -> FirebirdOptions:
    if not isinstance(source, FirebirdOptions):
        raise EngineError(f"the firebird engine cannot read a {type(source).__name__}")
    return source
