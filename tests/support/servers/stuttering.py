"""A proxy on loopback that answers the first requests with 503, and hands on the others with a header more.

``loses`` is a method and a part of an address: the first such request is handed on and done, and its answer is lost.
"""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit


class Stuttering:
    """Used in a ``with`` block, which gives its address."""

    def __init__(
        self,
        endpoint: str,
        *,
        failures: int = 0,
        header: tuple[str, str] | None = None,
        loses: tuple[str, str] | None = None,
    ) -> None:
        self.loses = loses
        self.left, self.place = failures, urlsplit(endpoint).netloc
        self.headers = dict([header] if header else [])
        self.checksums: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def is_lost(self, command: str, path: str) -> bool:
        """Whether the answer to this request gets lost; the first of its kind does."""
        if self.loses is None or command != self.loses[0] or self.loses[1] not in path:
            return False
        self.loses = None
        return True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.command == "PUT":
                    proxy.checksums.append(self.headers.get("x-amz-checksum-sha256", ""))
                if proxy.left > 0:
                    proxy.left -= 1
                    self._reply(503, {}, b"")
                    return
                far = http.client.HTTPConnection(proxy.place)
                far.request(self.command, self.path, body, dict(self.headers) | proxy.headers)
                found = far.getresponse()
                body = found.read()
                far.close()
                if proxy.is_lost(self.command, self.path):
                    self._reply(503, {}, b"")
                    return
                self._reply(found.status, dict(found.getheaders()), body)

            def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                size = headers.get("Content-Length", "0") if self.command == "HEAD" else len(body)
                self.send_header("Content-Length", str(size))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer

        return Handler
