"""A Firebird of one's own: a configuration that lets several processes open a file, and a server on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "canary-firebird-3d7"
_SECURITY = Path("/var/lib/firebird/3.0/system/security3.fdb")


def is_installed() -> bool:
    """Whether the programs and the engine are there."""
    return shutil.which("nbackup") is not None and _SECURITY.exists()


@dataclass(frozen=True)
class Firebird:
    """A folder with a configuration of its own."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What makes Firebird's programs read that configuration."""
        return {"FIREBIRD": str(self.folder / "conf")}

    def run(self, database: Path, script: str) -> str:
        """Run a script by isql; raise when a statement fails."""
        return subprocess.run(
            ["isql-fb", "-q", "-b", "-user", "SYSDBA", str(database)],
            input=script,
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def ask(self, database: Path, query: str) -> list[str]:
        """Return the words that a query answers."""
        return self.run(database, f"SET HEADING OFF;\n{query};\n").split()

    def make(self, name: str) -> Path:
        """Make a bank of 200 accounts with 100 each."""
        path = self.folder / name
        script = (
            f"CREATE DATABASE '{path}' PAGE_SIZE 4096;"
            "CREATE TABLE account (id INT NOT NULL PRIMARY KEY, balance INT);"
            "CREATE TABLE note (id INT, text VARCHAR(400));COMMIT;"
            "SET TERM ^;EXECUTE BLOCK AS DECLARE i INT = 0; BEGIN WHILE (i < 200) DO BEGIN "
            "INSERT INTO account VALUES (:i, 100); i = i + 1; END END^ SET TERM ;^ COMMIT;"
        )
        subprocess.run(
            ["isql-fb", "-q", "-b", "-user", "SYSDBA"],
            input=script,
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
            text=True,
        )
        return path

    def note(self, database: Path, step: int, rows: int = 300) -> None:
        """Add notes, and say so in the database itself."""
        self.run(
            database,
            f"SET TERM ^;EXECUTE BLOCK AS DECLARE i INT = 0; BEGIN WHILE (i < {rows}) DO BEGIN "
            f"INSERT INTO note VALUES ({step}, LPAD('x', 300, CAST(RAND() AS VARCHAR(20)))); "
            "i = i + 1; END END^ SET TERM ;^ COMMIT;",
        )

    @contextmanager
    def writer(self, database: Path) -> Iterator[None]:
        """Move money between accounts, two statements in a transaction, until the block ends."""
        stop = threading.Event()
        failed: list[Exception] = []

        def move() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                one, other = number * 7 % 200, (number * 13 + 1) % 200
                script = (
                    f"UPDATE account SET balance = balance - 1 WHERE id = {one};"
                    f"UPDATE account SET balance = balance + 1 WHERE id = {other};COMMIT;"
                )
                try:
                    self.run(database, script * 20)
                except subprocess.CalledProcessError as error:
                    failed.append(error)
                    return

        thread = threading.Thread(target=move)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        if failed:
            raise failed[0]

    @contextmanager
    def server(self) -> Iterator[int]:
        """Listen on a free port of loopback, with a user database of its own; yield the port."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        self.run(
            Path("security.db"),
            f"CREATE OR ALTER USER SYSDBA PASSWORD '{PASSWORD}' USING PLUGIN Srp;COMMIT;",
        )
        process = subprocess.Popen(
            ["firebird", "-p", str(port)],
            env={**os.environ, **self.environment},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait(20)


def make_firebird(folder: Path) -> Firebird:
    """Write the configuration."""
    conf = folder / "conf"
    shutil.copytree("/etc/firebird/3.0", conf, ignore=shutil.ignore_patterns("SYSDBA.password"))
    security = folder / "security.fdb"
    shutil.copyfile(_SECURITY, security)
    (conf / "databases.conf").write_text(
        f"security.db = {security}\n{{\n  RemoteAccess = false\n}}\n"
    )
    (conf / "firebird.conf").write_text(
        f"ServerMode = Classic\nRemoteBindAddress = 127.0.0.1\nSecurityDatabase = {security}\n"
    )
    return Firebird(folder)


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the server does not listen")
