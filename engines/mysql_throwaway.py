"""A MariaDB server of this machine's programs, reached by a socket alone: for restore tests and for rolling forward."""

from __future__ import annotations

import os
import re
import signal
import socket as sockets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from airflow_backup.core import process
from airflow_backup.core.errors import EngineError, VerifyError
from airflow_backup.core.process import Process
from airflow_backup.engines.mysql_server import Server, find
from airflow_backup.engines.protocol import Surroundings
from airflow_backup.engines.throwaway import Place

_GRACE = 120.0
_LAYOUT = re.compile(r"^(innodb_page_size|innodb_data_file_path)=(.+)$", re.MULTILINE)


def new_server(where: Place, tools: str | None) -> Path:
    """Make an empty data folder."""
    data = where.folder / "data"
    command = [
        find("mariadb-install-db", tools),
        "--no-defaults",
        f"--datadir={data}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    ]
    process.run(command, user=where.user)
    return data


@contextmanager
def running(
    data: Path,
    socket: Path,
    around: Surroundings,
    *,
    user: str | None,
    tools: str | None = None,
    opens_to_all: bool = False,
) -> Iterator[Server]:
    """
    Start a server on a data folder; VerifyError when it does not come up.

    It writes no binary log, runs no event and listens on no network. ``opens_to_all`` asks for no
    password: of a restored folder nobody here knows one.
    """
    address = socket / "s.sock"
    server = Server(str(address), None, "root", None, tools)
    command = [find("mariadbd", tools), "--no-defaults", *_options(data, address)]
    if opens_to_all:
        command.append("--skip-grant-tables")
    if user is None and os.geteuid() == 0:
        command.append("--user=root")
    with Process(command, user=user, signal_at_our_death=signal.SIGTERM) as child:
        _wait(child, server, around)
        try:
            yield server
        finally:
            child.stop(signal.SIGTERM, grace=_GRACE)


def _options(data: Path, address: Path) -> Sequence[str]:
    layout = data / "backup-my.cnf"
    found = _LAYOUT.findall(layout.read_text()) if layout.exists() else []
    return (
        f"--datadir={data}",
        f"--socket={address}",
        f"--pid-file={address}.pid",
        f"--secure-file-priv={address.parent}",
        "--skip-networking",
        "--skip-log-bin",
        "--skip-slave-start",
        "--event-scheduler=OFF",
        "--innodb-buffer-pool-size=128M",
        "--innodb-flush-log-at-trx-commit=0",
        "--max-allowed-packet=1G",
        *(f"--{key.replace('_', '-')}={value}" for key, value in found),
    )


def _wait(child: Process, server: Server, around: Surroundings) -> None:
    while child.is_running:
        around.reporter.advance()  # where the run is cancelled, this raises
        if _listens(str(server.place)):
            with server.session():
                return
        time.sleep(0.1)
    try:
        child.wait()
    except EngineError as error:
        raise VerifyError(f"no server starts on what was restored: {error.message}") from error
    raise VerifyError("the server ended at once on what was restored")


def _listens(address: str) -> bool:
    with sockets.socket(sockets.AF_UNIX) as probe:
        try:
            probe.connect(address)
        except OSError:
            return False
        return True
