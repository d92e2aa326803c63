"""Schedules that run after others say why they wait, and their history has what kept them from running."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.alerts.monitor.monitor import monitor
from airflow_backup.actions.alerts.notify.deliver import Sender
from airflow_backup.actions.backup.upstreams import waits
from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import Failure, Outcome
from airflow_backup.cli.main import main
from airflow_backup.core.connections import from_environment
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.ids import dag_id
from airflow_backup.core.words import ExecutionStatus, Trigger
from airflow_backup.plugin.airflow.records import AirflowDag
from airflow_backup.plugin.schemas.schedules import Permissions, State
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.views.rows import Row
from airflow_backup.plugin.views.schedules import ScheduleData, summaries
from airflow_backup.schedules.model.schedule import Schedule

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


def schedule(name: str, *after: str) -> Schedule:
    given: dict[str, Any] = {"id": name, "source": {"engine": "files", "path": f"/srv/{name}"}}
    given |= {"repository": "file:///b"}
    return Schedule.model_validate(
        given | ({"after": list(after)} if after else {"preset": "daily"})
    )


WIKI, CRM, LAST = schedule("wiki"), schedule("crm"), schedule("last", "wiki", "crm")


def run(catalog: Catalog, name: str, outcome: str, *, minutes_ago: float) -> None:
    at = NOW - minutes_ago * MINUTE
    run_id = f"r{minutes_ago}"
    if outcome == "skipped":
        given: dict[str, Any] = {"run_at": at, "trigger": Trigger.SCHEDULE, "at": at}
        catalog.executions.skip(name, run_id, **given, reason="outside the window")
        return
    begun = catalog.executions.begin(name, run_id, run_at=at, trigger=Trigger.SCHEDULE, at=at)
    if outcome == "running":
        return
    failure = Failure(error="secret text", hint=None, failure_class=FailureClass.UNKNOWN)
    found = {
        "completed": Outcome(status=ExecutionStatus.COMPLETED),
        "failed": Outcome(status=ExecutionStatus.FAILED, failure=failure),
        "retried": Outcome(status=ExecutionStatus.FAILED, failure=failure, is_tried_again=True),
        "cancelled": Outcome(status=ExecutionStatus.CANCELLED, reason="by ann"),
    }[outcome]
    catalog.executions.finish(begun, found, at=at)


def why(catalog: Catalog, *known: str) -> str | None:
    ids = known or ("wiki", "crm", "last")
    return waits([WIKI, CRM, LAST], catalog, known=ids, now=NOW).get("last")


WHY = {
    "failed": "waits: upstream wiki failed 10 minutes ago",
    "skipped": "waits: upstream wiki was skipped 10 minutes ago",
    "cancelled": "waits: upstream wiki was cancelled 10 minutes ago",
    "retried": "waits: upstream wiki failed, and is tried again",
    "running": "waits: upstream wiki is running",
    "completed": None,
}


@pytest.mark.parametrize(("outcome", "reason"), WHY.items())
def test_a_schedule_says_why_it_waits_for_another_one(
    catalog: Catalog, outcome: str, reason: str | None
) -> None:
    run(catalog, "last", "completed", minutes_ago=60)
    run(catalog, "crm", "completed", minutes_ago=20)
    run(catalog, "wiki", outcome, minutes_ago=10)
    assert why(catalog) == reason


def test_what_an_upstream_did_before_the_last_run_counts_no_more(catalog: Catalog) -> None:
    assert why(catalog) == "waits: upstream wiki has not run; upstream crm has not run"
    run(catalog, "wiki", "completed", minutes_ago=90)
    run(catalog, "crm", "failed", minutes_ago=80)
    run(catalog, "crm", "completed", minutes_ago=70)
    run(catalog, "last", "completed", minutes_ago=60)
    assert why(catalog) == "waits: upstream wiki has not run since; upstream crm has not run since"
    run(catalog, "wiki", "completed", minutes_ago=30)
    run(catalog, "wiki", "failed", minutes_ago=10)
    assert why(catalog) == "waits: upstream crm has not run since", "what completed once serves"
    assert why(catalog, "wiki", "last") == "waits: there is no upstream crm"
    run(catalog, "last", "running", minutes_ago=1)
    assert why(catalog) is None


def look(catalog: Catalog, *schedules: Schedule) -> None:
    monitor(
        catalog,
        [Subject.of(each) for each in schedules],
        place="airflow",
        sender=Sender(from_environment),
        clock=lambda: NOW,
    )


def test_an_upstream_that_failed_or_was_skipped_is_in_the_history_of_who_waits_once(
    catalog: Catalog,
) -> None:
    catalog.standings.note_seen(["wiki", "crm", "last"], at=NOW - 90 * MINUTE)
    run(catalog, "wiki", "failed", minutes_ago=100)  # before anybody waited for it
    run(catalog, "wiki", "failed", minutes_ago=30)
    run(catalog, "wiki", "retried", minutes_ago=25)
    run(catalog, "crm", "skipped", minutes_ago=20)
    for _ in range(3):
        look(catalog, WIKI, CRM, LAST)
    rows = catalog.executions.history("last")
    assert [(str(row.status), str(row.trigger), row.reason) for row in rows] == [
        ("skipped", "dependency", "upstream crm was skipped"),
        ("skipped", "dependency", "upstream wiki failed"),
    ]
    told = [event for event in catalog.events.after(0) if event.subject == "last"]
    assert [event.action for event in told] == ["skipped", "skipped"]
    assert "secret text" not in str(rows), "who sees a schedule may not see what it waits for"


def test_api_and_status_say_why_a_schedule_waits(
    catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(catalog, "crm", "completed", minutes_ago=20)
    run(catalog, "wiki", "skipped", minutes_ago=10)
    rows = [
        Row(each.id, each.definition(), State.LOADED, "schedules.yaml")
        for each in (WIKI, CRM, LAST)
    ]
    may = Permissions(toggle=True, run=True, cancel=True, edit=True)
    dags = {dag_id(row.id): AirflowDag(dag_id(row.id), False, False) for row in rows}
    data = ScheduleData(
        now=NOW,
        dags=dags,
        airflow_runs={},
        past={},
        last_good={},
        protections=queries.protections_of(catalog, rows, dags, now=NOW),
        waits=waits([WIKI, CRM, LAST], catalog, known=[row.id for row in rows], now=NOW),
    )
    shown = summaries(rows, data, permissions=dict.fromkeys(("wiki", "crm", "last"), may))
    reason = "waits: upstream wiki was skipped 10 minutes ago"
    assert [each.waits for each in shown] == [None, None, reason]
    file = tmp_path / "schedules.yaml"
    written = [each.definition() for each in (WIKI, CRM, LAST)]
    file.write_text(json.dumps({"version": 1, "schedules": written}))
    url = f"sqlite:///{tmp_path}/catalog.db"
    assert main(["status", "--schedules", str(file), "--catalog", url]) == 0
    line = next(each for each in capsys.readouterr().out.split("\n") if each.startswith("last "))
    assert "waits: upstream wiki was skipped" in line
