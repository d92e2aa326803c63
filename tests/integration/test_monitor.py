"""A real Airflow whose monitor tells a mail server and a webhook; and one from outside, when the scheduler is dead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_backup.catalog import Catalog
from support.airflow.home import AirflowHome
from support.servers.receivers import MailServer, WebServer, mail_server, web_server

pytestmark = pytest.mark.service

SCHEDULES = """\
version: 1
receivers:
  on-call: {{email: ops@example.org, connection: smtp_test}}
  hook: {{webhook: hook_test}}
  mailer: {{notifier: smtp, connection: smtp_test, options: {{to: boss@example.org}}}}
defaults: {{repository: "file://{repository}", retry: {{max_retries: 0}}, notify: {{to: [on-call, hook, mailer]}}}}
schedules:
  - {{id: missing, source: {{engine: files, path: {source}}}, every: 24h}}
"""


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


@pytest.fixture
def airflow(tmp_path: Path, mails: MailServer, web: WebServer) -> Iterator[AirflowHome]:
    (tmp_path / "repository").mkdir()
    text = SCHEDULES.format(repository=tmp_path / "repository", source=tmp_path / "source")
    environment = {
        "AIRFLOW__BACKUP__MONITOR_INTERVAL": "10s",
        "AIRFLOW__BACKUP__PING_CONN_ID": "alive",
        "AIRFLOW__API__BASE_URL": "http://airflow.example.org",
        "AIRFLOW_CONN_ALIVE": web.connection("/ping/inside"),
        "AIRFLOW_CONN_OUTSIDE": web.connection("/ping/outside"),
        "AIRFLOW_CONN_SMTP_TEST": mails.connection,
        "AIRFLOW_CONN_HOOK_TEST": web.connection("/hook"),
    }
    with AirflowHome(tmp_path / "airflow", schedules=text, environment=environment) as home:
        home.start()
        yield home


def wait(condition: Callable[[], object], what: str, seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.5)


def from_outside(airflow: AirflowHome, *more: str) -> subprocess.CompletedProcess[str]:
    """Look as somebody does on another machine: with the catalog and some connections, and without Airflow."""
    known = {name: value for name, value in airflow.environment.items() if "_CONN_" in name}
    environment = {
        "PATH": os.environ["PATH"],
        "AIRFLOW_BACKUP_CATALOG": airflow.catalog_url,
        **known,
    }
    return subprocess.run(
        [sys.executable, "-P", "-m", "airflow_backup.cli.main", "monitor", *more],
        env=environment,
        cwd=airflow.folder,
        capture_output=True,
        text=True,
        check=False,
    )


def hooks(web: WebServer) -> list[tuple[str, str | None]]:
    """What the webhook got: the event, and of which schedule."""
    bodies = [json.loads(body) for path, _, body in web.requests if path == "/hook"]
    return [(body["event"], body["schedule"]) for body in bodies]


def test_airflow_tells_and_when_it_is_dead_the_outside_tells(
    airflow: AirflowHome, mails: MailServer, web: WebServer
) -> None:
    wait(lambda: "/ping/inside" in web.paths, "the first sign of life")
    with airflow.client("admin") as admin:
        started = admin.post("backup/api/v1/schedules/missing/run", json={})
        assert started.status_code == 202
    wait(lambda: len(mails.mails) >= 2 and hooks(web), "the messages of a failed run")
    assert hooks(web) == [("failed_final", "missing")]
    assert mails.subjects == ["[backup] missing: the backup failed"] * 2
    assert {str(mail["To"]) for mail in mails.mails} == {"ops@example.org", "boss@example.org"}

    with airflow.client("admin") as admin:
        (known,) = [
            each
            for each in admin.get("backup/api/v1/receivers").json()["receivers"]
            if each["name"] == "on-call"
        ]
        assert (known["waiting"], known["error"], known["schedules"]) == (0, None, ["missing"])
        tested = admin.post("backup/api/v1/receivers/on-call/test", json={}).json()
    assert tested == {"name": "on-call", "sent": True, "error": None, "hint": None}
    assert mails.subjects[-1] == "[backup] on-call: a test message"

    well = from_outside(airflow, "--ping", "outside")
    assert "Airflow starts no backups" not in well.stdout, well.stdout
    assert "/ping/outside" in web.paths

    airflow.stop("scheduler")
    time.sleep(5)  # what was under way ends
    pings = web.paths.count("/ping/inside")
    time.sleep(25)
    assert web.paths.count("/ping/inside") == pings, "the sign of life goes on without a scheduler"
    dead = from_outside(airflow, "--ping", "outside")
    assert dead.returncode == 1
    assert "Airflow starts no backups: the DAG backup_monitor has not run for" in dead.stdout
    assert hooks(web)[-1] == ("stale", None)
    assert "[backup] Airflow: no backups are started" in mails.subjects
    assert web.paths[-1] == "/ping/outside/fail"
    sent = len(web.requests)
    again = from_outside(airflow)
    assert (again.returncode, len(web.requests)) == (1, sent), "it is told once"

    airflow.start("scheduler")
    wait(lambda: hooks(web)[-1] == ("recovered", None), "word that Airflow serves again")
    with Catalog.open(airflow.catalog_url) as catalog:
        assert catalog.events.first_broken() is None
