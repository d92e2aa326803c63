"""
Messages to real receivers: a mail server and a webhook that the test starts, and a monitor that looks again and
again.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.alerts.monitor.monitor import Pass, monitor
from airflow_backup.actions.alerts.notify.deliver import Sender
from airflow_backup.actions.alerts.notify.written.rendered import Rendered
from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import Failure, Outcome
from airflow_backup.core.connections import from_environment
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.format.manifest import Totals
from airflow_backup.core.ids import set_id
from airflow_backup.core.words import (
    ExecutionStatus,
    Trigger,
    VerificationLevel,
    VerificationOutcome,
)
from airflow_backup.schedules.model.notify import Receiver
from airflow_backup.schedules.model.schedule import Schedule
from support.servers.receivers import MailServer, WebServer, mail_server, web_server
from support.stored.stored_sets import note_set

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
"""A Monday."""

KILLS = int(os.environ.get("MESSAGE_KILLS", "8"))
MAIL = {"name": "on-call", "email": ["ops@example.org"], "connection": "smtp_test"}
HOOK = {"name": "hook", "webhook": "hook_test"}
TOTALS = Totals(files=1, bytes_read=1, bytes_stored=1)
TOKEN, SECRET = "T0K3N-IN-THE-ADDRESS", "a-secret-to-sign-with"


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_TEST", server.connection)
        yield server


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    with web_server() as server:
        address = server.connection(f"/hooks/{TOKEN}", password=SECRET)
        monkeypatch.setenv("AIRFLOW_CONN_HOOK_TEST", address)
        yield server


class World:
    """A catalog whose clock the test moves."""

    def __init__(self, catalog: Catalog, schedules: list[Schedule]) -> None:
        self.catalog, self.schedules = catalog, schedules
        self.now = START
        self.sender = Sender(from_environment)
        self.number = 0
        catalog.standings.note_seen([each.id for each in schedules], at=START)

    def look(self) -> Pass:
        """Let the monitor look once, as it does every five minutes."""
        self.now += timedelta(minutes=5)
        return monitor(
            self.catalog,
            [Subject.of(each) for each in self.schedules],
            place="airflow",
            sender=self.sender,
            clock=lambda: self.now,
            link="https://airflow.example.org",
        )

    def looks_until(self, hours: float, *, every: timedelta = timedelta(minutes=5)) -> None:
        """Look again and again until so many hours after the start."""
        while self.now < START + timedelta(hours=hours):
            self.now += every - timedelta(minutes=5)
            self.look()

    def run(self, schedule_id: str, *, error: str | None = None) -> None:
        """Let a run complete, or fail for good."""
        self.number += 1
        begun = self.catalog.executions.begin(
            schedule_id, f"r{self.number}", run_at=self.now, trigger=Trigger.SCHEDULE, at=self.now
        )
        failure = None
        if error is not None:
            failure = Failure(
                error=error, hint="is the disk full? df -h", failure_class=FailureClass.SPACE
            )
        else:
            name = set_id(schedule_id, begun.run_id, self.now)
            note_set(
                self.catalog, schedule_id, name, at=self.now, finished_at=self.now, totals=TOTALS
            )
            self.catalog.verifications.record(
                name,
                schedule_id,
                level=VerificationLevel.STANDARD,
                outcome=VerificationOutcome.PASSED,
                started_at=self.now,
                finished_at=self.now,
            )
        status = ExecutionStatus.COMPLETED if failure is None else ExecutionStatus.FAILED
        self.catalog.executions.finish(begun, Outcome(status=status, failure=failure), at=self.now)


def schedule(name: str = "orders", *notices: dict[str, Any], **more: Any) -> Schedule:
    return Schedule.model_validate(
        {
            "id": name,
            "description": "Orders of the shop",
            "source": {"engine": "files", "path": "/srv"},
            "repository": "file:///b",
            "preset": "hourly",
            "alert_after": "4h",
            "notify": list(notices) or [{"to": [MAIL, HOOK]}],
            **more,
        }
    )


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


def test_a_failing_then_stale_then_recovering_schedule_sends_three_messages(
    catalog: Catalog, mails: MailServer, hook: WebServer
) -> None:
    world = World(catalog, [schedule()])
    world.run("orders")
    world.looks_until(1)
    assert mails.mails == []
    world.run("orders", error="no room left in file:///b")
    world.look()
    world.run("orders", error="no room left in file:///b")
    world.looks_until(6, every=timedelta(minutes=30))
    world.run("orders", error="no room left in file:///b")
    world.looks_until(9, every=timedelta(minutes=30))
    world.run("orders")
    world.looks_until(12, every=timedelta(minutes=30))
    assert mails.subjects == [
        "[backup] orders: the backup failed",
        "[backup] orders: backups are late",
        "[backup] orders: all is well again",
    ]
    assert [body["event"] for body in hook.bodies] == ["failed_final", "stale", "recovered"]
    assert [body["schedule"] for body in hook.bodies] == ["orders"] * 3
    assert catalog.events.first_broken() is None


def test_a_mail_says_what_since_when_what_it_means_what_to_do_and_where_to_look(
    catalog: Catalog, mails: MailServer
) -> None:
    world = World(catalog, [schedule("orders", {"to": [MAIL]}, timezone="Europe/Berlin")])
    world.run("orders")
    world.looks_until(1)
    world.run("orders", error="no room left in <file:///b> & {{ dag }}")
    world.look()
    (mail,) = mails.mails
    assert mail["To"] == "ops@example.org"
    assert mail["From"] == "backup@example.org"
    assert mail["Auto-Submitted"] == "auto-generated"
    plain = mail.get_body(("plain",))
    html = mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    text = plain.get_content()
    for words in (
        "What no room left in <file:///b> & {{ dag }}",
        "Since Mon 23 Nov 04:00 CET",
        "It is late in 2 hours, if",
        "is the disk full? df -h",
        "airflow-backup show orders",
        "https://airflow.example.org/plugin/backup/orders",
    ):
        assert words in " ".join(text.split()), text
    assert "no room left in &lt;file:///b&gt; &amp; {{ dag }}" in html.get_content()


def test_a_webhook_is_signed_and_its_address_is_nowhere(
    catalog: Catalog, hook: WebServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(catalog, [schedule("orders", {"to": [HOOK]})])
    world.look()
    world.run("orders", error="x")
    hook.status = 500
    world.look()
    hook.status = 200
    world.now += timedelta(minutes=5)
    world.look()
    ((path, headers, body),) = hook.requests
    assert path == f"/hooks/{TOKEN}"
    given = dict(part.split("=", 1) for part in headers["X-Backup-Signature"].split(","))
    signed = hmac.new(SECRET.encode(), f"{given['t']}.".encode() + body, hashlib.sha256).hexdigest()
    assert given["v1"] == signed
    assert headers["X-Backup-Message-Id"] == hook.bodies[0]["id"]
    everything = (tmp_path / "catalog.db").read_bytes() + caplog.text.encode()
    everything += (tmp_path / "catalog.db-wal").read_bytes()
    assert TOKEN.encode() not in everything
    assert SECRET.encode() not in everything


def test_a_receiver_that_cannot_be_reached_holds_up_nobody_and_gets_all_later(
    catalog: Catalog, mails: MailServer, hook: WebServer
) -> None:
    world = World(catalog, [schedule(), schedule("wiki")])
    world.look()
    mails.answer = "451 come back later"
    world.run("orders", error="x")
    found = world.look()
    assert [body["event"] for body in hook.bodies] == ["failed_final"]
    (bad,) = [each for each in found.deliveries if each.error]
    assert (
        bad.error
        == "the mail server of connection 'smtp_test' refused the message: 451 come back later"
    )
    world.run("wiki", error="y")
    for _ in range(3):
        world.look()
    waiting = catalog.outbox.health()["on-call"]
    assert (waiting.waiting, waiting.failures > 1, waiting.error) == (2, True, bad.error)
    mails.answer = "250 OK"
    world.looks_until(3)
    assert mails.subjects == [
        "[backup] orders: the backup failed",
        "[backup] wiki: the backup failed",
    ]
    health = catalog.outbox.health()["on-call"]
    assert (health.waiting, health.failures, health.error) == (0, 0, None)


def test_what_a_receiver_refuses_for_good_holds_it_up_for_a_day_and_is_named(
    catalog: Catalog, mails: MailServer, hook: WebServer
) -> None:
    world = World(catalog, [schedule(), schedule("wiki")])
    world.look()
    mails.answer, hook.status = "554 that text is no good", 413
    world.run("orders", error="x")
    found = world.look()
    assert [each.undeliverable for each in found.deliveries] == [(), ()]
    world.looks_until(20, every=timedelta(minutes=30))
    assert catalog.outbox.health()["on-call"].undeliverable == 0, "somebody may mend the connection"
    given_up: list[str] = []
    while world.now < START + timedelta(hours=32):
        world.now += timedelta(minutes=25)
        found = world.look()
        given_up += [each.trouble for each in found.deliveries if each.undeliverable]
    assert given_up[0].startswith("never told: ")
    assert any(
        "'orders: the backup failed'" in each and "554 that text" in each for each in given_up
    )
    assert any("HTTP 413" in each for each in given_up)
    mails.answer, hook.status = "250 OK", 200
    world.run("wiki", error="y")
    world.looks_until(60, every=timedelta(minutes=30))
    assert any("wiki" in subject for subject in mails.subjects), mails.subjects
    assert "wiki" in {body["schedule"] for body in hook.bodies}
    for key in ("on-call", "hook"):
        health = catalog.outbox.health()[key]
        assert (health.waiting, health.error) == (0, None)
        assert health.undeliverable > 0
        assert health.last_undeliverable is not None
    named = [each for each in catalog.events.recent(100) if each.action == "undeliverable"]
    assert {each.subject for each in named} == {"receiver:on-call", "receiver:hook"}
    assert any("554 that text is no good" in each.detail["error"] for each in named)
    assert catalog.events.first_broken() is None


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_an_answer_that_may_be_another_one_tomorrow_never_loses_a_message(
    catalog: Catalog, hook: WebServer, status: int
) -> None:
    world = World(catalog, [schedule("orders", {"to": [HOOK]})])
    world.look()
    hook.status = status
    world.run("orders", error="x")
    world.looks_until(72, every=timedelta(hours=2))
    hook.status = 200
    world.looks_until(80, every=timedelta(hours=2))
    assert hook.bodies[0]["event"] == "failed_final"
    assert catalog.outbox.health()["hook"].undeliverable == 0


def test_a_digest_of_fifty_schedules_is_one_mail(catalog: Catalog, mails: MailServer) -> None:
    hour = timedelta(hours=1)
    notice = {"to": [MAIL], "digest": "daily", "digest_at": "07:00"}
    world = World(catalog, [schedule(f"s{number:02}", notice) for number in range(50)])
    for number in range(48):
        world.run(f"s{number:02}")
    world.run("s49", error="no room left")
    world.looks_until(6, every=hour)
    assert mails.subjects == [
        "[backup] 50 schedules: 50 of them need a person"
    ]  # hourly, late since 06:00
    for number in range(49):
        world.run(f"s{number:02}")
    world.looks_until(26, every=hour)
    for number in range(48):
        world.run(f"s{number:02}")
    world.looks_until(30, every=hour)
    assert mails.subjects[1:] == ["[backup] 50 schedules: 2 of them need a person"]
    plain = mails.mails[1].get_body(("plain",))
    assert plain is not None
    text = plain.get_content()
    assert "97 completed" in text
    assert text.index("s48 (late)") < text.index("Well:") < text.index("s00")


def test_many_troubles_at_once_are_one_mail(catalog: Catalog, mails: MailServer) -> None:
    world = World(catalog, [schedule(f"s{number}", {"to": [MAIL]}) for number in range(20)])
    world.look()
    for number in range(20):
        world.run(f"s{number}", error="the storage does not answer")
    world.look()
    assert len(mails.mails) == 1
    assert mails.subjects[0].startswith("[backup] 20 schedules have trouble: s0, s1, s2")


def test_in_quiet_hours_nothing_is_sent_and_nothing_is_lost(
    catalog: Catalog, mails: MailServer
) -> None:
    quiet = [{"from": "22:00", "to": "07:00"}]
    world = World(catalog, [schedule("orders", {"to": [MAIL], "quiet": quiet})])
    world.look()
    world.run("orders", error="x")
    world.looks_until(4.9)
    assert mails.mails == []
    world.looks_until(5.2)
    assert mails.subjects == ["[backup] orders: nothing was ever backed up · the backup failed"]


def test_what_a_sender_had_in_hand_when_it_died_is_sent_again_under_the_same_id(
    catalog: Catalog, mails: MailServer
) -> None:
    class Dies(Sender):
        def send(self, receiver: Receiver, message: Rendered) -> None:
            super().send(receiver, message)
            raise KeyboardInterrupt  # between the mail and the word that it was sent

    world = World(catalog, [schedule("orders", {"to": [MAIL]})])
    world.look()
    world.run("orders", error="x")
    alive, world.sender = world.sender, Dies(from_environment)
    with pytest.raises(KeyboardInterrupt):
        world.look()
    world.sender = alive
    world.now -= timedelta(minutes=2)
    world.look()
    assert len(mails.mails) == 1, "whoever died may still be at it"
    world.look()
    world.look()
    assert len({mail["Message-ID"] for mail in mails.mails}) == 1
    assert len(mails.mails) == 2


MONITOR = """
import sys
from airflow_backup.cli.main import main
print("ready", flush=True)
while True:
    main(["monitor", "--quiet"])
