"""A server that speaks S3, on loopback, in this process; and the connection that leads to it."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import boto3
import pytest
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.errors import NotFound

KEY, SECRET = "AKIAEXAMPLE", "an-example-secret"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class S3Server:
    """Where it listens."""

    endpoint: str

    @property
    def client(self) -> Any:
        """Another client, to look from outside at what ours did."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    def new_bucket(self, **options: Any) -> str:
        """Make a bucket that nothing else uses; return its name."""
        name = f"backups-{next(_numbers)}"
        self.client.create_bucket(Bucket=name, **options)
        return name

    @property
    def connections(self) -> Connections:
        """Know one connection, ``aws_backup``."""

        def look_up(connection_id: str) -> Connection:
            if connection_id != "aws_backup":
                raise NotFound(f"no connection '{connection_id}'")
            return Connection(
                id=connection_id,
                type="aws",
                login=KEY,
                password=SECRET,
                extra={"endpoint_url": self.endpoint, "region_name": "us-east-1"},
            )

        return look_up


_turn = threading.RLock()


def _one_at_a_time(*names: str) -> None:
    """Let the server look whether a name is taken, and take it, in one step; by itself it looks, and takes it later."""
    for name in names:
        given = getattr(S3Response, name)
        if not hasattr(given, "__wrapped__"):
            setattr(S3Response, name, _in_turn(given))


def _in_turn(given: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(given)
    def alone(*arguments: Any, **named: Any) -> Any:
        with _turn:
            return given(*arguments, **named)

    return alone


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run a server on a free port; as of S3 itself, of two that write a new name one is first."""
    _one_at_a_time("put_object", "_key_response_post")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3Server(f"http://{host}:{port}")
    finally:
        server.stop()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A server for the whole session; every test makes its own bucket."""
    with s3_server() as server:
        yield server
