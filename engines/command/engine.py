"""
A program of one's own: an argument list from the schedule, never a shell.

The program must be on the list that an administrator keeps in ``[backup] allowed_commands``. Whoever may write
schedules could otherwise run anything as the worker. A set has the stream ``result.json`` (exit code, duration,
the last of what the program printed, secrets masked) and, where the source names ``output``, what the program
wrote, as ``files.tar``. The program finds an empty folder under ``BACKUP_OUTPUT``; what it leaves there is stored too.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow_backup.core import allowed_commands
from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    EngineError,
    SourceError,
    ToolMissing,
    VerifyError,
)
from airflow_backup.core.paths.holding import path_of
from airflow_backup.core.process.process import Process
from airflow_backup.core.text.durations import format_duration
from airflow_backup.core.words import Kind
from airflow_backup.engines.command.options import CommandOptions
from airflow_backup.engines.command.state import CommandState
from airflow_backup.engines.files.engine import FilesEngine
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import (
    DumpReport,
    EngineContext,
    RestoreReport,
    SetReader,
    Sink,
    VerificationReport,
)
from airflow_backup.engines.shared.json_stream import bytes_of, json_of
from airflow_backup.engines.shared.restore_root import open_target
from airflow_backup.engines.shared.scratch import scratch_folder
from airflow_backup.schedules.model.base import Model

RESULT = "result.json"
OUTPUT_VARIABLE = "BACKUP_OUTPUT"
_KEPT = 64 * 1024
"""Bytes of the end of its output, and of its errors, that are kept."""

_MASK = "***"


class CommandEngine:
    """Runs a program, and keeps what it said and wrote."""

    name = "command"
    counts_entries = True
    state_model = CommandState
    version = "1"
    kinds = frozenset({Kind.FULL})

    def check(self, source: Model, context: EngineContext) -> list[BackupError]:
        """Return what is in the way: the program is not allowed, or not there; a secret is missing."""
        given = _options(source)
        program = given.workflow.command[0]
        problems: list[BackupError] = []
        known = allowed_commands.programs(context.allowed_commands)
        if program not in known:
            allowed = ", ".join(known)
            problems.append(
                ConfigError(
                    f"the program '{program}' is not on the list of allowed commands",
                    hint=f"allowed are: {allowed}"
                    if allowed
                    else "an administrator names it in the option allowed_commands of [backup]",
                )
            )
        elif not (os.path.isfile(program) and os.access(program, os.X_OK)):
            problems.append(ToolMissing(f"there is no program '{program}' that may be run"))
        folder = given.folder
        if folder is not None and not os.path.isdir(folder):
            problems.append(SourceError(f"there is no folder '{folder}' to run the program in"))
        try:
            _secrets(given, context)
        except BackupError as error:
            problems.append(error)
        return problems

    def dump(
        self,
        source: Model,
        context: EngineContext,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """Run the program to its end, then store what it wrote."""
        given = _options(source)
        consistent_at = context.clock()
        with scratch_folder(context.scratch) as folder:
            result = _run(given, context, folder)
            stored = _store_output(given, context, sink, folder)
        facts = result.as_dict()
        with sink.stream(RESULT) as stream:
            stream.write(json.dumps(facts, indent=2).encode())
        context.reporter.finish()
        return DumpReport(
            consistent_at=consistent_at,
            files=0 if stored is None else stored.files,
            bytes_read=result.printed + (0 if stored is None else stored.bytes_read),
            tools={Path(given.workflow.command[0]).name: "?"},
            counts={} if stored is None else stored.counts,
            warnings=() if stored is None else stored.warnings,
            state={"command": facts, "files": None if stored is None else dict(stored.state)},
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
        """Put back the files that the program wrote, or, where it wrote none, what it printed."""
        (reader,) = chain
        if (output := _output_of(reader)) is not None:
            return FilesEngine().restore([output], target, context, only=only)
        if only:
            raise ConfigError("the program wrote no files", hint="leave the paths out")
        data = bytes_of(reader, RESULT)
        folder = open_target(target)
        try:
            with (path_of(folder, target) / RESULT).open("xb") as file:  # no link of that name
                file.write(data)
        finally:
            os.close(folder)
        return RestoreReport(files=1, bytes_written=len(data))

    def check_format(self, stored: SetReader) -> Sequence[str]:
        """See that the result is whole, and the archive of what the program wrote."""
        checks = [_check_result(stored)]
        if (output := _output_of(stored)) is not None:
            checks += FilesEngine().check_format(output)
        return checks

    def check_structure(self, chain: Sequence[SetReader]) -> Sequence[str]:
        """See that the result is whole, and that what the program wrote would unpack."""
        checks = [_check_result(chain[-1])]
        if (output := _output_of(chain[-1])) is not None:
            checks += FilesEngine().check_structure([output])
        return checks

    def decode(self, chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
        """Read the result and the archive to their ends."""
        checks = [_check_result(chain[-1])]
        output = _output_of(chain[-1])
        if output is None:
            return VerificationReport(checks=checks)
        found = FilesEngine().decode([output], context)
        return replace(found, checks=[*checks, *found.checks])

    def try_restore(
        self, chain: Sequence[SetReader], context: EngineContext, *, assertions: Sequence[str] = ()
    ) -> VerificationReport:
        """Restore what the program wrote into a scratch folder, and look at it."""
        output = _output_of(chain[-1])
        if output is None:
            return VerificationReport(checks=[_check_result(chain[-1])])
        return FilesEngine().try_restore([output], context, assertions=assertions)


@dataclass(frozen=True, slots=True)
class _Result:
    """How the program ended; ``printed`` counts the bytes of its output."""

    exit_code: int
    seconds: float
    output: str
    errors: str
    printed: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 3),
            "output": self.output,
            "errors": self.errors,
            "bytes_printed": self.printed,
        }


class _OutputOf:
    """A set as the files engine reads it."""

    def __init__(self, reader: SetReader) -> None:
        state = reader.manifest.state["files"]
        self.manifest = reader.manifest.model_copy(update={"state": state})
        self.blocks = reader.blocks


def _output_of(reader: SetReader) -> _OutputOf | None:
    return None if reader.manifest.state.get("files") is None else _OutputOf(reader)


def _check_result(reader: SetReader) -> str:
    told = json_of(reader, RESULT)
    if told != reader.manifest.state["command"]:
        raise VerifyError("the result is another one than the manifest says")
    return "the program's result"


def _run(given: CommandOptions, context: EngineContext, folder: str) -> _Result:
    secrets = _secrets(given, context)
    own = {**given.environment, **secrets, OUTPUT_VARIABLE: folder}
    seconds = given.timeout.total_seconds()
    context.reporter.begin("running")
    begun = time.monotonic()
    tail, printed = b"", 0
    try:
        with Process(
            given.command_line(),
            environment=own,
            contained=True,
            folder=given.folder or folder,
            success_codes=given.success_codes,
            tail_lines=500,
        ) as process:
            for chunk in process.chunks(tick=1.0):
                tail = (tail + chunk)[-_KEPT:]
                printed += len(chunk)
                context.reporter.advance(bytes_done=len(chunk))
                if time.monotonic() - begun - context.reporter.left_out > seconds:
                    raise EngineError(
                        f"{process.program} ran longer than {format_duration(given.timeout)} and was ended",
                        hint="raise `timeout`, or make it faster",
                    )
            process.wait_until(begun + seconds + context.reporter.left_out)
    except EngineError as error:
        # The program's own words are in it; the chain of causes would show them unmasked.
        raise type(error)(_masked(error.message, secrets), hint=error.hint) from None
    return _Result(
        exit_code=process.exit_code or 0,
        seconds=time.monotonic() - begun,
        output=_masked(tail.decode("utf-8", "backslashreplace"), secrets),
        errors=_masked(process.errors, secrets)[-_KEPT:],
        printed=printed,
    )


def _store_output(
    given: CommandOptions, context: EngineContext, sink: Sink, folder: str
) -> DumpReport | None:
    for path in given.output:
        if not os.path.lexists(path):
            raise SourceError(
                f"the program ended well and did not write '{path}'", hint="is `output` right?"
            )
    paths = [*given.output, *([folder] if os.listdir(folder) else [])]
    if not paths:
        return None
    files = FilesOptions(engine="files", paths=paths)
    return FilesEngine().dump(files, context, kind=Kind.FULL, parent=None, sink=sink)


def _secrets(given: CommandOptions, context: EngineContext) -> dict[str, str]:
    found: dict[str, str] = {}
    for variable, connection in given.secrets.items():
        password = context.connections(connection).password
        if not password:
            raise ConfigError(f"connection '{connection}' has no password for {variable}")
        found[variable] = password
    return found


def _masked(text: str, secrets: Mapping[str, str]) -> str:
    for secret in sorted(secrets.values(), key=len, reverse=True):
        text = text.replace(secret, _MASK)
    return text


def _options(source: Model) -> CommandOptions:
    if not isinstance(source, CommandOptions):
        raise EngineError(f"the command engine cannot read a {type(source).__name__}")
    return source
