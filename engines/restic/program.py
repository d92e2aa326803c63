"""
The restic program: its password by file, its facts from its JSON, its failures by its version.

Exit codes say what went wrong from release 0.17 on (10 no repository, 11 locked, 12 wrong password); before,
all of them are 1, and only the words tell. A missing source passed as success before 0.19, so that sources are
looked at by us. See https://restic.readthedocs.io/en/stable/075_scripting.html.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from airflow_backup.core.connections import Connections
from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    EngineError,
    NotFound,
    SourceDenied,
    SourceLocked,
    SourceUnavailable,
    StorageFull,
    ToolMissing,
)
from airflow_backup.core.process.environment import is_steering
from airflow_backup.core.process.process import Process
from airflow_backup.core.progress import Reporter
from airflow_backup.engines.restic.told import (
    LOCKED,
    MOST_LINES,
    NO_REPOSITORY,
    WRONG_PASSWORD,
    Message,
    complaints,
    meaning_of,
    message_in,
    unread_in,
)
from airflow_backup.engines.shared.scratch import scratch_folder

OLDEST = (0, 14)
_CODES_SINCE = (0, 17)
_SOME_UNREADABLE = 3
_VARIABLE = re.compile(r"(AWS|AZURE|GOOGLE|B2|OS|ST|RESTIC_REST)_[A-Z0-9_]+|HTTPS?_PROXY|NO_PROXY")
_RUNS_PROGRAMS = (
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
)
"""What lets a file name a program that tells a password."""

_SENDS_FILES = re.compile(r"[A-Z0-9_]+_FILE|AWS_CONTAINER_[A-Z0-9_]+")
"""What makes restic read a file of the machine, and send it to a service that other variables name."""

_CACHE = "RESTIC_CACHE_DIR"
_AWAY = (
    "connection refused",
    "no such host",
    "timeout",
    "connection reset",
    "network is unreachable",
)
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Restic:
    """A repository of restic's, and how to open it."""

    program: str
    repository: str
    connection: str
    password: str = field(repr=False)
    variables: dict[str, str] = field(repr=False)

    @classmethod
    def of(
        cls, program: str | None, repository: str, connection: str, connections: Connections
    ) -> Restic:
        """Read the connection; ConfigError when it has no password."""
        found = connections(connection)
        if not found.password:
            raise ConfigError(
                f"connection '{connection}' has no password",
                hint="it is the one that opens restic's repository",
            )
        given = ((key, str(value)) for key, value in found.extra.items())
        extra = {key: value for key, value in given if _is_passed_on(key, value)}
        return cls(program or "restic", repository, connection, found.password, extra)

    def version(self) -> tuple[int, int]:
        """Return the release; ToolMissing when there is no program or it is too old."""
        with Process([self.program, "version"]) as process:
            text = b"".join(process.chunks()).decode("utf-8", "replace")
        found = re.match(r"restic (\d+)\.(\d+)", text)
        if found is None:
            raise ToolMissing(f"'{self.program} version' said no version", hint="is it restic?")
        version = int(found[1]), int(found[2])
        if version < OLDEST:
            raise ToolMissing(f"restic {version[0]}.{version[1]} is too old", hint="0.14 or newer")
        return version

    def exists(self) -> bool:
        """Whether the repository is there and the password opens it."""
        try:
            self.ask("cat", "config", "--no-lock")
        except NotFound:
            return False
        return True

    def init(self) -> None:
        """Make the restic repository where there is none."""
        self.ask("init")

    def snapshots(self, *tags: str) -> list[Message]:
        """Return the snapshots that carry all of these tags, the oldest first."""
        found = self.ask("snapshots", "--json", f"--tag={','.join(tags)}")
        return sorted(json.loads(found or b"[]") or [], key=lambda each: str(each["time"]))

    def ask(self, *arguments: str) -> bytes:
        """Run to the end and return the output; a stale lock is removed, and then asked once more."""
        return self._with_lock(lambda: self._run(arguments, None, Reporter()))

    def follow(
        self, *arguments: str, told: Callable[[Message], None], reporter: Reporter
    ) -> list[str]:
        """Run with ``--json``, hand over each message, and return what could not be read."""

        def run() -> list[str]:
            unread: list[str] = []
            self._run(arguments, told, reporter, unread=unread)
            return unread

        return self._with_lock(run)

    def _with_lock(self, run: Callable[[], _Answer]) -> _Answer:
        try:
            return run()
        except SourceLocked:
            self._run(("unlock",), None, Reporter())  # removes stale locks only
            return run()

    def _run(
        self,
        arguments: tuple[str, ...],
        told: Callable[[Message], None] | None,
        reporter: Reporter,
        *,
        unread: list[str] | None = None,
    ) -> bytes:
        output: list[bytes] = []
        codes = (0,) if unread is None else (0, _SOME_UNREADABLE)
        process: Process | None = None
        with self._environment() as environment:
            try:
                with Process(
                    [self.program, *arguments],
                    environment=environment,
                    contained=True,
                    success_codes=codes,
                    tail_lines=200 if unread is None else MOST_LINES,
                ) as process:
                    for line in _lines(process, reporter):
                        message = message_in(line) if told is not None else None
                        if message is None:
                            output.append(line)
                        elif told is not None:
                            told(message)
            except ToolMissing:
                raise
            except EngineError as error:
                if process is None:
                    raise
                raise self._failure(process, arguments[0]) from error
        if process.exit_code == _SOME_UNREADABLE and unread is not None:
            unread += unread_in(process.errors)
        return b"".join(output)

    @contextmanager
    def _environment(self) -> Iterator[dict[str, str]]:
        with scratch_folder() as folder:
            files = {
                "RESTIC_PASSWORD_FILE": self.password,
                "RESTIC_REPOSITORY_FILE": self.repository,
            }
            named = {}
            for variable, text in files.items():
                path = Path(folder) / variable.lower()
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(f"{text}\n")
                named[variable] = str(path)
            cache = {_CACHE: os.environ[_CACHE]} if _CACHE in os.environ else {}
            yield {**cache, **self.variables, **named, "RESTIC_PROGRESS_FPS": "1"}

    def _failure(self, process: Process, verb: str) -> BackupError:
        code, text = process.exit_code or 0, "; ".join(complaints(process.errors))
        meaning = code if self._has_codes() else meaning_of(process.errors)
        where = f"restic's repository {self.repository}"
        if meaning == NO_REPOSITORY:
            return NotFound(
                f"there is no {where}",
                hint="is its disk mounted? if it is new: restic init, or `init: true`",
            )
        if meaning == WRONG_PASSWORD:
            return SourceDenied(
                f"the password of connection '{self.connection}' does not open {where}"
            )
        if meaning == LOCKED:
            return SourceLocked(f"{where} is locked by somebody who still works there: {text}")
        if "no space left" in text.lower():
            return StorageFull(f"no room left in {where}")
        if any(sign in text.lower() for sign in _AWAY):
            return SourceUnavailable(f"{where} cannot be reached: {text}")
        return EngineError(f"restic {verb} failed with code {code}: {text}")

    def _has_codes(self) -> bool:
        try:
            return self.version() >= _CODES_SINCE
        except EngineError:
            return False


def _is_passed_on(name: str, value: str) -> bool:
    """Whether a variable of a connection is for restic; the token of a pod's own, where it is the worker's own too."""
    if not _VARIABLE.fullmatch(name) or name in _RUNS_PROGRAMS or is_steering(name):
        return False
    return _SENDS_FILES.fullmatch(name) is None or os.environ.get(name) == value


def _lines(process: Process, reporter: Reporter) -> Iterator[bytes]:
    rest = b""
    for chunk in process.chunks(tick=1.0):
        reporter.advance()  # so that a pause or the end of the window is noticed while restic is silent
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in lines)
    if rest:
        yield rest
