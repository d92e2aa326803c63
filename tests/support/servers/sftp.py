"""An SFTP server on loopback that shows one folder; and the connection that leads to it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from airflow_backup.core.connections import Connection, Connections

USER, PASSWORD = "backup", "an example password"


@dataclass(frozen=True)
class SftpServer:
    """Where it listens, and how to know it again."""

    port: int
    host_key: str
    folder: Path

    def connections(
        self, *, password: str = PASSWORD, host_key: str | None = None, **extra: str
    ) -> Connections:
        """Know one connection, whatever its name."""

        def look_up(connection_id: str) -> Connection:
            known = {"host_key": host_key if host_key is not None else self.host_key, **extra}
            return Connection(
                id=connection_id, type="sftp", login=USER, password=password, extra=known
            )

        return look_up


class _Door(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


async def _serve(folder: str) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    acceptor = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=_Door,
        server_host_keys=[key],
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=folder.encode()),
    )
    sys.stdout.write(f"{acceptor.get_port()} {key.export_public_key().decode()}")
    sys.stdout.flush()
    await acceptor.wait_closed()


@contextmanager
def sftp_server(folder: Path) -> Iterator[SftpServer]:
    """Serve ``folder`` as the root of the far side, in a process of its own."""
    command = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port, _, host_key = process.stdout.readline().strip().partition(" ")
            yield SftpServer(int(port), host_key, folder)
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    """A server for the whole session; every test uses its own folder."""
    with sftp_server(tmp_path_factory.mktemp("sftp")) as server:
        yield server


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
