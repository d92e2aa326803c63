"""Receivers that are odd, slow, gone or back, clocks that were wrong, and what must not be in a message or an error."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.alerts.monitor import ping as ping_module
from airflow_backup.actions.alerts.monitor.monitor import Pass, monitor
from airflow_backup.actions.alerts.notify import deliver
from airflow_backup.actions.alerts.notify.deliver import Sender
from airflow_backup.actions.alerts.notify.ways.failed import SendFailed
from airflow_backup.actions.alerts.notify.ways.webhook import send_webhook
from airflow_backup.actions.alerts.notify.written.rendered import rendered
from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.notices.monitor_state import Observation
from airflow_backup.catalog.run_records import Failure, Outcome
from airflow_backup.core.connections import Connection, from_environment
from airflow_backup.core.errors import BackupError
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import ExecutionStatus, Trigger
from airflow_backup.schedules.model.notify import Receiver
from airflow_backup.schedules.model.schedule import Schedule
from support.servers.receivers import MailServer, mail_server, web_server

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""A Monday."""

CONTENT: dict[str, Any] = {
    "event": "failed_final",
    "schedule": "wiki",
    "level": 1,
    "title": "wiki: the backup failed",
    "what": "no room",
    "since": "today",
    "do": [],
    "facts": [],
}
MAIL = {"name": "on-call", "email": ["ops@example.org", "gone@example.org"], "connection": "smtp"}


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


