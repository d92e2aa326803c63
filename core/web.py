"""A request to somebody else's web server, with an end: for messages and signs of life."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPSConnection, InvalidURL
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit

from airflow_backup.core.connections import Connection
from airflow_backup.core.endpoints import check_peer
from airflow_backup.core.errors import ConfigError

TIMEOUT = 10.0
"""Seconds for each step of a request."""

_PLAIN = {"http", "https"}


def url_of(connection: Connection) -> str:
    """
    Return the address that a connection stands for; ConfigError for one that is none of the web.

    >>> url_of(Connection(id="a", extra={"url": "https://example.org/hook"}))
    'https://example.org/hook'
    >>> url_of(Connection(id="a", type="http", host="https://example.org/x"))
    'https://example.org/x'
    >>> url_of(Connection(id="a", type="https", host="example.org", port=8443, schema="hooks/1"))
    'https://example.org:8443/hooks/1'
    """
    url = connection.extra.get("url") or _built(connection)
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in _PLAIN or not parts.hostname:
        raise ConfigError(
            f"connection '{connection.id}' is no address of the web",
            hint="put https://... into its host, or into its extras as `url`",
        )
    return str(url)


def _built(connection: Connection) -> str:
    host = connection.host or ""
    if "://" in host:
        return host
    # Airflow keeps the path of https://host/path as the schema, and that of http://host/https as the protocol.
    scheme = connection.type if connection.type in _PLAIN else "https"
    path = connection.schema or ""
    if path in _PLAIN:
        scheme, path = path, ""
    port = f":{connection.port}" if connection.port else ""
    return f"{scheme}://{host}{port}/{quote(path, safe='/?=&%')}".rstrip("/") if host else ""


def post(url: str, body: bytes, *, headers: Mapping[str, str]) -> int:
    """
    Send a body; return the status, raise HTTPError or URLError, and ConfigError for what cannot be sent.

    It follows no redirect, for a body may be secret, and speaks to no metadata service, whatever a name means by
    then. No error quotes the address or a header, for these are.
    """
    try:
        # url_of has checked the address
        request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")  # noqa: S310
        opener = urllib.request.build_opener(_NoRedirect, _Http, _Https)
        with opener.open(request, timeout=TIMEOUT) as answer:
            answer.read(65_536)
            status: int = answer.status
    except HTTPError as error:
        error.close()
        raise
    except (InvalidURL, ValueError):
        raise ConfigError(
            "the address, or a header, has characters that none may have",
            hint="is there a space or the end of a line in it?",
        ) from None
    except HTTPException:
        raise URLError("what answers there does not speak HTTP") from None
    return status


class _Connection(HTTPConnection):
    """Looks who it is that answers, before anything is sent: a name may mean another address each time."""

    def connect(self) -> None:
        super().connect()
        check_peer(self.sock.getpeername()[0])


class _SecureConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        check_peer(self.sock.getpeername()[0])


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_Connection, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_SecureConnection, req)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Any:
        return None
