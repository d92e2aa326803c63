"""
Airflow's own notifiers as a way for messages: Slack, Discord, PagerDuty, SNS and every other one that is installed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from airflow.sdk import BaseNotifier

from airflow_backup.actions.alerts.notify.ways.failed import RefusedForGood, SendFailed, is_for_good
from airflow_backup.actions.alerts.notify.written.chat import DISCORD, NONE, OTHER, SLACK, Chat
from airflow_backup.actions.alerts.notify.written.rendered import Rendered
from airflow_backup.core.errors import ConfigError
from airflow_backup.schedules.model.notify import Receiver


class Known(NamedTuple):
    """How a notifier is made: its class, what it calls the connection, and what carries the message."""

    path: str
    connection: str
    options: Mapping[str, str]


_PROVIDERS = "airflow.providers"
KNOWN = {
    "slack": Known(
        f"{_PROVIDERS}.slack.notifications.slack.SlackNotifier",
        "slack_conn_id",
        {"text": "*{title}*\n{text}"},
    ),
    "slack_webhook": Known(
        f"{_PROVIDERS}.slack.notifications.slack_webhook.SlackWebhookNotifier",
        "slack_webhook_conn_id",
        {"text": "*{title}*\n{text}"},
    ),
    "smtp": Known(
        f"{_PROVIDERS}.smtp.notifications.smtp.SmtpNotifier",
        "smtp_conn_id",
        {"subject": "{title}", "html_content": "{html}"},
    ),
    "discord": Known(
        f"{_PROVIDERS}.discord.notifications.discord.DiscordNotifier",
        "discord_conn_id",
        {"text": "**{title}**\n{text}"},
    ),
    "pagerduty": Known(
        f"{_PROVIDERS}.pagerduty.notifications.pagerduty.PagerdutyNotifier",
        "pagerduty_events_conn_id",
        {
            "summary": "{title}",
            "severity": "error",
            "source": "airflow-backup",
            "dedup_key": "{id}",
        },
    ),
    "sns": Known(
        f"{_PROVIDERS}.amazon.aws.notifications.sns.SnsNotifier",
        "aws_conn_id",
        {"subject": "{title}", "message": "{text}"},
    ),
}
_CHATS = {
    "slack": SLACK,
    "discord": DISCORD,
    **dict.fromkeys(("smtp", "pagerduty", "opsgenie", "amazon", "google"), NONE),
}
"""By provider; every other one may be a chat."""

_MOST_OF_A_SUBJECT = 100
"""SNS takes no longer one."""


def send_by_notifier(receiver: Receiver, message: Rendered) -> None:
    """
    Send by one of Airflow's notifiers; raise what goes wrong.

    ``notify`` is called and not the object: that would read our text as a template, and an error message of some
    tool may hold braces; and it would keep the error to itself.
    """
    notifier = made(receiver, message)
    try:
        notifier.notify({})  # there is no task to speak of
    except Exception as error:
        status = _status_of(error)
        kind = RefusedForGood if status is not None and is_for_good(status) else SendFailed
        answer = "" if status is None else f", answer {status}"
        raise kind(  # without its text: some quote the address that they called
            f"notifier {receiver.notifier} could not send: {type(error).__name__}{answer}",
            hint="what does the log of the task say?",
        ) from error


def _status_of(error: BaseException | None) -> int | None:
    """Return what a web server answered, where the library says it; those of most providers do, in one of two ways."""
    while error is not None:
        for holder in (getattr(error, "response", None), error):
            status = getattr(holder, "status_code", getattr(holder, "status", None))
            if isinstance(status, int):
                return status
        error = error.__cause__
    return None


def made(receiver: Receiver, message: Rendered) -> BaseNotifier:
    """Return the notifier with the message in it; ConfigError where it is not installed, or wants other options."""
    assert receiver.notifier is not None
    known = KNOWN.get(receiver.notifier)
    path = receiver.notifier if known is None else known.path
    options = dict(receiver.options) if known is None else {**known.options, **receiver.options}
    if known is not None and receiver.connection is not None:
        options[known.connection] = receiver.connection
    kind = _class(path)
    try:
        chat = _chat_of(path)
        return kind(**{name: _filled(value, message, chat) for name, value in options.items()})
    except TypeError as error:
        raise ConfigError(
            f"notifier {receiver.notifier} cannot be made: {error}",
            hint="put what it takes below `options` of the receiver",
        ) from error


def _class(path: str) -> type[BaseNotifier]:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError):
        provider = ".".join(path.split(".")[:3])
        raise ConfigError(
            f"the notifier {path} is not installed",
            hint=f"is the provider of {provider} installed?",
        ) from None
    if not (isinstance(found, type) and issubclass(found, BaseNotifier)):
        raise ConfigError(f"{path} is no notifier of Airflow")
    return found


def _chat_of(path: str) -> Chat:
    """Return how what a notifier writes to takes text, by its provider."""
    return _CHATS.get(path.removeprefix(f"{_PROVIDERS}.").partition(".")[0], OTHER)


def _filled(value: Any, message: Rendered, chat: Chat = NONE) -> Any:
    """
    Put the message where its names stand, as its chat takes it; other braces stay what they are.

    >>> told = Rendered(id="1", title="{html} is late", text="a", html="<b>", contents=[])
    >>> _filled("*{title}*\\n{text} {other}", told)
    '*{html} is late*\\na {other}'
    """
    if not isinstance(value, str):
        return value
    title = chat.escape(message.title[:_MOST_OF_A_SUBJECT])
    known = {"title": title, "html": message.html, "id": message.id}
    parts = re.split(r"\{(title|text|html|id)\}", value)
    if chat.longest is not None:
        others = "".join(
            known.get(part, "") if place % 2 else part for place, part in enumerate(parts)
        )
        room = max(0, chat.longest - len(others)) // max(1, parts[1::2].count("text"))
    else:
        room = None
    known["text"] = chat.fit(message.text, room=room, link=message.link)
    return "".join(known[part] if place % 2 else part for place, part in enumerate(parts))
