"""Neither a dump nor a server has the client of MySQL send it a file of the worker."""

from __future__ import annotations

import shutil
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_backup.core.errors import BackupError
from airflow_backup.engines.mysql.client.client import apply
from airflow_backup.engines.mysql.client.server import Server

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(shutil.which("mariadb") is None, reason="needs the client of MariaDB"),
]
SECRET = b"canary-3f1c9d"
_FINE = b"\0\0\0\2\0\0\0"


class Thief:
    """A server that lets everybody in, and answers every statement by asking for a file."""

    def __init__(self, file: Path) -> None:
        self._file, self.got, self.asked = file, b"", 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            with client:
                client.settimeout(10)
                try:
                    self._talk(client)
                except (OSError, EOFError):
                    continue

    def _talk(self, client: socket.socket) -> None:
        client.sendall(_packet(0, _greeting()))
        number, _ = _read(client)
        client.sendall(_packet(number + 1, _FINE))
        while True:
            _, said = _read(client)
            if said[:1] != b"\3":
                client.sendall(_packet(1, _FINE))
                continue
            self.asked += 1
            client.sendall(_packet(1, b"\xfb" + str(self._file).encode()))
            number, answer = _read(client)
            while answer:
                self.got += answer
                number, answer = _read(client)
            client.sendall(_packet(number + 1, _FINE))


def _greeting() -> bytes:
    low, high = 0xF7DF, 0xFFFF  # neither TLS nor compression
    head = b"\x0a5.5.5-10.11.4-MariaDB\0" + struct.pack("<I", 1) + b"abcdefgh\0"
    can = struct.pack("<HBHHB", low, 33, 2, high, 21)
    return head + can + b"\0" * 10 + b"ijklmnopqrst\0mysql_native_password\0"


def _packet(number: int, data: bytes) -> bytes:
    return struct.pack("<I", len(data))[:3] + bytes([number % 256]) + data


def _read(client: socket.socket) -> tuple[int, bytes]:
    head = _exactly(client, 4)
    return head[3], _exactly(client, int.from_bytes(head[:3], "little"))


def _exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        found = client.recv(size - len(data))
        if not found:
            raise EOFError
        data += found
    return data


@pytest.fixture
def thief(tmp_path: Path) -> Iterator[Thief]:
    (tmp_path / "secret").write_bytes(SECRET)
    made = Thief(tmp_path / "secret")
    yield made
    made.close()


@pytest.mark.parametrize(
    "statement",
    [
        b"SELECT 1;\n",
        b"LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t;\n",
        b"/*!40000 LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t */;\n",
        b"load xml local infile '/etc/hostname' into table t;\n",
    ],
)
def test_what_is_loaded_sends_no_file(thief: Thief, statement: bytes) -> None:
    place = "127.0.0.1"
    server = Server(place, thief.port, user="x", database=None, tools=None, password="y")
    with pytest.raises(BackupError):
        apply(server, [statement])
    assert thief.asked == 1
    assert thief.got == b""
