"""Who is told of what, and when: receivers of messages, and what of a schedule goes to them."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from airflow_backup.core.text.names import quoted
from airflow_backup.core.words import EventKind
from airflow_backup.schedules.model.base import ConnectionId, Model, Name, TimeOfDay
from airflow_backup.schedules.model.windows import Window

NOTIFIERS = ("slack", "slack_webhook", "smtp", "discord", "pagerduty", "sns")
"""Airflow's own notifiers that have a short name here."""

_PATH = r"^airflow\.providers\.[a-z0-9_]+(\.[a-z0-9_]+)*\.[A-Z][A-Za-z0-9]*Notifier$"
_ADDRESS = r"^[^@\s,;<>\"]+@[^@\s,;<>\"]+$"


def _address(value: str) -> str:
    if re.fullmatch(_ADDRESS, value) is None or not value.isprintable():
        raise ValueError(f"{quoted(value)} is no mail address; write for example ops@example.org")
    return value


def _no_secret(value: str) -> str:
    if "://" in value:  # and it is not shown
        raise ValueError(
            "this is an address, and whoever knows it can write there; "
            "put it into an Airflow connection, and the id of that here"
        )
    return value


Address = Annotated[str, Field(max_length=254), AfterValidator(_address)]
"""A mail address."""

SecretlyConnected = Annotated[ConnectionId, AfterValidator(_no_secret)]
"""The id of an Airflow connection, and never what is in it."""

Option = (
    Annotated[str, Field(max_length=10_000)]
    | int
    | bool
    | list[Annotated[str, Field(max_length=1000)]]
)
"""What a notifier takes."""


def listed(value: Any) -> Any:
    """Let one thing stand for a list of it."""
    return value if isinstance(value, list) else [value]


class Receiver(Model):
    """Where messages go: mail addresses, a webhook, one of Airflow's notifiers, or a service that Apprise knows."""

    name: Name | None = None
    """What the schedules call it."""

    email: (
        Annotated[list[Address], Field(min_length=1, max_length=50), BeforeValidator(listed)] | None
    ) = None
    """Mail addresses. `connection` is the SMTP server as Airflow has it, `smtp_default` when missing."""

    webhook: SecretlyConnected | None = None
    """
    The Airflow connection of a web address that takes JSON: each message is sent to it by POST. Its password signs
    them.
    """

    apprise: SecretlyConnected | None = None
    """
    The Airflow connection whose password is the address of a service as Apprise writes it, for example
    `ntfy://topic`.
    """

    notifier: Annotated[str, Field(max_length=300)] | None = None
    """
    One of Airflow's notifiers: `slack`, `slack_webhook`, `smtp`, `discord`, `pagerduty`, `sns`, or the path of a
    provider's class. Only Airflow itself can send by it.
    """

    connection: ConnectionId | None = None
    """The Airflow connection for `email` or `notifier`."""

    options: Annotated[dict[str, Option], Field(max_length=50)] = {}
    """What the notifier takes beside it; `{title}`, `{text}`, `{html}` and `{id}` stand for the message."""

    @field_validator("notifier")
    @classmethod
    def _one_of_airflows(cls, notifier: str | None) -> str | None:
        if notifier is None or notifier in NOTIFIERS or re.fullmatch(_PATH, notifier):
            return notifier
        raise ValueError(
            f"no notifier {quoted(notifier)}; there are {', '.join(NOTIFIERS)}, and the classes of Airflow's "
            "providers, for example airflow.providers.slack.notifications.slack.SlackNotifier"
        )

    @model_validator(mode="after")
    def _one_way(self) -> Receiver:
        ways = [
            key
            for key in ("email", "webhook", "apprise", "notifier")
            if getattr(self, key) is not None
        ]
        if len(ways) != 1:
            given = f", not {' and '.join(f'`{way}`' for way in ways)}" if ways else ""
            raise ValueError(f"write one of `email`, `webhook`, `apprise` and `notifier`{given}")
        if self.connection is not None and ways[0] in ("webhook", "apprise"):
            raise ValueError(f"`{ways[0]}` is the connection already; leave `connection` out")
        if self.options and ways[0] != "notifier":
            raise ValueError("`options` belong to `notifier`")
        return self

    @property
    def key(self) -> str:
        """The name under which is remembered what was told; of one without a name it derives from where it leads."""
        if self.name is not None:
            return self.name
        plain = json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
        return f"unnamed-{hashlib.sha256(plain.encode()).hexdigest()[:12]}"

    @property
    def way(self) -> str:
        """How messages get there, in words."""
        if self.email is not None:
            return f"mail to {', '.join(self.email)}"
        if self.webhook is not None:
            return f"webhook of connection '{self.webhook}'"
        if self.apprise is not None:
            return f"Apprise by connection '{self.apprise}'"
        return f"notifier {self.notifier}"


ALERTS = [
    EventKind.FAILED_FINAL,
    EventKind.STALE,
    EventKind.RECOVERED,
    EventKind.VERIFICATION_FAILED,
    EventKind.DISABLED,
]
"""What people are told where nothing else is written: what they may have to act on, and that they need not any more."""


class Notice(Model):
    """What of a schedule is told to whom."""

    to: Annotated[list[Receiver], Field(min_length=1, max_length=50), BeforeValidator(listed)]
    """Names of receivers, or receivers in place."""

    events: Annotated[
        list[EventKind], Field(min_length=1, max_length=20), BeforeValidator(listed)
    ] = ALERTS
    """Which events are told. A trouble is told once, again only when it becomes worse, and when it is over."""

    quiet: Annotated[list[Window], Field(max_length=100), BeforeValidator(listed)] = []
    """Weekly times in which nothing is sent; what happened is sent as one message when they end."""

    digest: Literal["daily", "weekly"] | None = None
    """Send one summary of all schedules that ask for it, each day or each Monday, instead of single messages."""

    digest_at: TimeOfDay = "07:00"
    """When the summary is sent, in local time."""

    @field_validator("events")
    @classmethod
    def _each_once(cls, events: list[EventKind]) -> list[EventKind]:
        return [kind for kind in EventKind if kind in events]
