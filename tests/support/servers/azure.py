"""Azurite, Microsoft's own server for tests of Azure Blob Storage, on loopback; and the connection that leads to it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest

from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.errors import NotFound

PROGRAM = Path(__file__).parents[2] / "azurite" / "node_modules" / ".bin" / "azurite-blob"
ACCOUNT = "backups"
_VERSION = "2021-08-06"
_PATIENCE = 60.0
_numbers = itertools.count(1)


@dataclass(frozen=True)
class AzureServer:
    """Where it listens, and the key of its one account."""

    port: int
    key: str

    @property
    def endpoint(self) -> str:
        """The account's address."""
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    def new_container(self) -> str:
        """Make a container that nothing else uses; return its name."""
        name = f"container-{next(_numbers)}"
        date = formatdate(usegmt=True)
        signed = (
            "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{_VERSION}\n"
            f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        )
        digest = hmac.digest(base64.b64decode(self.key), signed.encode(), hashlib.sha256)
        headers = {
            "x-ms-date": date,
            "x-ms-version": _VERSION,
            "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
        }
        made = httpx.put(f"{self.endpoint}/{name}?restype=container", headers=headers)
        made.raise_for_status()
        return name

    @property
    def connections(self) -> Connections:
        """Know one connection, ``azure_backup``."""

        def look_up(connection_id: str) -> Connection:
            if connection_id != "azure_backup":
                raise NotFound(f"no connection '{connection_id}'")
            return Connection(
                id=connection_id,
                type="wasb",
                login=ACCOUNT,
                password=self.key,
                extra={"endpoint_url": self.endpoint},
            )

        return look_up


@contextmanager
def azure_server(folder: Path) -> Iterator[AzureServer]:
    """Run a server on a free port, its data below ``folder``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = AzureServer(port, base64.b64encode(secrets.token_bytes(64)).decode())
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder)]
    quiet = ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    environment = os.environ | {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{server.key}"}
    with subprocess.Popen(
        [str(PROGRAM), *options, *quiet], env=environment, stdout=subprocess.DEVNULL
    ) as child:
        try:
            _wait(child, port)
            yield server
        finally:
            child.terminate()


def _wait(child: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise RuntimeError(f"azurite ended with code {child.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("azurite does not answer")


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """A server for the whole session; every test makes its own container."""
    if not PROGRAM.exists():
        if os.environ.get("CI"):
            pytest.fail("azurite is not installed: scripts/setup --services")
        pytest.skip("needs azurite: scripts/setup --services")
    with azure_server(tmp_path_factory.mktemp("azurite")) as server:
        yield server
