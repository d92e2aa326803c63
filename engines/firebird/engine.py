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

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath

from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    EngineError,
    ParentUnusable,
    SourceError,
    ToolMissing,
    VerifyError,
)
from airflow_backup.core.process import process
from airflow_backup.core.words import Kind
from airflow_backup.engines.firebird.options import FirebirdOptions
from airflow_backup.engines.firebird.program import Database, counts_of, environment, feed, read
from airflow_backup.engines.protocol import (
    DumpReport,
    Proof,
    RestoreReport,
    SetReader,
    Sink,
    Stream,
    Surroundings,
)
from airflow_backup.engines.shared.restore_root import open_target
from airflow_backup.engines.shared.scratch import scratch_folder
from airflow_backup.schedules.model.base import Model

DUMP, PAGES = "database.fbk", "pages.nbk"
_PROGRAMS = {"logical": "gbak", "physical": "nbackup"}
_MAGIC = b"NBAK"
_HEADER = 1024
"""Bytes that hold what is wanted of the header: less than the smallest page."""

_LEVEL_ZERO_GUID = re.compile(rb"\x07\x10(.{16})", re.DOTALL)
"""Level 0 is the database itself; its first page has a list of tagged values, of which 7 is the backup's GUID."""

_TAGGED = 96
"""Where that list begins at the earliest (ods.h of Firebird's sources, structure header_page)."""


class FirebirdEngine:
    """Backs up Firebird 3.0 and newer."""

    name = "firebird"
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
        if given.method == "physical" and not database.is_local:
            return [
                ConfigError(
                    f"nbackup reads the file itself, and '{database.host}' is another machine",
                    hint="run it on a worker there, or use `method: logical`",
                )
            ]
        if database.is_local and not os.path.exists(database.path):
            return [
                SourceError(f"there is no database '{database.path}'", hint="is it spelled right?")
            ]
        return []

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
            return _dump_pages(database, around, parent, sink)
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
        os.close(open_target(target))
        state = path[-1].manifest.state
        file = target / PurePosixPath(str(state["database"])).name
        total = sum(each.manifest.totals.bytes_read for each in path)
        around.reporter.begin("restoring", bytes_total=total)
        if state["method"] == "logical":
            _create(path[-1], file, around)
        else:
            _assemble(path, file, around)
        around.reporter.finish()
        return RestoreReport(files=1, bytes_written=file.stat().st_size)

    def check_format(self, stored: SetReader) -> Sequence[str]:
        """Look at the header."""
        if stored.manifest.state["method"] == "physical":
            head = b"".join(stored.blocks(PAGES, 0, _HEADER))
            if _guids(head)[0] != stored.manifest.state["guid"]:
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
                options = ["-b", "-v", str(file), "stdout"]
                told = read(own, "gbak", options, take=_drop, reporter=around.reporter)
            except EngineError as error:
                raise VerifyError(f"the database cannot be restored: {error.message}") from error
            for assertion in assertions:
                _assert(file, assertion)
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
        options = ["-b", "-g", "-v", database.name, "stdout"]
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
        state={"method": "logical", "database": database.path},
    )


def _dump_pages(
    database: Database, around: Surroundings, parent: SetReader | None, sink: Sink
) -> DumpReport:
    level = 0 if parent is None else int(parent.manifest.state.get("level", -1)) + 1
    if parent is not None and parent.manifest.state.get("method") != "physical":
        raise ParentUnusable(f"set '{parent.manifest.set_id}' was not taken by nbackup")
    with sink.stream(PAGES) as stream:
        pages = _Pages(stream, parent)
        options = ["-B", str(level), database.path, "stdout"]
        try:
            read(database, "nbackup", options, take=pages.take, reporter=around.reporter)
        except BaseException:
            if pages.has_begun:  # it was ours, and may have left the database in backup mode
                _unlock(database)
            raise
        pages.finish()
    around.reporter.finish()
    return DumpReport(
        consistent_at=around.clock(),
        files=1,
        bytes_read=pages.size,
        tools={"nbackup": database.version("nbackup")},
        state={
            "method": "physical",
            "database": database.path,
            "level": level,
            "guid": pages.guid,
        },
    )


