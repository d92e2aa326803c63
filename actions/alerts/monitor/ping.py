"""
The sign of life for a dead-man switch such as healthchecks: somebody else's clock runs out when it stops.

The address is a secret, so it lies in a connection: as the host of it, or as ``url`` in its extras.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from functools import partial
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit

from airflow_backup.core.connections import Connections
from airflow_backup.core.deadline import within
from airflow_backup.core.errors import BackupError
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.web import post, url_of

logger = logging.getLogger(__name__)

_KNOWS_FAIL = re.compile(r"(/ping/[^/]+(/[^/]+)?|/[0-9a-fA-F]{8}-[0-9a-fA-F-]{27})$")
_MOST = 10_000
"""Characters of what is told; healthchecks keeps as many bytes."""

LIMIT = 30.0
"""Seconds for all of it: the look must not wait for whoever watches it."""


class PingFailed(BackupError):
    """The dead-man switch did not take the sign of life."""

    failure_class = FailureClass.NETWORK


def ping(connection_id: str, connections: Connections, *, good: bool, text: str) -> None:
    """
    Send the sign of life, or where the address knows it that something is wrong; raise PingFailed.

    Addresses as healthchecks has them take ``/fail``; for others the extra ``fail`` of the connection says what to
    append. Where there is none, trouble is told by silence.
    """
    connection = connections(connection_id)
    url = url_of(connection)
    if not good:
        ending = connection.extra.get("fail") or ("/fail" if knows_fail(url) else None)
        if ending is None:
            return
        parts = urlsplit(url)
        url = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}{ending}"))
    try:
        body = text.encode(errors="replace")[:_MOST]
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        within(LIMIT, partial(_post, url, body, headers))
    except (HTTPError, URLError, OSError) as error:
        reason = f"HTTP {error.code}" if isinstance(error, HTTPError) else _reason(error)
        raise PingFailed(  # without the address: whoever knows it can ping, too
            f"the sign of life to connection '{connection_id}' failed: {reason}",
            hint="the dead-man switch will tell that it is missing",
        ) from None


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    post(url, body, headers=headers)


def knows_fail(url: str) -> bool:
    """
    Whether an address is one of healthchecks, which takes ``/fail``.

    >>> knows_fail("https://hc-ping.com/5f0c3e1a-1111-4222-8333-444455556666"), knows_fail("https://example.org/alive")
    (True, False)
    """
    return bool(_KNOWS_FAIL.search(urlsplit(url).path.rstrip("/")))


def _reason(error: OSError) -> str:
    inner = error.reason if isinstance(error, URLError) else error
    return inner.strerror or str(inner) if isinstance(inner, OSError) else str(inner)
