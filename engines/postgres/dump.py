"""
One database by ``pg_dump``, and the roles by ``pg_dumpall``.

A set has the stream ``database.dump`` (custom format) or ``database.tar`` (a tar of the directory
format), uncompressed inside our frames, and ``globals.sql`` (roles and tablespaces, without
passwords). The rows of every table are counted in the very snapshot that the dump reads, so that rows
which a role may not see, or a dump that lost some, show in the manifest.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from airflow_backup.core.errors import BackupError, EngineError, SourceLocked
from airflow_backup.core.process.process import Process
from airflow_backup.core.progress import Reporter
from airflow_backup.engines.postgres.client import libpq
from airflow_backup.engines.postgres.client.libpq import warnings_in
from airflow_backup.engines.postgres.client.server import Server, tool_version
from airflow_backup.engines.postgres.client.snapshot import Snapshot
from airflow_backup.engines.postgres.client.standby import behind
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.engines.postgres.properties.model import PROPERTIES
from airflow_backup.engines.postgres.properties.reading import read_properties
from airflow_backup.engines.postgres.rights import LARGE_OBJECTS
from airflow_backup.engines.protocol import DumpReport, EngineContext, Sink, Stream
from airflow_backup.engines.shared.json_stream import readable
from airflow_backup.engines.shared.scratch import check_room, scratch_folder
from airflow_backup.engines.shared.tar_stream import open_tar

DUMP, ARCHIVE, GLOBALS = "database.dump", "database.tar", "globals.sql"
_COMPLETE = b"PostgreSQL database cluster dump complete"
_CUSTOM_FORMAT = b"PGDMP"
_KEPT = 4096
LOCK_WAIT = "30s"
_HINTS = {
    "permission denied for large object": LARGE_OBJECTS,
    "query would be affected by row-level security": "ALTER ROLE ... BYPASSRLS;",
}


def dump_logical(
    given: PostgresOptions, server: Server, context: EngineContext, sink: Sink
) -> DumpReport:
    """Dump one database, what the server says about it, and count its rows in the same snapshot."""
    warnings: list[str] = []
    with server.snapshot() as snapshot, ThreadPoolExecutor(2) as aside:
        consistent_at = context.clock()
        warnings += behind(snapshot.connection)
        properties = read_properties(snapshot.connection)
        server = server.beside(snapshot.connection, tempered=True)
        counting = aside.submit(snapshot.count_rows)
        globals_ = aside.submit(_dump_globals, server, properties.encoding, sink, warnings)
        with _blaming_the_count(snapshot, counting.exception):
            if given.format == "directory":
                files, size = _dump_folder(given, server, snapshot, context, sink, warnings)
            else:
                files, size = 1, _dump_stream(server, snapshot, context, sink, warnings)
        context.reporter.begin("counting")
        counts, size_of_globals = counting.result(), globals_.result()
        version = snapshot.version
    with sink.stream(PROPERTIES) as stream:
        text = readable(properties.to_bytes(), PROPERTIES)
        stream.write(text)
    context.reporter.finish()
    return DumpReport(
        consistent_at=consistent_at,
        files=files + 2,
        bytes_read=size + size_of_globals + len(text),
        tools={
            "postgresql": version,
            "pg_dump": str(tool_version(server, "pg_dump")),
            "pg_dumpall": str(tool_version(server, "pg_dumpall")),
        },
        counts=counts,
        warnings=[*_newer(server), *warnings],
        state={
            "method": "logical",
            "database": server.database,
            "encoding": properties.encoding,
        },
    )


def _newer(server: Server) -> list[str]:
    """Warn where only newer programs are here: what they write is sure to go into newer servers alone."""
    found = tool_version(server, "pg_dump")
    if found == server.version:
        return []
    told = f"pg_dump {found} took a dump of PostgreSQL {server.version}, and only its programs or newer load it"
    return [f"{told}: apt-get install postgresql-client-{server.version}"]


def _dump_globals(server: Server, encoding: str, sink: Sink, warnings: list[str]) -> int:
    """Dump what belongs to no database: pg_dumpall knows no snapshot, so it need not wait for one."""
    # Over our own database: the role may be shut out of `postgres`.
    options = ["--globals-only", "--no-role-passwords", "--no-password"]
    # A name alone would be read as a connection string, if it looks like one.
    options.append(f"--database={libpq.conninfo({'dbname': server.database})}")
    # Names of roles are bytes that belong to no encoding, and are converted by none but by UTF8 itself.
    options.append(f"--encoding={'UTF8' if encoding == 'UTF8' else 'SQL_ASCII'}")
    with sink.stream(GLOBALS) as stream:
        found = _pump(server, "pg_dumpall", options, stream, Reporter(), warnings)
        if _COMPLETE not in found.tail:
            raise EngineError("pg_dumpall ended before its last line")
    return found.size


def _options(snapshot: Snapshot, *more: str) -> tuple[str, ...]:
    # Never --enable-row-security: a role that may not see every row must fail, not dump some of them.
    # The database's own encoding: what it or the role sets for sessions may not have every character.
    own = f"--encoding={snapshot.encoding}"
    # Our snapshot holds every table. Whoever wants to change one waits for us, and pg_dump behind him.
    wait = f"--lock-wait-timeout={LOCK_WAIT}"
    return ("--compress=0", "--no-password", f"--snapshot={snapshot.id}", own, wait, *more)


def _dump_stream(
    server: Server, snapshot: Snapshot, context: EngineContext, sink: Sink, warnings: list[str]
) -> int:
    context.reporter.begin("dumping", bytes_total=snapshot.size)
    options = _options(snapshot, "--format=custom")
    with sink.stream(DUMP) as stream:
        read = _pump(server, "pg_dump", options, stream, context.reporter, warnings)
        if read.head != _CUSTOM_FORMAT:
            raise EngineError("pg_dump wrote nothing that is a dump")
    return read.size


def _dump_folder(
    given: PostgresOptions,
    server: Server,
    snapshot: Snapshot,
    context: EngineContext,
    sink: Sink,
    warnings: list[str],
) -> tuple[int, int]:
    """Let several sessions write a folder, then store it as one archive."""
    check_room(context.scratch, snapshot.size)
    with scratch_folder(context.scratch) as scratch:
        folder = Path(scratch) / "database"
        more = ("--format=directory", f"--jobs={given.jobs}", f"--file={folder}")
        context.reporter.begin("dumping")
        with _told(server.start("pg_dump", *_options(snapshot, *more)), warnings) as process:
            for _ in process.chunks():
                pass
        files = sorted(folder.iterdir())
        if not (folder / "toc.dat").exists():
            raise EngineError("pg_dump wrote no table of contents")
        size = sum(file.stat().st_size for file in files)
        context.reporter.begin("copying", bytes_total=size)
        with sink.stream(ARCHIVE) as stream, open_tar(stream, context.reporter) as tar:
            for file in files:
                _add(tar, file)
    return len(files), size


def _add(tar: tarfile.TarFile, file: Path) -> None:
    member = tar.gettarinfo(str(file), arcname=file.name)
    with file.open("rb") as content:
        tar.addfile(member, content)
    file.unlink()


@contextmanager
def _blaming_the_count(snapshot: Snapshot, refusal: object) -> Iterator[None]:
    """Stop the count when the dump fails; where it was the count that failed first, raise that."""
    try:
        yield
    except BaseException as error:
        snapshot.cancel()  # the rows need not be counted any more
        refused = refusal()  # type: ignore[operator]
        if isinstance(refused, EngineError) and not snapshot.was_cancelled(refused):
            raise refused from error  # it ended the transaction, and with it the snapshot of the dump
        raise


class _Pumped:
    """How much went through, how it began and how it ended."""

    def __init__(self) -> None:
        self.size, self.head, self.tail = 0, b"", b""

    def note(self, chunk: bytes) -> None:
        if len(self.head) < len(_CUSTOM_FORMAT):
            self.head = (self.head + chunk)[: len(_CUSTOM_FORMAT)]
        self.tail = (self.tail + chunk)[-_KEPT:]
        self.size += len(chunk)


def _pump(
    server: Server,
    program: str,
    options: Sequence[str],
    stream: Stream,
    reporter: Reporter,
    warnings: list[str],
) -> _Pumped:
    pumped = _Pumped()
    with _told(server.start(program, *options), warnings) as process:
        for chunk in process.chunks():
            stream.write(chunk)
            pumped.note(chunk)
            reporter.advance(bytes_done=len(chunk))
    return pumped


@contextmanager
def _told(process: Process, warnings: list[str]) -> Iterator[Process]:
    """Run a program in the block; explain what it says when it fails, and keep what it warns of."""
    try:
        with process:
            yield process
    except EngineError as error:
        raise explained(error) from error
    warnings += warnings_in(process)


def explained(error: EngineError) -> BackupError:
    """Add what can be done to what PostgreSQL's programs say."""
    if "due to lock timeout" in error.message:
        return SourceLocked(
            "a table was to be changed or dropped just as the dump began",
            hint="a retry takes it; what runs DDL at this hour?",
        )
    for sign, hint in _HINTS.items():
        if sign in error.message and error.hint is None:
            return EngineError(error.message, hint=hint)
    return error