"""


def test_over_kills_of_monitors_each_message_arrives_under_one_id_in_order(
    hook: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(7)
    url = f"sqlite:///{tmp_path}/catalog.db"
    monkeypatch.setenv("AIRFLOW_BACKUP_CATALOG", url)
    monkeypatch.setattr("airflow_backup.actions.alerts.notify.deliver.LEASE", timedelta(seconds=0))
    (tmp_path / "schedules.yaml").write_text(
        "version: 1\nreceivers: {hook: {webhook: hook_test}}\nschedules:\n"
        "  - {id: orders, source: {engine: files, path: /srv}, repository: 'file:///b', preset: hourly,\n"
        "     notify: {to: hook, events: [started, failed_final]}}\n"
    )
    monkeypatch.chdir(tmp_path)
    expected = []
    with Catalog.open(url) as catalog:
        world = World(
            catalog, [schedule("orders", {"to": [HOOK], "events": ["started", "failed_final"]})]
        )
        world.now = datetime.now(UTC)
        world.look()
        for _ in range(KILLS):
            with ExitStack() as looking:
                for _ in range(2):
                    looking.callback(end, started_monitor())
                until = time.monotonic() + chance.uniform(0.2, 1.5)
                while time.monotonic() < until:
                    world.now = datetime.now(UTC)
                    world.run("orders")
                    expected.append(f"r{world.number}")
                    time.sleep(0.02)
        world.now = datetime.now(UTC) + timedelta(hours=1)  # what the dead had in hand is free
        for _ in range(100):
            world.look()
            if not catalog.outbox.health()["hook"].waiting:
                break
        got = [dict(body["facts"])["run"] for body in hook.bodies]
        first = list(dict.fromkeys(got))
        assert first == expected
        assert len({body["id"] for body in hook.bodies}) == len(expected)
        assert catalog.outbox.health()["hook"].waiting == 0


def end(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def started_monitor() -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", MONITOR], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process
