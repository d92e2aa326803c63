"""
A PostgreSQL server for a restore test: in a folder below the scratch folder, reached by a socket alone.

It reads a configuration of its own, never the restored one: that could archive into the real archive,
connect to the real primary, or load libraries that start jobs.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from airflow_backup.core import process
from airflow_backup.core.errors import EngineError, SourceError, VerifyError
from airflow_backup.core.process import Process
from airflow_backup.engines.postgres_programs import find
from airflow_backup.engines.postgres_server import Server
from airflow_backup.engines.protocol import Surroundings
from airflow_backup.engines.throwaway import Place

SUPERUSER = "postgres"
_GRACE = 60.0
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
    "max_connections": "20",
    "hot_standby": "off",
    "shared_buffers": "64MB",
    "huge_pages": "off",
}


def new_cluster(where: Place, *, version: int, folder: str | None) -> Path:
    """Make an empty cluster of ``version`` or newer; return its data folder."""
    initdb = find("initdb", at_least=version, folder=folder)
    data = where.folder / "data"
    options = ("--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
    process.run([initdb, f"--pgdata={data}", f"--username={SUPERUSER}", *options], user=where.user)
    return data


@contextmanager
def running(
    where: Place, data: Path, program: str, around: Surroundings, *, superuser: str = SUPERUSER
) -> Iterator[Server]:
    """Start a server on a data folder; VerifyError when it does not come up."""
    configuration = where.folder / "configuration"
    configuration.mkdir()
    (configuration / "postgresql.conf").touch()
    (configuration / "pg_ident.conf").touch()
    (configuration / "pg_hba.conf").write_text("local all all trust\n")
    where.give()
    server = Server({"host": str(where.socket), "user": superuser, "dbname": "postgres"}, None)
    command = [program, "-D", str(data), *_options(where, configuration)]
    with Process(command, user=where.user, signal_at_our_death=signal.SIGINT) as child:
        _wait(child, server, around)
        try:
            yield server
        finally:
            child.stop(signal.SIGINT, grace=_GRACE)


def _options(where: Place, configuration: Path) -> Sequence[str]:
    files = {
        "config_file": str(configuration / "postgresql.conf"),
        "hba_file": str(configuration / "pg_hba.conf"),
        "ident_file": str(configuration / "pg_ident.conf"),
        "unix_socket_directories": str(where.socket),
    }
    return [part for key, value in (_SETTINGS | files).items() for part in ("-c", f"{key}={value}")]


def _wait(child: Process, server: Server, around: Surroundings) -> None:
    """Wait for recovery to end: it takes as long as the WAL is long."""
    while child.is_running:
        around.reporter.advance()  # where the run is cancelled, this raises
        try:
            server.connect().close()
        except SourceError:
            time.sleep(0.1)
        else:
            return
    try:
        child.wait()
    except EngineError as error:
        raise VerifyError(f"no server starts on what was restored: {error.message}") from error
    raise VerifyError("the server ended at once on what was restored")
