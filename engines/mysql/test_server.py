"""A MariaDB server of this machine's programs, reached by a socket alone: for restore tests and for rolling forward."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket as sockets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from airflow_backup.core.errors import EngineError, VerifyError
from airflow_backup.core.process import commands
from airflow_backup.core.process.process import Process
from airflow_backup.engines.mysql import keys as mysql_keys
from airflow_backup.engines.mysql.client.programs import environment, find_here
from airflow_backup.engines.mysql.client.rights import forget_root
from airflow_backup.engines.mysql.client.server import Server, ask
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.shared.test_server import TEMPORARY, Place

SETTINGS = (
    "lower_case_table_names",
    "innodb_page_size",
    "innodb_strict_mode",
    "innodb_default_row_format",
    "default_storage_engine",
    "explicit_defaults_for_timestamp",
    "character_set_server",
    "collation_server",
    "sql_mode",
)
"""What of a server's settings a statement may depend on; a dump, and a log, do not say all of them."""

_AT_BIRTH = ("lower_case_table_names", "innodb_page_size")
_NOTHING: Mapping[str, str] = {}
_GRACE = 120.0


def new_server(where: Place, tools: str | None, settings: Mapping[str, str] = _NOTHING) -> Path:
    """Make an empty data folder; some settings are those of a folder for ever."""
    data = where.folder / "data"
    command = [
        find_here("mariadb-install-db", tools),
        "--no-defaults",
        f"--datadir={data}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        f"--tmpdir={where.socket / TEMPORARY}",
        *_said({name: value for name, value in settings.items() if name in _AT_BIRTH}),
    ]
    commands.run(command, environment=environment(), user=where.user)
    return data


@contextmanager
def running(
    data: Path,
    where: Place,
    context: EngineContext,
    *,
    tools: str | None = None,
    is_restored: bool = False,
    settings: Mapping[str, str] = _NOTHING,
    more: Sequence[str] = (),
) -> Iterator[Server]:
    """
    Start a server on a data folder; VerifyError when it does not come up.

    It writes no binary log, runs no event and listens on no network. Of a folder that ``is_restored`` nobody
    here knows a password: it gets a user of ours, who is removed again. ``settings`` are those of the server
    that the data came from.
    """
    socket, user = where.socket, where.user
    address = socket / "s.sock"
    user_name, password = f"restore_{secrets.token_hex(4)}", secrets.token_hex(16)
    init = socket / "init.sql"
    init.write_text(
        f"CREATE USER {user_name}@localhost IDENTIFIED BY '{password}';\n"
        f"GRANT ALL ON *.* TO {user_name}@localhost WITH GRANT OPTION;\n"
    )
    init.chmod(0o600)
    if user is not None:
        shutil.chown(init, user)
    own = tools if tools is not None and shutil.which("mariadb", path=tools) else None
    server = Server(str(address), None, user_name, None, own, password=password)
    keys = mysql_keys.options_of(data, socket, user=user)
    if not is_restored:
        keys = mysql_keys.options_of_new(socket, user=user)
    command = [find_here("mariadbd", tools), keys, *_options(data, address, where.socket)]
    command += [f"--init-file={init}", *_said(settings), *more]
    if user is None and os.geteuid() == 0:
        command.append("--user=root")
    caged = where.cage.command(command, signal_at_death=signal.SIGTERM)
    with Process(caged, environment=environment(), name="mariadbd") as child:
        where.guard.add(child)
        _wait(child, server, context)
        if not is_restored:
            forget_root(server)
        try:
            yield server
            if is_restored:
                with server.session() as session:
                    ask(session, f"DROP USER {user_name}@localhost")
        finally:
            child.stop(signal.SIGTERM, grace=_GRACE)


def _said(settings: Mapping[str, str]) -> list[str]:
    """Return the settings as options; what a manifest says chooses among known ones, and no program or path."""
    return [
        f"--{name.replace('_', '-')}={value}"
        for name, value in settings.items()
        if name in SETTINGS and re.fullmatch(r"[A-Za-z0-9_,]{1,400}", value)
    ]


def _options(data: Path, address: Path, socket: Path) -> Sequence[str]:
    return (
        f"--datadir={data}",
        f"--socket={address}",
        f"--pid-file={address}.pid",
        f"--secure-file-priv={socket / TEMPORARY}",
        f"--tmpdir={socket / TEMPORARY}",
        "--local-infile=0",
        "--skip-symbolic-links",
        "--skip-networking",
        "--skip-log-bin",
        "--skip-slave-start",
        "--event-scheduler=OFF",
        "--innodb-buffer-pool-size=128M",
        "--innodb-flush-log-at-trx-commit=0",
        "--max-allowed-packet=1G",
    )


def _wait(child: Process, server: Server, context: EngineContext) -> None:
    while child.is_running:
        context.reporter.advance()  # where the run is cancelled, this raises
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
