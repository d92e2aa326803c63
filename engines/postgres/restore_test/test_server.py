"""
A PostgreSQL server for a restore test: in a folder below the scratch folder, reached by a socket alone.

It reads a configuration of its own, never the restored one: that could archive into the real archive,
connect to the real primary, or load libraries that start jobs.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import EngineError, Inconclusive, SourceError, VerifyError
from airflow_backup.core.process.cage import Cage
from airflow_backup.core.process.process import Process
from airflow_backup.engines.postgres.client import libpq
from airflow_backup.engines.postgres.client.lacking import is_not_here
from airflow_backup.engines.postgres.client.programs import find
from airflow_backup.engines.postgres.client.server import Server
from airflow_backup.engines.postgres.restore_test.activity import ActivityCheck
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.shared.test_server import Place

_NOTHING: Mapping[str, str] = {}
_GRACE = 60.0
_STARTING = (
    "starting up",
    "not yet accepting connections",
    "not accepting connections",
    "shutting down",
    "in recovery",
    "No such file or directory",
    "Connection refused",
    "timeout expired",
    "server closed the connection",
)
"""What a server says that may answer in a moment."""

_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "archive_mode": "off",
    "archive_command": "",
    "primary_conninfo": "",
    "shared_preload_libraries": "",
    "session_preload_libraries": "",
    "local_preload_libraries": "",
    "ssl": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "hot_standby": "off",
    "port": "5432",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "jit": "off",
    "shared_buffers": "64MB",
    "huge_pages": "off",
    "dynamic_shared_memory_type": "mmap",
    "archive_cleanup_command": "",
    "recovery_end_command": "",
    "restore_command": "",
    "ssl_passphrase_command": "",
    "external_pid_file": "",
    "dynamic_library_path": "$libdir",
    "max_wal_size": "4GB",
}


@dataclass(frozen=True, slots=True)
class Superuser:
    """Who may do everything on a test server, and the password, where one is asked for."""

    name: str
    password: str | None = field(default=None, repr=False)


def new_cluster(where: Place, *, version: int, folder: str | None) -> tuple[Path, Superuser]:
    """
    Make an empty cluster of ``version`` or newer; return its data folder and its superuser.

    That one has a name which no role of a dump has, and a password which nothing in a dump knows.
    """
    initdb = find("initdb", at_least=version, folder=folder)
    data, secret = where.folder / "data", where.folder / "password"
    own = Superuser(f"keeper_{secrets.token_hex(6)}", secrets.token_hex(24))
    handle = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(f"{own.password}\n")
    where.give()
    options = ("--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C")
    named = (f"--pgdata={data}", f"--username={own.name}", f"--pwfile={secret}")
    libpq.run([initdb, *named, *options], user=where.user)
    secret.unlink()
    return data, own


@contextmanager
def running(
    where: Place,
    data: Path,
    program: str,
    context: EngineContext,
    *,
    superuser: Superuser,
    run: Sequence[str] = (),
    settings: Mapping[str, str] = _NOTHING,
    databases: Sequence[str] = ("postgres",),
    objects: int = 0,
    version: int = 0,
) -> Iterator[Server]:
    """
    Start a server on a data folder; VerifyError when it does not come up, Inconclusive when it does not answer.

    ``databases`` are tried in turn: not every cluster has one called postgres. ``objects`` is how many
    one transaction may have to lock, ``run`` which programs the server itself may start, ``settings`` more
    of its settings.
    """
    configuration = where.folder / "configuration"
    configuration.mkdir()
    (configuration / "postgresql.conf").touch()
    (configuration / "pg_ident.conf").touch()
    way = "trust" if superuser.password is None else "scram-sha-256"
    (configuration / "pg_hba.conf").write_text(f"local all all {way}\n")
    where.give()
    own = Connection(
        "test server",
        host=str(where.socket),
        login=superuser.name,
        password=superuser.password,
        schema=databases[0],
    )
    server = Server.at(own, None)
    limits = _limits(program, data, where.user, objects)
    if version >= 17:
        limits["event_triggers"] = "off"  # one that fires at a login could shut us out
    command = [program, "-D", str(data), *_options(where, configuration, {**limits, **settings})]
    caged = where.cage.command(command, run=run, signal_at_death=signal.SIGINT)
    with libpq.start(caged, name="postgres") as child:
        where.guard.add(child)
        server = _wait(child, data, server, databases, context)
        try:
            yield server
        finally:
            child.stop(signal.SIGINT, grace=_GRACE)


def _limits(program: str, data: Path, user: str | None, objects: int) -> dict[str, str]:
    """Return limits that are no narrower than those of the server that the data come from."""
    limits = {
        "max_connections": 20,
        "max_worker_processes": 8,
        "max_prepared_transactions": 0,
        "max_locks_per_transaction": max(1024, objects),
    }
    control = find_beside(program, "pg_controldata")
    if control is not None:
        cage = Cage((), user, read=(str(data),))
        told = libpq.run(cage.command([control, f"--pgdata={data}"]), name="pg_controldata")
        text = told.decode("utf-8", "replace")
        for line in text.splitlines():
            key, _, value = line.partition(" setting:")
            name = _CONTROLS.get(key)
            if name is not None and value.strip().isdigit():
                limits[name] = max(limits[name], int(value))
    return {name: str(value) for name, value in limits.items()}


_CONTROLS = {
    "max_connections": "max_connections",
    "max_worker_processes": "max_worker_processes",
    "max_prepared_xacts": "max_prepared_transactions",
    "max_locks_per_xact": "max_locks_per_transaction",
}


def find_beside(program: str, other: str) -> str | None:
    """Return the program that lies beside another one, or beside what that is a link to."""
    for each in (Path(program), Path(program).resolve()):
        found = each.with_name(other)
        if found.exists():
            return str(found)
    return None


def _options(where: Place, configuration: Path, limits: Mapping[str, str]) -> Sequence[str]:
    files = {
        "config_file": str(configuration / "postgresql.conf"),
        "hba_file": str(configuration / "pg_hba.conf"),
        "ident_file": str(configuration / "pg_ident.conf"),
        "unix_socket_directories": str(where.socket),
    }
    every = {**_SETTINGS, **limits, **files}
    return [part for key, value in every.items() for part in ("-c", f"{key}={value}")]


def _wait(
    child: Process, data: Path, server: Server, databases: Sequence[str], context: EngineContext
) -> Server:
    """Wait for recovery to end: it takes as long as the WAL is long, and not longer."""
    watch = ActivityCheck(data)
    waiting = list(databases)
    while child.is_running:
        context.reporter.advance()  # where the run is cancelled, this raises
        try:
            server.connect().close()
        except SourceError as error:
            if "there is no database" in error.message and len(waiting) > 1:
                waiting.pop(0)
                server = server.other(waiting[0])
                continue
            if not any(sign in error.message for sign in _STARTING):
                raise Inconclusive(
                    f"a server started on what was restored, and cannot be asked here: {error.message}"
                ) from error
            watch.check(error.message)
            time.sleep(0.1)
        else:
            return server
    try:
        child.wait()
    except EngineError as error:
        if is_not_here(error.message):
            raise Inconclusive(
                f"no server of this machine starts on it: {error.message}"
            ) from error
        raise VerifyError(f"no server starts on what was restored: {error.message}") from error
    raise VerifyError("the server ended at once on what was restored")
