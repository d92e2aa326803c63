"""
A PostgreSQL server for a restore test: in a folder below the scratch folder, reached by a socket alone.

It reads a configuration of its own, never the restored one: that could archive into the real archive,
connect to the real primary, or load libraries that start jobs.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import EngineError, Inconclusive, SourceError, VerifyError
from airflow_backup.core.process.process import Process
from airflow_backup.engines.postgres.client import libpq
from airflow_backup.engines.postgres.client.programs import find
from airflow_backup.engines.postgres.client.server import Server
from airflow_backup.engines.protocol import Surroundings
from airflow_backup.engines.shared.test_server import Place

_NOTHING: Mapping[str, str] = {}
_GRACE = 60.0
_STILL = 300.0
"""Seconds without any sign of work after which a server is not waited for any more."""
_LOOK = 5.0
_WORKED = 1024**2
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
    """Who may do everything on a throwaway server, and the password, where one is asked for."""

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
    around: Surroundings,
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
        "throwaway",
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
        where.watch.add(child)
        server = _wait(child, data, server, databases, around)
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
        text = libpq.run([control, f"--pgdata={data}"], user=user).decode("utf-8", "replace")
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
    child: Process, data: Path, server: Server, databases: Sequence[str], around: Surroundings
) -> Server:
    """Wait for recovery to end: it takes as long as the WAL is long, and not longer."""
    watch = _Watch(data)
    waiting = list(databases)
    while child.is_running:
        around.reporter.advance()  # where the run is cancelled, this raises
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


_NOT_HERE = re.compile(
    "|".join(
        (
            *("is not available", "could not open extension control file", "could not access file"),
            *("could not load library", "shared_preload_libraries", "can only create extension"),
            *(
                "ICU is not supported",
                "could not open collator",
                "[Ii]nvalid locale",
                "invalid LC_",
            ),
            *(
                "could not create locale",
                "could not find .*locale",
                "incompatible with operating system",
            ),
            *(
                "is not supported by this build",
                "collation .* does not exist",
                "out of shared memory",
            ),
            *(
                "No space left on device",
                "out of memory",
                "Cannot allocate memory",
                "too many clients",
            ),
            *("could not create shared memory", "could not map anonymous shared memory"),
            *(
                "could not resize shared memory",
                "could not create semaphores",
                "Too many open files",
            ),
            *("resource manager with ID", "unrecognized configuration parameter"),
            *("maximum number of prepared transactions", 'role ".*" does not exist'),
            *('tablespace ".*" does not exist', "stack depth limit exceeded"),
        )
    )
)


def is_not_here(message: str) -> bool:
    """
    Whether a failure says that this machine, or a server of its own, lacks what the original has.

    >>> is_not_here('extension "postgis" is not available')
    True
    >>> is_not_here('invalid byte sequence for encoding "UTF8": 0xff')
    False
    """
    return _NOT_HERE.search(message) is not None


class _Watch:
    """Looks whether a server still works on something, by the time and the bytes that Linux counts for it."""

    def __init__(self, data: Path) -> None:
        self._data, self._last = data, (0.0, 0)
        self._looked = self._moved = time.monotonic()

    def check(self, told: str) -> None:
        """Raise Inconclusive when nothing has moved for a long time."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        seconds, read = self._work()
        busy = seconds - self._last[0] > (now - self._looked) / 50
        if busy or read - self._last[1] > _WORKED:
            self._moved = now
        self._last, self._looked = (seconds, read), now
        if now - self._moved > _STILL:
            raise Inconclusive(
                f"the server that was started on it has done nothing for {_STILL:.0f} seconds "
                f"and does not answer: {told}"
            )

    def _work(self) -> tuple[float, int]:
        """Return the seconds of processor time and the bytes read and written by the server's processes."""
        seconds, count = 0.0, 0
        try:
            own = (self._data / "postmaster.pid").read_text().split()[0]
        except (OSError, IndexError):
            return seconds, count
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if own not in (folder.name, fields[1]):  # the server, and those it started
                    continue
                seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                lines = (folder / "io").read_text().splitlines()
                count += sum(int(line.split(":")[1]) for line in lines if line[1:5] == "char")
            except (OSError, ValueError, IndexError):
                continue  # it ended meanwhile
        return seconds, count
