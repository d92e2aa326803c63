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
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    EngineError,
    SourceError,
    VerifyError,
)
from airflow_backup.core.words import Kind
from airflow_backup.engines.firebird.header import HEADER, header_of
from airflow_backup.engines.firebird.options import FirebirdOptions
from airflow_backup.engines.firebird.physical import PAGES, dump_pages, problems_of
from airflow_backup.engines.firebird.program import (
    NO_TRIGGERS,
    Database,
    counts_of,
    read,
    tables_of,
)
from airflow_backup.engines.firebird.restore import DUMP, make
from airflow_backup.engines.firebird.runner import as_here
from airflow_backup.engines.firebird.state import FirebirdState
from airflow_backup.engines.firebird.verify import try_restore
from airflow_backup.engines.protocol import (
    DumpReport,
    EngineContext,
    RestoreReport,
    SetReader,
    Sink,
    VerificationReport,
)
from airflow_backup.engines.shared.restore_root import open_target
from airflow_backup.schedules.model.base import Model

_PROGRAMS = {"logical": "gbak", "physical": "nbackup"}
_LEFT_OUT = ("users: they are in the server's security database", "rows of external tables")


class FirebirdEngine:
    """Backs up Firebird 3.0 and newer."""

    name = "firebird"
    held_while_paused = (
        "its transaction, or the backup mode of the database, stays open on the server"
    )
    state_model = FirebirdState
    version = "1"
    kinds = frozenset({Kind.FULL, Kind.INCREMENTAL, Kind.DIFFERENTIAL})

    def check(self, source: Model, context: EngineContext) -> list[BackupError]:
        """Return what is in the way: no programs, a file that is elsewhere or missing."""
        given = _options(source)
        try:
            database = Database.of(given, context)
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
        context: EngineContext,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """Run gbak or nbackup into a stream."""
        given = _options(source)
        database = Database.of(given, context)
        context.reporter.begin("dumping", bytes_total=context.expected_bytes)
        if given.method == "physical":
            return dump_pages(database, context, parent, sink)
        return _dump_rows(database, context, sink)

    def restore(
        self,
        chain: Sequence[SetReader],
        target: Path,
        context: EngineContext,
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
        total = sum(each.manifest.totals.bytes_read for each in chain)
        context.reporter.begin("restoring", bytes_total=total)
        file, warnings = make(chain, target, context, runner=as_here())
        context.reporter.finish()
        return RestoreReport(files=1, bytes_written=file.stat().st_size, warnings=warnings)

    def check_format(self, stored: SetReader) -> Sequence[str]:
        """Check that what is stored begins as the method of the set says."""
        if stored.manifest.state["method"] == "physical":
            head = b"".join(stored.blocks(PAGES, 0, HEADER))
            if header_of(head).guid != stored.manifest.state["guid"]:
                raise VerifyError("the pages are of another backup than the manifest says")
            return ["nbackup's header"]
        if not b"".join(stored.blocks(DUMP, 0, 2)):
            raise VerifyError("gbak's output is empty")
        return ["gbak's output is not empty"]

    def decode(self, chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
        """Make the database in a scratch folder, and let gbak read every row of it."""
        return self.try_restore(chain, context)

    def try_restore(
        self, chain: Sequence[SetReader], context: EngineContext, *, assertions: Sequence[str] = ()
    ) -> VerificationReport:
        """Make the database in a sandbox, read every row, and ask the assertions."""
        return try_restore(chain, context, assertions=assertions)


def _dump_rows(database: Database, context: EngineContext, sink: Sink) -> DumpReport:
    consistent_at = context.clock()
    size = 0

    with sink.stream(DUMP) as stream:

        def take(chunk: bytes) -> None:
            nonlocal size
            stream.write(chunk)
            size += len(chunk)

        # Garbage collection (-g leaves it out) is the server's own business, and slows a backup down.
        options = [*NO_TRIGGERS, "-b", "-g", "-v", database.name, "stdout"]
        told = read(database, "gbak", options, take=take, reporter=context.reporter)
        if not size or "closing file, committing, and finishing" not in told:
            raise EngineError("gbak ended before its last line")
    context.reporter.finish()
    return DumpReport(
        consistent_at=consistent_at,
        files=1,
        bytes_read=size,
        tools={"gbak": database.version("gbak")},
        counts=counts_of(told),
        warnings=_external(told),
        state={"method": "logical", "database": database.path, "leaves_out": [*_LEFT_OUT]},
    )


def _external(told: str) -> list[str]:
    """Return a warning where rows lie in files beside the database: of those only the table is saved."""
    names = sorted(set(tables_of(told)) - set(counts_of(told)))
    if not names:
        return []
    shown = ", ".join(names[:20]) + (" ..." if len(names) > 20 else "")
    return [f"the rows of external tables are not in the set, but in their own files: {shown}"]


def _options(source: Model) -> FirebirdOptions:
    if not isinstance(source, FirebirdOptions):
        raise EngineError(f"the firebird engine cannot read a {type(source).__name__}")
    return source