class _Pages:
    """Passes nbackup's output on, once its header names the right parent."""

    def __init__(self, stream: Stream, parent: SetReader | None) -> None:
        self._stream, self._parent = stream, parent
        self._head = b""
        self.size, self.guid = 0, ""
        self.has_begun = False

    def take(self, chunk: bytes) -> None:
        self.has_begun = self.has_begun or bool(chunk)
        if not self.guid:
            self._head += chunk
            if len(self._head) < _HEADER:
                return
            self.guid, below = _guids(self._head)
            self._compare(below)
            chunk, self._head = self._head, b""
        self._stream.write(chunk)
        self.size += len(chunk)

    def finish(self) -> None:
        if not self.guid:
            raise EngineError("nbackup wrote less than its header")

    def _compare(self, below: str) -> None:
        if self._parent is None:
            return
        expected = self._parent.manifest.state.get("guid")
        if below != expected:
            raise ParentUnusable(
                f"nbackup builds upon {below}, and set '{self._parent.manifest.set_id}' is {expected}",
                hint="does another program call nbackup for this database?",
            )


def _guids(head: bytes) -> tuple[str, str]:
    """Return the GUID of the backup and of the one below it, as hex; the latter is empty at level 0."""
    if head[:4] == _MAGIC:  # then two bytes each of version and level
        return head[8:24].hex(), head[24:40].hex()
    found = _LEVEL_ZERO_GUID.search(head, _TAGGED)
    if found is None:
        raise VerifyError("this is not the beginning of nbackup's output")
    return found[1].hex(), ""


def _unlock(database: Database) -> None:
    with contextlib.suppress(EngineError), database.credentials() as login:
        command = [database.program("nbackup"), *login, "-UNLOCK", database.path]
        process.run(command, environment=environment(), inherit=False)


def _create(reader: SetReader, file: Path, around: Surroundings) -> None:
    if shutil.which("gbak") is None:
        raise ToolMissing("restoring needs gbak", hint="on Debian: apt install firebird3.0-utils")

    def told_blocks() -> Iterator[bytes]:
        for block in reader.blocks(DUMP):
            around.reporter.advance(bytes_done=len(block))
            yield block

    told = feed(["gbak", "-user", "SYSDBA", "-c", "-v", "stdin", str(file)], told_blocks())
    found, expected = counts_of(told), dict(reader.manifest.counts)
    if found != expected:
        names = [name for name in {**expected, **found} if expected.get(name) != found.get(name)]
        raise VerifyError(
            f"table {names[0]} has {found.get(names[0])} rows, and {expected.get(names[0])} were saved"
        )


def _assemble(path: Sequence[SetReader], file: Path, around: Surroundings) -> None:
    if shutil.which("nbackup") is None:
        raise ToolMissing(
            "restoring needs nbackup", hint="on Debian: apt install firebird3.0-server"
        )
    with tempfile.TemporaryDirectory(prefix="levels-", dir=file.parent) as folder:
        levels = []
        for number, reader in enumerate(path):
            level = Path(folder) / f"{number}.nbk"
            with level.open("xb") as output:
                for block in reader.blocks(PAGES):
                    output.write(block)
                    around.reporter.advance(bytes_done=len(block))
            levels.append(str(level))
        command = ["nbackup", "-R", str(file), *levels]
        process.run(command, environment=environment(), inherit=False)


def _assert(file: Path, assertion: str) -> None:
    program = next(filter(shutil.which, ("isql-fb", "isql")), None)
    if program is None:
        raise ToolMissing("assertions need isql", hint="on Debian: apt install firebird3.0-utils")
    script = f"SET HEADING OFF;\n{assertion.rstrip().rstrip(';')};\n"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as asked:
        asked.write(script)
        asked.flush()
        command = [program, "-q", "-b", "-user", "SYSDBA", "-i", asked.name, str(file)]
        told = process.run(command, environment=environment(), inherit=False).output
    answer = told.decode("utf-8", "replace").split()
    if not answer or answer[0].lower() in ("0", "<false>", "<null>"):
        raise VerifyError(f"the assertion does not hold: {assertion}")


def _drop(chunk: bytes) -> None:
    """Only what gbak tells on the side is wanted."""


def _options(source: Model) -> FirebirdOptions:
    if not isinstance(source, FirebirdOptions):
        raise EngineError(f"the firebird engine cannot read a {type(source).__name__}")
    return source
