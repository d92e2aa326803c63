"""
An endpoint that sends the worker on to somewhere else: what holds with https, and what comes back of what does not.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_backup.actions.alerts.monitor.ping import PingFailed, ping
from airflow_backup.actions.alerts.notify.ways.apprise import send_apprise
from airflow_backup.actions.alerts.notify.ways.failed import SendFailed
from airflow_backup.actions.alerts.notify.ways.webhook import send_webhook
from airflow_backup.actions.alerts.notify.written.rendered import Rendered
from airflow_backup.core import endpoints
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import BackupError, ConfigError
from airflow_backup.core.format.manifest import read_manifest
from airflow_backup.core.web import post
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.restic.calls import restic_of
from airflow_backup.engines.restic.options import ResticOptions
from airflow_backup.schedules.model.notify import Receiver
from airflow_backup.storage import objects_open
from airflow_backup.storage.open import open_storage

pytestmark = pytest.mark.service

SECRET = "canary-of-the-metadata-service-4e1"
MESSAGE = Rendered(id="1", title="wiki", text="failed", html="<p>", contents=[{"event": "failed"}])
CODES = (301, 302, 303, 307, 308)


@contextmanager
def serving(answer: Any, *, certificate: Path | None = None) -> Iterator[str]:
    """Answer every request; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            answer(self)

        do_GET = do_HEAD = do_PUT = do_POST = answer  # the names are http.server's

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"{scheme}://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def metadata() -> Iterator[tuple[str, list[str]]]:
    """A service that tells a secret to whoever asks, and notes who came."""
    came: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        came.append(f"{handler.command} {handler.headers.get('Authorization', '')}")
        handler.send_response(200)
        for name, value in (
            ("Content-Length", str(len(SECRET))),
            ("ETag", '"x"'),
            ("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ):
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(SECRET.encode())

    with serving(answer) as address:
        yield f"{address}/latest/meta-data", came


def sends_to(place: str, code: int, asked: list[str]) -> Any:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.command)
        handler.send_response(code)
        handler.send_header("Location", place)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def connection(kind: str, endpoint: str) -> Connection:
    extra = {"endpoint_url": endpoint}
    if kind == "s3":
        return Connection(id="c", type="aws", login="key", password="secret", extra=extra)
    if kind == "gs":
        return Connection(id="c", type="google_cloud_platform", extra=extra)
    return Connection(id="c", type="wasb", login="account", password="a2V5", extra=extra)


@pytest.fixture(params=["s3", "gs", "az"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    quick = {**objects_open._RETRY, "max_retries": 0, "retry_timeout": timedelta(seconds=5)}
    monkeypatch.setattr(objects_open, "_RETRY", quick)
    return str(request.param)


@pytest.mark.parametrize("code", CODES)
def test_an_https_endpoint_sends_nobody_on_to_http(
    kind: str,
    code: int,
    metadata: tuple[str, list[str]],
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, came = metadata
    own = objects_open._endpoint

    def trusting(url: str, client: Any) -> str:
        client["allow_invalid_certificates"] = True
        return own(url, client)

    monkeypatch.setattr(objects_open, "_endpoint", trusting)
    asked: list[str] = []
    with serving(sends_to(place, code, asked), certificate=certificate) as endpoint:
        found = connection(kind, endpoint)
        storage = open_storage(f"{kind}://bucket/x", lambda _: found, connection="c")
        with pytest.raises(BackupError) as caught:
            storage.read("a")
        with pytest.raises(BackupError):
            storage.put("a", b"content")
    assert {"GET", "HEAD"} <= {*asked}, "the endpoint itself was not reached"
    assert came == []
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("code", CODES)
def test_with_http_no_key_and_no_content_goes_along_and_nothing_of_the_answer_is_told(
    kind: str, code: int, metadata: tuple[str, list[str]]
) -> None:
    place, came = metadata
    with serving(sends_to(place, code, [])) as endpoint:
        found = connection(kind, endpoint)
        storage = open_storage(f"{kind}://bucket/x", lambda _: found, connection="c")
        with pytest.raises(BackupError) as caught:
            read_manifest(storage.read("a"), name="a")
        with pytest.raises(BackupError) as refused:
            storage.put("a", b"content")
    assert {each.strip() for each in came} <= {"GET", "HEAD"}
    assert SECRET not in str(caught.value) + str(refused.value)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # of Apprise
def test_a_message_and_a_sign_of_life_are_not_sent_on(
    code: int, metadata: tuple[str, list[str]]
) -> None:
    pytest.importorskip("apprise")
    place, came = metadata
    asked: list[str] = []
    with serving(sends_to(place, code, asked)) as address:
        hook = Connection(id="hook", type="http", host=address)
        service = Connection(id="chat", password=address.replace("http://", "json://"))
        with pytest.raises(SendFailed, match=str(code)):
            send_webhook(Receiver(webhook="hook"), MESSAGE, lambda _: hook)
        with pytest.raises(PingFailed, match=str(code)):
            ping("hook", lambda _: hook, good=True, text="all is well")
        with pytest.raises(SendFailed):
            send_apprise(Receiver(apprise="chat"), MESSAGE, lambda _: service)
    assert asked == ["POST"] * 3
    assert came == []


def test_a_name_that_means_the_metadata_service_by_then_is_told_nothing(
    metadata: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, came = metadata
    monkeypatch.setattr(endpoints, "_forbidden", lambda address: address == "127.0.0.1")
    with pytest.raises(ConfigError, match=r"'127\.0\.0\.1' is a link-local or metadata address"):
        post(place.replace("127.0.0.1", "localhost"), b"secret", headers={})
    assert came == []


@pytest.mark.parametrize("address", ["s3:http://169.254.169.254/x", "rest:http://[fd00:ec2::254]/"])
def test_restic_is_sent_to_no_metadata_service(address: str) -> None:
    source = ResticOptions(engine="restic", path="/srv", restic_repository=address, connection="c")
    with pytest.raises(ConfigError, match="is a link-local or metadata address"):
        restic_of(source, EngineContext())
