"""Redis for airflow-backup: a snapshot in Redis' own format, over the wire, while the server works on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from airflow_backup.engine import (
    BackupError,
    ConfigError,
    Connection,
    ConnectionId,
    DumpReport,
    EngineContext,
    EngineError,
    EngineOptions,
    Kind,
    RestoreReport,
    SetReader,
    Sink,
    VerifyError,
    asked,
    open_target,
    run,
)

SNAPSHOT = "dump.rdb"
_MAGIC, _END, _CHECKSUM = b"REDIS", 0xFF, 8


class RedisOptions(EngineOptions):
    """One Redis server."""

    engine: Literal["redis"]
    """Which engine reads the source."""

    connection_types: ClassVar[tuple[str, ...]] = ("redis",)  # those that lead to what we back up

    connection: Annotated[ConnectionId, asked("Airflow connection", example="cache")]
    """The Airflow connection: host, port, password."""


class RedisEngine:
    """Takes what a replica of the server would get."""

    options = RedisOptions  # the options that a schedule may write
    name = "redis"
    version = "1"  # of what is inside the streams
    kinds = frozenset({Kind.FULL})

    def check(self, source: RedisOptions, context: EngineContext) -> list[BackupError]:
        """Return every problem that can be seen before anything is read."""
        try:
            server = context.connections(source.connection)
            answer = run([*_command(server), "PING"], environment=_password(server)).output
        except BackupError as error:
            return [error]
        if answer.strip() != b"PONG":
            return [EngineError(f"redis at {server.host} says {answer.decode().strip()}")]
        return []

    def dump(
        self,
        source: RedisOptions,
        context: EngineContext,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """Fetch the snapshot and store it; one that has no end is a failure."""
        server = context.connections(source.connection)
        consistent_at = context.clock()
        context.reporter.begin("fetching", bytes_total=context.expected_bytes)
        with tempfile.TemporaryDirectory(prefix="backup-", dir=context.scratch) as folder:
            # Into a file: what redis-cli writes to its output ends in a mark that is no part of the snapshot.
            file = Path(folder) / SNAPSHOT
            run([*_command(server), "--rdb", str(file)], environment=_password(server))
            size = _check(file)
            with sink.stream(SNAPSHOT) as stream, file.open("rb") as snapshot:
                while chunk := snapshot.read(1024 * 1024):
                    stream.write(chunk)
                    context.reporter.advance(bytes_done=len(chunk))
        context.reporter.finish()
        return DumpReport(consistent_at=consistent_at, files=1, bytes_read=size)

    def restore(
        self,
        chain: Sequence[SetReader],
        target: Path,
        context: EngineContext,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """Write the snapshot where a server that starts in ``target`` finds it."""
        if only:
            raise ConfigError("a snapshot is restored whole", hint="leave the paths out")
        os.close(open_target(target))  # refuses a folder that holds something
        (reader,) = chain
        written = 0
        with (target / SNAPSHOT).open("xb") as file:
            for block in reader.blocks(SNAPSHOT):
                written += file.write(block)
        return RestoreReport(files=1, bytes_written=written)

    # What follows is optional: the reference of `airflow_backup.engine` says which further verbs there are.

    def check_format(self, stored: SetReader) -> Sequence[str]:
        """For `verify: {level: standard}`: look at the beginning without reading all."""
        if b"".join(stored.blocks(SNAPSHOT, 0, len(_MAGIC))) != _MAGIC:
            raise VerifyError("this is not a snapshot of Redis")
        return ["the beginning of the snapshot"]


def _check(file: Path) -> int:
    """Return the size of a whole snapshot; EngineError when it has no beginning or no end."""
    with file.open("rb") as snapshot:
        head = snapshot.read(len(_MAGIC))
        size = snapshot.seek(0, os.SEEK_END)
        snapshot.seek(max(0, size - _CHECKSUM - 1))
        if head != _MAGIC or snapshot.read(1) != bytes([_END]):
            raise EngineError("redis sent no whole snapshot")
    return size


def _command(server: Connection) -> list[str]:
    return ["redis-cli", "-h", server.host or "localhost", "-p", str(server.port or 6379)]


def _password(server: Connection) -> dict[str, str]:
    return {"REDISCLI_AUTH": server.password} if server.password else {}  # never an argument
