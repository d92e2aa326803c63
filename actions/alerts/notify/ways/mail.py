"""Mail, by the SMTP server of an Airflow connection, read as Airflow's own SMTP hook reads it."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from airflow_backup.actions.alerts.notify.ways.failed import (
    PartlySent,
    SendFailed,
    refused,
    unreachable,
)
from airflow_backup.actions.alerts.notify.written.rendered import Rendered
from airflow_backup.core.clock import utc_now
from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.errors import ConfigError
from airflow_backup.schedules.model.notify import Receiver

DEFAULT_CONNECTION = "smtp_default"
_TIMEOUT = 20.0


def send_mail(receiver: Receiver, message: Rendered, connections: Connections) -> None:
    """
    Send one mail to all addresses of a receiver; raise SendFailed, and PartlySent when some of them were not taken.
    """
    connection = connections(receiver.connection or DEFAULT_CONNECTION)
    mail = mail_of(receiver, message, sender=_sender(connection))
    where = f"the mail server of connection '{connection.id}'"
    try:
        with _server(connection) as server:
            if connection.login:
                server.login(connection.login, connection.password or "")
            missed = server.send_message(mail)
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error
        said = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        for_good = _is_for_good(error.smtp_code)
        raise refused(where, f"{error.smtp_code} {said}", for_good=for_good) from None
    except smtplib.SMTPRecipientsRefused as error:
        answer = f"no address was taken: {_listed(error.recipients)}"
        for_good = all(_is_for_good(code) for code, _ in error.recipients.values())
        raise refused(where, answer, for_good=for_good) from None
    except (smtplib.SMTPException, OSError) as error:
        raise unreachable(where, error) from None
    if missed:
        raise PartlySent(
            f"{where} did not take some addresses: {_listed(missed)}; the others have the message",
            hint="do these addresses still exist?",
        )


def mail_of(receiver: Receiver, message: Rendered, *, sender: str) -> EmailMessage:
    """Return the mail: plain text, and the same as HTML; its id stays when it is sent again."""
    mail = EmailMessage()
    mail["Subject"] = message.title
    mail["From"] = sender
    mail["To"] = ", ".join(receiver.email or ())
    mail["Date"] = format_datetime(utc_now())
    mail["Message-ID"] = f"<{message.id}@airflow-backup>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Airflow-Backup"] = ", ".join(
        sorted({str(content["event"]) for content in message.contents})
    )
    if message.is_bad:
        mail["Importance"] = "high"
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return mail


def _server(connection: Connection) -> smtplib.SMTP:
    host, port = connection.host or "localhost", connection.port or 0
    extra = connection.extra
    timeout = float(extra.get("timeout") or _TIMEOUT)
    if not _is_set(extra, "disable_ssl"):
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
    server = smtplib.SMTP(host, port, timeout=timeout)
    if not _is_set(extra, "disable_tls"):
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server


def _sender(connection: Connection) -> str:
    given = connection.extra.get("from_email")
    if given and not str(given).isprintable():
        raise ConfigError(
            f"`from_email` of connection '{connection.id}' is no mail address",
            hint="is there the end of a line in it?",
        )
    if given:
        return str(given)
    login = connection.login or ""
    return login if "@" in login else f"airflow-backup@{socket.getfqdn()}"


def _is_set(extra: Mapping[str, Any], name: str) -> bool:
    return str(extra.get(name, "")).lower() in ("true", "1", "yes", "on")


def _is_for_good(code: int) -> bool:
    return 500 <= code < 600


def _listed(recipients: Mapping[str, Any]) -> str:
    return ", ".join(f"{address} ({_code(answer)})" for address, answer in recipients.items())


def _code(answer: Any) -> str:
    code, text = answer
    return f"{code} {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}"


__all__ = ["DEFAULT_CONNECTION", "SendFailed", "mail_of", "send_mail"]
