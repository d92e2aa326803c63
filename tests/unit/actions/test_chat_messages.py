"""Texts from outside in messages: they call nobody, make no link, forge no line, and do not grow without end."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest

from airflow_backup.actions.alerts.notify.content import content_of
from airflow_backup.actions.alerts.notify.ways import apprise as apprise_way
from airflow_backup.actions.alerts.notify.ways.mail import mail_of, send_mail
from airflow_backup.actions.alerts.notify.written.chat import DISCORD, NONE, OTHER, SLACK, Chat
from airflow_backup.actions.alerts.notify.written.rendered import Rendered, rendered
from airflow_backup.catalog.records import Event
from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import ConfigError
from airflow_backup.operators.notifiers import KNOWN, _chat_of, _filled
from airflow_backup.schedules.model.notify import Receiver
from airflow_backup.schedules.model.schedule import Schedule

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
LINK = "https://airflow.example.org"
CALLS = "<!channel> <!here|x> <@U12> <#C1> @here @everyone @channel @all <@&99> <at>ann</at> [a](http://b)"
SHOWN = {"slack": SLACK, "discord": DISCORD, "other": OTHER}


def message(error: str, *, description: str = "Orders") -> Rendered:
    schedule = Schedule.model_validate(
        {
            "id": "wiki",
            "description": description,
            "source": {"engine": "files", "path": "/srv"},
            "repository": "file:///b",
            "preset": "daily",
        }
    )
    event = Event(
        id=1,
        at=START,
        actor="",
        action="failed_final",
        subject="wiki",
        detail={"error": error, "run_id": "r\n1"},
        hash="",
    )
    content = content_of(event, schedule=schedule, protection=None, now=START, link=LINK)
    return rendered("1", [content])


@pytest.mark.parametrize("chat", SHOWN.values(), ids=SHOWN)
def test_no_text_from_outside_calls_anybody(chat: Chat) -> None:
    text = re.sub(r"\\.", "", chat.escape(message(CALLS, description=CALLS).text))
    for call in ("<!", "<@", "<#", "<at", "@here", "@everyone", "@channel", "@all", "](", "[["):
        assert call not in text, call


def test_a_template_of_the_administrator_may_call_where_the_text_may_not() -> None:
    told = _filled("<!channel> {title}\n{text}", message("<!channel>"), SLACK)
    assert told.count("<!channel>") == 1
    assert "&lt;!channel&gt;" in told


@pytest.mark.parametrize(
    ("name", "most"), [("slack", 3000), ("slack_webhook", 3000), ("discord", 2000)]
)
@pytest.mark.parametrize("error", ["x" * 50_000, "<&>" * 20_000, "*_" * 20_000])
def test_what_is_too_long_for_a_chat_is_cut_with_a_link_to_the_whole(
    name: str, most: int, error: str
) -> None:
    chat = _chat_of(KNOWN[name].path)
    told = _filled(KNOWN[name].options["text"], message(error), chat)
    assert most - 100 < len(told) <= most
    link = f"{LINK}/plugin/backup/wiki"
    assert told.endswith(f"cut; the whole: {chat.escape(link)}")
    assert "wiki: the backup failed" in told.replace("\\", "")


def test_a_cut_leaves_no_half_of_an_escape() -> None:
    for room in range(40, 60):
        assert (
            not SLACK.fit("<" * 100, room=room, link=None).split("\n")[0].rstrip(";").endswith("&")
        )
        kept = SLACK.fit("<" * 100, room=room, link=None).split("\n")[0]
        assert kept == "&lt;" * (len(kept) // 4)


def test_mails_and_pagers_get_the_text_as_it_is() -> None:
    assert _chat_of(KNOWN["smtp"].path) is _chat_of(KNOWN["pagerduty"].path) is NONE
    assert _chat_of("airflow.providers.telegram.notifications.telegram.TelegramNotifier") is OTHER


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # of Apprise
def test_a_service_of_apprise_gets_no_more_than_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    apprise = pytest.importorskip("apprise")
    sent: list[dict[str, Any]] = []

    def notify(self: Any, **given: Any) -> bool:
        sent.append(given)
        return True

    monkeypatch.setattr(apprise.Apprise, "notify", notify)
    connection = Connection(id="chat", password="discord://123456/abcdef")
    apprise_way.send_apprise(
        Receiver(apprise="chat"), message(f"@everyone {'x' * 9000}"), lambda _: connection
    )
    (given,) = sent
    assert len(given["title"]) + len(given["body"]) <= 2000
    assert given["body"].endswith(f"the whole: {LINK}/plugin/backup/wiki")
    assert "@everyone" not in given["body"]


HOSTILE = "x\r\nBcc: all@example.org\r\n\r\n\x1b[31mred\x00\u202eright\x07"


def test_a_mail_has_no_header_and_no_control_character_of_a_text_from_outside() -> None:
    told = message(HOSTILE, description=HOSTILE)
    mail = mail_of(Receiver(email=["ops@example.org"]), told, sender="backup@example.org")
    raw = mail.as_bytes()
    again = message_from_bytes(raw, policy=policy.default)
    assert again["Bcc"] is None
    assert set(again.keys()) == set(mail.keys())
    for part in ("plain", "html"):
        body = mail.get_body((part,))
        assert body is not None
        text = body.get_content()
        assert all(each.isprintable() or each == "\n" for each in text), part
        assert not any(line.startswith("Bcc:") for line in text.split("\n"))
    assert told.contents[0]["what"] == HOSTILE, "a program gets it as it is, in JSON"


def test_a_sender_of_a_mail_with_the_end_of_a_line_in_it_is_refused() -> None:
    extra = {"from_email": "a@example.org\r\nBcc: b@example.org", "disable_ssl": True}
    connection = Connection(id="smtp_default", host="127.0.0.1", port=1, extra=extra)
    with pytest.raises(ConfigError, match="`from_email` of connection 'smtp_default' is no mail"):
        send_mail(Receiver(email=["a@example.org"]), message("x"), lambda _: connection)
    with pytest.raises(ValueError, match="is no mail address"):
        Receiver(email=["a\x00b@example.org"])


def test_a_message_without_a_link_is_cut_all_the_same() -> None:
    told = Rendered(id="1", title="late", text="x" * 9000, html="", contents=[])
    assert _filled("{text}", told, DISCORD).endswith("… cut")
