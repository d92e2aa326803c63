"""Firebird's programs: the password by file, what they complain of in words, what they count."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    EngineError,
    SourceDenied,
    SourceError,
    SourceLocked,
    SourceUnavailable,
    ToolMissing,
)
from airflow_backup.core.format.checksums import Bytes
from airflow_backup.core.paths.roots import real_path
from airflow_backup.core.process.process import PIPE, Process
from airflow_backup.core.progress import Reporter
from airflow_backup.engines.firebird.options import FirebirdOptions
from airflow_backup.engines.firebird.runner import Runner, as_here, environment
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.shared.scratch import scratch_folder

NO_TRIGGERS = ("-NODBTRIGGERS",)
"""What a trigger of the database does at a connect or a disconnect is for those who work with it, not for a copy."""

_LOCAL = (None, "", "localhost", "127.0.0.1", "::1")
_MOST_LINES = 200_000
"""Lines of what gbak tells that are kept: two for each table."""

_SIGNS: tuple[tuple[type[BackupError], tuple[str, ...]], ...] = (
    (
        SourceDenied,
        ("user name and password are not defined", "no permission", "Permission denied"),
    ),
    (SourceLocked, ("physical backup mode", "backup mode", "already opened with engine instance")),
    (SourceUnavailable, ("Unable to complete network request", "Failed to establish", "shutdown")),
    (SourceError, ("No such file or directory", "not a valid database", "Unknown database")),
)
_TABLE = re.compile(r"gbak:\s*(?:writing|restoring) data for table (.+?)\s*$")
_MADE = re.compile(r"gbak:\s+writing table (.+?)\s*$")
_COUNT = re.compile(r"gbak:\s*(\d+) records (?:written|restored)")


@dataclass(frozen=True)
class Database:
    """Where a database is, and who we are there."""

    path: str
    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    tools: str | None = None

    @classmethod
    def of(cls, given: FirebirdOptions, context: EngineContext) -> Database:
        """
        Read the connection of a source.

        Refused where it names a file of this machine that does not lie where an administrator lets such a schedule
        read: without a host, and by nbackup, the file is opened as whoever the worker is.
        """
        found = context.connections(given.connection)
        path = given.database or found.schema
        if not path:
            raise ConfigError(
                f"connection '{given.connection}' names no database", hint="say it as `database`"
            )
        host, port = found.host, found.port
        is_opened_here = not host or (given.method == "physical" and host in _LOCAL)
        if is_opened_here and context.source_roots is not None:
            path = real_path(path, context.source_roots, what="the database")
        return cls(path, host, port, found.login, found.password, given.tools)

    @property
    def is_local(self) -> bool:
        """Whether its file lies on this machine, as far as the connection tells."""
        return self.host in _LOCAL

    @property
    def name(self) -> str:
        """The name under which Firebird's programs attach."""
        if not self.host:
            return self.path
        return f"{self.host}{f'/{self.port}' if self.port else ''}:{self.path}"

    def program(self, name: str) -> str:
        """Return the path of a program."""
        return os.path.join(self.tools, name) if self.tools else name

    def version(self, name: str) -> str:
        """Return the release of a program; ToolMissing when it is not there."""
        with Process(
            [self.program(name), "-z"],
            environment=environment(),
            success_codes=range(256),
        ) as process:
            text = b"".join(process.chunks()).decode("utf-8", "replace")
        found = re.search(r"V(\d+\.\d+\.\d+)", f"{text}\n{process.errors}")
        if found is None:
            raise ToolMissing(f"'{name} -z' told no version", hint="is it Firebird's?")
        return found[1]

    @contextmanager
    def credentials(self) -> Iterator[list[str]]:
        """Yield the options that log in; the password lies in a file that nobody else reads."""
        user = ["-user", self.login] if self.login else []
        if not self.password:
            yield user
            return
        with scratch_folder() as folder:
            path = Path(folder) / "password"
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(f"{self.password}\n")
            yield [*user, "-fetch_password", str(path)]


def read(
    database: Database,
    program: str,
    options: Sequence[str],
    *,
    take: Callable[[bytes], None],
    reporter: Reporter,
    before: Sequence[str] = (),
    runner: Runner | None = None,
) -> str:
    """Run a program, below the command ``before``, that writes to its output; return what it told on the side."""
    runner = runner or as_here()
    process: Process | None = None
    with database.credentials() as login:
        try:
            command = [*before, *runner.command(database.program(program), [*login, *options])]
            with Process(
                command, environment=runner.environment, tail_lines=_MOST_LINES, name=program
            ) as process:
                runner.started(process)
                for chunk in process.chunks(tick=1.0):
                    take(chunk)
                    reporter.advance(bytes_done=len(chunk))
        except EngineError as error:
            raise _failure(process, program, error) from error
    return process.errors


def feed(program: str, options: Sequence[str], chunks: Iterable[Bytes], *, runner: Runner) -> str:
    """Run a program that reads its input; return what it told."""
    process: Process | None = None
    told = b""
    try:
        with Process(
            runner.command(program, options),
            environment=runner.environment,
            stdin=PIPE,
            tail_lines=_MOST_LINES,
            name=program,
        ) as process:
            runner.started(process)
            told = process.feed(chunks, kept_chunks=None)  # of many tables more than a pipe holds
    except EngineError as error:
        # What it tells, its errors too, goes to its output when it restores.
        raise _failure(process, program, error, told) from error
    return f"{told.decode('utf-8', 'backslashreplace')}\n{process.errors}"


def _failure(
    process: Process | None, program: str, error: EngineError, output: bytes = b""
) -> BackupError:
    if process is None or type(error) is not EngineError:
        return error  # it was not the program that failed
    lines = f"{output.decode('utf-8', 'backslashreplace')}\n{process.errors}".splitlines()
    told = [line for line in lines if line and ("ERROR" in line or "gbak:" not in line)]
    text = "; ".join(line.strip() for line in told[-8:]) or error.message
    for kind, signs in _SIGNS:
        if any(sign in text for sign in signs):
            hint = "does it lie in backup mode? nbackup -UNLOCK <database>"
            return kind(f"{program}: {text}", hint=hint if kind is SourceLocked else None)
    return EngineError(f"{program} failed with code {process.exit_code}: {text}")


def counts_of(told: str) -> dict[str, int]:
    """
    Return the rows that gbak wrote, or restored, of each table.

    >>> counts_of("gbak:writing data for table ORDERS\\ngbak:17 records written")
    {'ORDERS': 17}
    """
    found: dict[str, int] = {}
    table = ""
    for line in told.splitlines():
        named, counted = _TABLE.search(line), _COUNT.search(line)
        if named is not None:
            table = named[1].strip('"')
            found[table] = 0
        elif counted is not None and table:
            found[table] = int(counted[1])
    return found


def tables_of(told: str) -> list[str]:
    """
    Return the tables that gbak wrote, with rows or without.

    >>> tables_of("gbak:    writing table EXT\\ngbak:    writing view V")
    ['EXT']
    """
    return [found[1].strip('"') for line in told.splitlines() if (found := _MADE.search(line))]
