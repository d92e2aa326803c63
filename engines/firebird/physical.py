"""A database's pages by ``nbackup``: level 0, and what changed since the level below."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    EngineError,
    ParentUnusable,
    SourceDenied,
    SourceLocked,
    ToolMissing,
)
from airflow_backup.core.process import commands, drain, process
from airflow_backup.engines.firebird.header import HEADER, Header, header_of, next_file
from airflow_backup.engines.firebird.program import (
    NO_TRIGGERS,
    Database,
    read,
)
from airflow_backup.engines.firebird.runner import Runner, environment
from airflow_backup.engines.protocol import DumpReport, EngineContext, SetReader, Sink, Stream

PAGES = "pages.nbk"


def problems_of(database: Database) -> list[BackupError]:
    """Return what is in the way of nbackup, which reads the file itself, and one file alone."""
    if not database.is_local:
        return [
            ConfigError(
                f"nbackup reads the file itself, and '{database.host}' is another machine",
                hint="run it on a worker there, or use `method: logical`",
            )
        ]
    try:
        _check_one_file(database)
    except BackupError as error:
        return [error]
    return []


def _check_one_file(database: Database) -> None:
    """Raise ConfigError for a database of several files: nbackup copies the first, and its copy names the others."""
    try:
        with open(database.path, "rb") as file:
            other = next_file(file)
    except OSError:
        return  # nbackup says why
    if other is not None:
        raise ConfigError(
            f"the database '{database.path}' goes on in '{other}', and nbackup copies one file alone",
            hint="use `method: logical`: what it restores is one file",
        )


def dump_pages(
    database: Database, context: EngineContext, parent: SetReader | None, sink: Sink
) -> DumpReport:
    """Store the pages that changed since a level, as nbackup writes them."""
    level = 0 if parent is None else int(parent.manifest.state.get("level", -1)) + 1
    if parent is not None and parent.manifest.state.get("method") != "physical":
        raise ParentUnusable(f"set '{parent.manifest.set_id}' was not taken by nbackup")
    _check_one_file(database)
    with sink.stream(PAGES) as stream:
        pages = _Pages(stream, parent)
        options = [*NO_TRIGGERS, "-B", str(level), database.path, "stdout"]
        before = (sys.executable, "-I", "-S", drain.__file__)
        # nbackup holds the pages as they are when it begins; what is changed while it copies is not in them.
        consistent_at = context.clock()
        try:
            read(
                database,
                "nbackup",
                options,
                take=pages.take,
                reporter=context.reporter,
                before=before,
            )
        except BaseException as error:
            # Ours, and in the middle: it may have left the database in backup mode. Somebody else's is not ended.
            if pages.has_begun or not isinstance(error, SourceLocked | SourceDenied):
                _unlock(database)
            raise
        header = pages.finish()
    _check_one_file(database)  # a second file may have been added meanwhile
    context.reporter.finish()
    return DumpReport(
        consistent_at=consistent_at,
        files=1,
        bytes_read=pages.size,
        tools={"nbackup": database.version("nbackup")},
        state={
            "method": "physical",
            "database": database.path,
            "level": level,
            "guid": header.guid,
        },
    )


class _Pages:
    """Passes nbackup's output on, once its header names the right parent."""

    def __init__(self, stream: Stream, parent: SetReader | None) -> None:
        self._stream, self._parent = stream, parent
        self._head = b""
        self._header: Header | None = None
        self.size = 0
        self.has_begun = False

    def take(self, chunk: bytes) -> None:
        self.has_begun = self.has_begun or bool(chunk)
        if self._header is None:
            self._head += chunk
            if len(self._head) < HEADER:
                return
            self._header = header_of(self._head)
            self._compare(self._header.below)
            chunk, self._head = self._head, b""
        self._stream.write(chunk)
        self.size += len(chunk)

    def finish(self) -> Header:
        if self._header is None:
            raise EngineError("nbackup wrote less than its header")
        return self._header

    def _compare(self, below: str) -> None:
        if self._parent is None:
            return
        expected = self._parent.manifest.state.get("guid")
        if below != expected:
            raise ParentUnusable(
                f"nbackup builds upon {below}, and set '{self._parent.manifest.set_id}' is {expected}",
                hint="does another program call nbackup for this database, or was it put back?",
            )


def _unlock(database: Database) -> None:
    with contextlib.suppress(EngineError), database.credentials() as login:
        command = [database.program("nbackup"), *login, *NO_TRIGGERS, "-UNLOCK", database.path]
        commands.run(command, environment=environment())


def assemble(
    chain: Sequence[SetReader], file: Path, context: EngineContext, runner: Runner
) -> list[str]:
    """Make a database of level 0 and the levels upon it; return warnings."""
    if shutil.which("nbackup") is None:
        raise ToolMissing(
            "restoring needs nbackup", hint="on Debian: apt install firebird3.0-server"
        )
    with tempfile.TemporaryDirectory(prefix="levels-", dir=file.parent) as folder:
        levels = []
        for number, reader in enumerate(chain):
            level = Path(folder) / f"{number}.nbk"
            with level.open("xb") as output:
                for block in reader.blocks(PAGES):
                    output.write(block)
                    context.reporter.advance(bytes_done=len(block))
            levels.append(str(level))
        with open(levels[0], "rb") as first:
            difference = header_of(first.read(HEADER)).difference
        runner.give()
        command = runner.command("nbackup", ["-R", str(file), *levels])
        with process.Process(command, environment=runner.environment, name="nbackup") as child:
            runner.started(child)
            for _ in child.chunks():
                context.reporter.advance()
    if difference is None:
        return []
    told = f"the restored database keeps its changes during a backup in '{difference}', as the original does"
    return [
        f"{told}: ALTER DATABASE DROP DIFFERENCE FILE, before both are backed up on one machine"
    ]
