"""A MariaDB test server: its own folder, port and password, ended by its process id."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest

from airflow_backup.core.connections import Connection

USER, PASSWORD = "keeper", "s:c\\r\"e't #0 %"
ACCOUNTS, MONEY = 100, 1000


@dataclass(frozen=True)
class MariaDB:
    """A running server."""

    port: int
    folder: Path

    def connection(
        self,
        database: str | None = None,
        *,
        login: str = USER,
        password: str = PASSWORD,
    ) -> Connection:
        """What Airflow would hand out for it."""
        return Connection(
            id="my",
            type="mysql",
            host="127.0.0.1",
            port=self.port,
            login=login,
            password=password,
            schema=database,
        )

    def open(self, database: str | None = None) -> pymysql.Connection[Any]:
        """Open a session as the keeper."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            database=database,
            autocommit=True,
            init_command="SET time_zone = '+00:00'",
        )

    def query(self, text: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run statements, return the rows of the last."""
        session = self.open(database)
        try:
            with session.cursor() as cursor:
                for statement in text.split(";\n"):
                    cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            session.close()


def require() -> None:
    """Skip, or on CI fail, where there is no MariaDB."""
    needed = ("mariadbd", "mariadb-install-db", "mariadb-dump", "mariadb-backup", "mariadb-binlog")
    missing = [name for name in needed if _which(name) is None]
    if missing:
        reason = f"not installed: {', '.join(missing)}: scripts/setup --services"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def _which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


def owner() -> str | None:
    if os.geteuid() != 0:
        return None
    for name in ("mysql", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None


@contextmanager
def mariadb(
    *,
    data: Path | None = None,
    options: Sequence[str] = (),
    layout: Sequence[str] = (),
) -> Iterator[MariaDB]:
    """Start a server on a new data folder, made with the options ``layout``, or on a copy of ``data``."""
    with machine(data=data, layout=layout) as place, place.up(*layout, *options) as running:
        yield running


@contextmanager
def machine(*, data: Path | None = None, layout: Sequence[str] = ()) -> Iterator[Machine]:
    """Make a place where a server can be started, ended, and put back to an older state."""
    with tempfile.TemporaryDirectory(prefix="backup-mariadb-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        _make(folder, data, layout)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        yield Machine(folder, port)


@dataclass(frozen=True)
class Machine:
    """A server's folder and port, which stay the same when it is started anew."""

    folder: Path
    port: int

    def save(self, target: Path) -> None:
        """Copy the data folder of a server that is down."""
        shutil.copytree(self.folder / "data", target)

    def put_back(self, saved: Path) -> None:
        """Let the data folder be what it was."""
        shutil.rmtree(self.folder / "data")
        _make(self.folder, saved)

    @contextmanager
    def up(self, *options: str) -> Iterator[MariaDB]:
        """Start the server."""
        folder, port = self.folder, self.port
        (folder / "init.sql").write_text(
            f"CREATE OR REPLACE USER {USER}@'127.0.0.1' IDENTIFIED BY '{_text(PASSWORD)}';\n"
            f"GRANT ALL ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        command = [
            str(_which("mariadbd")),
            "--no-defaults",
            f"--datadir={folder / 'data'}",
            f"--socket={folder / 's'}",
            f"--pid-file={folder / 'pid'}",
            f"--tmpdir={_tmpdir(folder)}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--init-file={folder / 'init.sql'}",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
            *options,
        ]
        with (folder / "server.log").open("ab") as log:
            server = subprocess.Popen(
                command, user=owner(), stdout=log, stderr=log, start_new_session=True
            )
        running = MariaDB(port, folder)
        try:
            _wait(running, server)
            yield running
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


def _tmpdir(folder: Path) -> Path:
    """A server that starts removes what looks like a temporary table, also another server's."""
    place = folder / "temporary"
    place.mkdir(exist_ok=True)
    user = owner()
    if user is not None:
        shutil.chown(place, user)
    return place


def _text(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _make(folder: Path, data: Path | None, layout: Sequence[str] = ()) -> None:
    user = owner()
    if data is not None:
        shutil.copytree(data, folder / "data")
    for path in (folder, *folder.rglob("*")):
        if user is not None:
            shutil.chown(path, user)
    if data is None:
        command = [
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={folder / 'data'}",
            f"--tmpdir={_tmpdir(folder)}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *layout,
        ]
        done = subprocess.run(command, user=user, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def _wait(running: MariaDB, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert server.poll() is None, (running.folder / "server.log").read_text()
        try:
            running.open().close()
        except pymysql.Error:
            time.sleep(0.1)
        else:
            return
    raise AssertionError((running.folder / "server.log").read_text())


BANK = f"""
CREATE DATABASE bank;
USE bank;
CREATE TABLE account (id INT PRIMARY KEY, balance INT NOT NULL) ENGINE=InnoDB;
INSERT INTO account SELECT seq, {MONEY} FROM seq_1_to_{ACCOUNTS};
CREATE TABLE ledger (n INT AUTO_INCREMENT PRIMARY KEY, giver INT, taker INT, amount INT, at DATETIME(6)) ENGINE=InnoDB;
CREATE TABLE `odd ``name` (b BLOB, t TEXT CHARACTER SET utf8mb4) ENGINE=InnoDB;
INSERT INTO `odd ``name` SELECT UNHEX(SHA2(seq, 512)), CONCAT('ä😀\\'\\\\ ', seq) FROM seq_1_to_77;
CREATE VIEW rich AS SELECT * FROM account WHERE balance > 1000;
CREATE FUNCTION total() RETURNS INT READS SQL DATA RETURN (SELECT SUM(balance) FROM account);
CREATE TRIGGER no_more AFTER DELETE ON account FOR EACH ROW SET @gone = 1;
CREATE EVENT daily ON SCHEDULE EVERY 1 DAY DO SET @x = 1"""

INVARIANT = f"""
SELECT (SELECT SUM(balance) FROM account) = {ACCOUNTS * MONEY}
   AND NOT EXISTS (SELECT 1 FROM account a WHERE a.balance <> {MONEY}
       + COALESCE((SELECT SUM(amount) FROM ledger WHERE taker = a.id), 0)
       - COALESCE((SELECT SUM(amount) FROM ledger WHERE giver = a.id), 0))"""


@contextmanager
def busy(server: MariaDB) -> Iterator[None]:
    """Move money all the time."""
    done = threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        session = server.open("bank")
        session.autocommit(False)
        number = 0
        try:
            while not done.is_set():
                number += 1
                giver, taker = number % ACCOUNTS + 1, number * 7 % ACCOUNTS + 1
                with session.cursor() as cursor:
                    cursor.execute(
                        "UPDATE account SET balance = balance - 3 WHERE id = %s", (giver,)
                    )
                    cursor.execute(
                        "UPDATE account SET balance = balance + 3 WHERE id = %s", (taker,)
                    )
                    cursor.execute(
                        "INSERT INTO ledger (giver, taker, amount, at) VALUES (%s, %s, 3, NOW(6))",
                        (giver, taker),
                    )
                session.commit()
                time.sleep(0.001)
        except BaseException as error:  # noqa: BLE001  # shown by the other thread
            failures.append(error)
        finally:
            session.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()
    assert not failures, failures
