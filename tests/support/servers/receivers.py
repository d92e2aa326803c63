"""Real receivers of messages, started by a test: a mail server and a web server that keep what they get."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class MailServer:
    """What a mail server got."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    answer: str = "250 OK"
    """What it says to a mail; with anything but 250 it does not take it."""

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:  # aiosmtpd's name
        """Take a mail."""
        if self.answer.startswith("250"):
            mail = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
        return self.answer

    @property
    def subjects(self) -> list[str]:
        """The subject lines, in order."""
        return [str(mail["Subject"]) for mail in self.mails]

    @property
    def connection(self) -> str:
        """The connection to it, as Airflow reads one from the environment."""
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "backup@example.org"}
        return json.dumps(
            {"conn_type": "smtp", "host": "127.0.0.1", "port": self.port, "extra": extra}
        )


@contextmanager
def mail_server(kind: type[MailServer] = MailServer) -> Iterator[MailServer]:
    """Run a mail server on a free port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port: int = free.getsockname()[1]
    server = kind(port)
    controller = Controller(server, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


@dataclass
class WebServer:
    """What a web server got, and what it answers."""

    port: int = 0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    status: int = 200

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [path for path, _, _ in self.requests]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The bodies as JSON, in order."""
        return [json.loads(body) for _, _, body in self.requests]

    def connection(self, path: str, *, password: str | None = None) -> str:
        """The connection to it, as Airflow reads one from the environment."""
        url = f"http://127.0.0.1:{self.port}{path}"
        return json.dumps({"conn_type": "http", "host": url, "password": password})


@contextmanager
def web_server() -> Iterator[WebServer]:
    """Run a web server on a free port."""
    found = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if found.status < 300:
                found.requests.append((self.path, dict(self.headers.items()), body))
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