@contextmanager
def peer(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Run a server that talks as it likes; give its address."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=_quietly, args=(talk, connection), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/hook"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def _quietly(talk: Callable[[socket.socket], None], connection: socket.socket) -> None:
    try:
        with connection:
            connection.recv(65536)
            talk(connection)
    except OSError:
        pass


def dripping(connection: socket.socket) -> None:
    """Answer a byte at a time, for ever."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"a")
        time.sleep(0.05)


def schedule(*notices: dict[str, Any], name: str = "wiki") -> Schedule:
    return Schedule.model_validate(
        {
            "id": name,
            "source": {"engine": "files", "path": "/srv/wiki"},
            "repository": "file:///b",
            "cron": "0 2 * * *",
            "notify": list(notices),
        }
    )


def look(catalog: Catalog, now: datetime, *schedules: Schedule, **given: Any) -> Pass:
    return monitor(
        catalog,
        [Subject.of(each) for each in schedules],
        place="airflow",
        sender=Sender(given.pop("connections", from_environment)),
        clock=lambda: now,
        **given,
    )


def fail(catalog: Catalog, run_id: str, at: datetime, *, error: str = "no room") -> None:
    begun = catalog.executions.begin(
        "wiki", run_id, run_at=at, trigger=Trigger.SCHEDULE, at=at, attempt=1
    )
    failure = Failure(error=error, hint=None, failure_class=FailureClass.SPACE)
    catalog.executions.finish(begun, Outcome(status=ExecutionStatus.FAILED, failure=failure), at=at)


@pytest.mark.parametrize(
    "extra",
    [
        {"headers": {"Authorization": "Bearer s3cret\n"}},
        {"url": "http://127.0.0.1:9/s3cret token"},
        {"url": "http://127.0.0.1:9x/s3cret"},
        {"url": "http://user:s3cret@[::1/hook"},
        {"url": "http://127.0.0.1:9/s3cret/\u00e9"},
    ],
)
def test_no_error_quotes_a_header_or_an_address(extra: dict[str, Any]) -> None:
    def connections(connection_id: str) -> Connection:
        return Connection(id=connection_id, host="http://127.0.0.1:9/", extra=extra)

    with pytest.raises(BackupError) as caught:
        send_webhook(Receiver(webhook="h"), rendered("1", [CONTENT]), connections)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(BackupError) as caught:
        ping_module.ping("h", connections, good=True, text="well")
    assert "s3cret" not in str(caught.value)


def test_who_does_not_speak_http_costs_no_look(catalog: Catalog) -> None:
    with peer(lambda connection: connection.sendall(b"220 smtp ready\r\n")) as url:

        def connections(connection_id: str) -> Connection:
            return Connection(id=connection_id, host=url)

        found = look(catalog, START, connections=connections, ping_connection="alive")
        assert found.ping_error is not None
        assert "does not speak HTTP" in found.ping_error
        with pytest.raises(SendFailed, match="does not speak HTTP"):
            send_webhook(Receiver(webhook="h"), rendered("1", [CONTENT]), connections)


def test_an_answer_without_an_end_holds_up_no_look(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "LIMIT", 1.0)
    monkeypatch.setattr(ping_module, "LIMIT", 1.0)
    wiki = schedule({"to": [{"name": "hook", "webhook": "hook"}]})
    with peer(dripping) as url:

        def connections(connection_id: str) -> Connection:
            return Connection(id=connection_id, host=url)

        look(catalog, START, wiki, connections=connections)
        fail(catalog, "r1", START)
        begun = time.monotonic()
        found = look(catalog, START, wiki, connections=connections, ping_connection="alive")
        assert time.monotonic() - begun < 30
    (delivery,) = found.deliveries
    assert delivery.error is not None
    assert "no end within" in delivery.error
    assert found.ping_error is not None
    assert "no end within" in found.ping_error


class OneIsGone(MailServer):
    """A mail server that takes mail for all but one address."""

    async def handle_RCPT(  # aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address.startswith("gone@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"


def test_an_address_that_is_gone_keeps_the_others_from_nothing(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    wiki = schedule({"to": [MAIL], "events": ["failed_final", "disabled", "skipped"]})
    with mail_server(OneIsGone) as mails:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP", mails.connection)
        look(catalog, START, wiki)

        def skip(number: int) -> Pass:
            at = START + timedelta(minutes=10 * number)
            catalog.executions.skip(
                "wiki",
                f"r{number}",
                run_at=at,
                trigger=Trigger.SCHEDULE,
                at=at,
                reason=f"reason {number}",
            )
            return look(catalog, at, wiki)

        found = [skip(number) for number in range(3)][-1]
        # Each once, and none waits behind the first.
        told = [mail.get_body(("plain",)) for mail in mails.mails]
        assert [
            number
            for body in told
            for number in range(3)
            if body is not None and f"reason {number}" in body.get_content()
        ] == [0, 1, 2]
        (delivery,) = found.deliveries
        assert delivery.trouble.startswith("told in part: on-call: ")
        assert "gone@example.org" in delivery.trouble
        known = catalog.outbox.health()["on-call"]
        assert known.error is not None
        assert (known.waiting, known.failures) == (0, 0)


def test_a_look_with_a_wrong_clock_silences_no_later_one(catalog: Catalog) -> None:
    fine = Observation(state="good", is_stale=False, needs_attention=False)
    late = Observation(state="late", is_stale=True, needs_attention=True)
    catalog.monitor_state.note({"wiki": fine}, at=START + timedelta(days=400), up_to=0)
    assert [
        event.action for event in catalog.monitor_state.note({"wiki": late}, at=START, up_to=0)
    ] == ["stale"]
    after = START + timedelta(minutes=5)
    assert [
        event.action for event in catalog.monitor_state.note({"wiki": fine}, at=after, up_to=0)
    ] == ["recovered"]


def test_nothing_is_sent_in_quiet_hours_whenever_it_was_written(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that was away before the quiet hours comes back in them."""
    quiet = {"from": "22:00", "to": "07:00"}
    wiki = schedule({"to": [{"name": "hook", "webhook": "hook"}], "quiet": quiet})
    evening = START.replace(hour=21, minute=55)
    with web_server() as hook:
        monkeypatch.setenv("AIRFLOW_CONN_HOOK", hook.connection("/"))
        look(catalog, evening, wiki)
        fail(catalog, "r1", evening)
        hook.status = 503
        look(catalog, evening, wiki)
        hook.status = 200
        night = evening
        while night < evening.replace(hour=7, minute=0) + timedelta(days=1):
            look(catalog, night, wiki)
            assert hook.requests == [] or night < evening.replace(hour=22, minute=0)
            night += timedelta(minutes=30)
        look(catalog, night, wiki)
        assert [body["event"] for body in hook.bodies] == ["failed_final"]


def test_a_receiver_that_comes_back_after_months_is_not_told_of_all_of_them(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"to": [{"name": "hook", "webhook": "hook"}], "events": ["failed_final", "skipped"]}
    with web_server() as hook:
        monkeypatch.setenv("AIRFLOW_CONN_HOOK", hook.connection("/"))
        look(catalog, START, schedule(told))
        now = START
        for number in range(90):
            now += timedelta(days=1)
            catalog.executions.skip(
                "wiki",
                f"r{number}",
                run_at=now,
                trigger=Trigger.SCHEDULE,
                at=now,
                reason=f"day {number}",
            )
        fail(catalog, "last", now)
        look(catalog, now, schedule(told))
        told_of = [body["what"] for body in hook.bodies]
        assert told_of == [*(f"day {number}" for number in range(82, 90)), "no room"]


def test_an_error_that_is_no_text_is_noted_told_and_holds_up_nobody(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"to": [{"name": "hook", "webhook": "hook"}, MAIL | {"email": ["ops@example.org"]}]}
    with web_server() as hook, mail_server() as mails:
        monkeypatch.setenv("AIRFLOW_CONN_HOOK", hook.connection("/"))
        monkeypatch.setenv("AIRFLOW_CONN_SMTP", mails.connection)
        look(catalog, START, schedule(told))
        fail(catalog, "r1", START, error="cannot read 'caf\udce9\0'")
        found = look(catalog, START, schedule(told))
        assert [each.error for each in found.deliveries] == [None, None]
        execution = catalog.executions.get("wiki", "r1")
        assert execution is not None
        assert execution.error == r"cannot read 'caf\udce9\x00'"
        assert hook.bodies[0]["what"] == execution.error
        assert len(mails.mails) == 1
        assert catalog.events.first_broken() is None
        for event in catalog.events.after(0):
            json.dumps(event.detail, ensure_ascii=False).encode()
