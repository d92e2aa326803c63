"""
A webhook: each message on its own as JSON by POST, signed where its connection has a password.

The signature is over time and body, so that nobody can send an old message again:
``X-Backup-Signature: t=<unix time>,v1=<hex of HMAC-SHA-256 over "<unix time>.<body>">``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.error import HTTPError, URLError

from airflow_backup.actions.alerts.notify.content import Content
from airflow_backup.actions.alerts.notify.ways.failed import is_for_good, refused, unreachable
from airflow_backup.actions.alerts.notify.written.rendered import Rendered
from airflow_backup.core.connections import Connections
from airflow_backup.core.web import post, url_of
from airflow_backup.schedules.model.notify import Receiver

SIGNATURE = "X-Backup-Signature"
MESSAGE_ID = "X-Backup-Message-Id"
VERSION = 1


def send_webhook(receiver: Receiver, message: Rendered, connections: Connections) -> None:
    """Send one message; raise SendFailed unless the answer is 2xx."""
    assert receiver.webhook is not None
    connection = connections(receiver.webhook)
    body = body_of(message)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "airflow-backup",
        MESSAGE_ID: message.id,
        **{
            str(name): str(value)
            for name, value in _headers(connection.extra.get("headers")).items()
        },
    }
    if connection.password:
        headers[SIGNATURE] = signature(connection.password, body, at=int(time.time()))
    where = f"the webhook of connection '{connection.id}'"
    try:
        post(url_of(connection), body, headers=headers)
    except HTTPError as error:
        raise refused(where, f"HTTP {error.code}", for_good=is_for_good(error.code)) from None
    except (URLError, OSError) as error:
        raise unreachable(where, error) from None


def body_of(message: Rendered) -> bytes:
    """Return what is posted."""
    content: Content = dict(message.contents[0])
    known: dict[str, Any] = {"version": VERSION, "id": message.id, **content, "text": message.text}
    return json.dumps(known, ensure_ascii=False).encode()


def signature(secret: str, body: bytes, *, at: int) -> str:
    """
    Return the header with which the receiver can tell that it is us, and when.

    >>> signature("s3cret", b"{}", at=1764327600)[:40]
    't=1764327600,v1=3fd44d17f2ffdedd53637a25'
    """
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={digest.hexdigest()}"


def _headers(given: Any) -> dict[Any, Any]:
    return given if isinstance(given, dict) else {}
