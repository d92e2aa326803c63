"""What a look finds and tells: changes once, Airflow that serves nothing, runs that were due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.alerts.monitor.check import check
from airflow_backup.actions.alerts.monitor.monitor import words_of
from airflow_backup.actions.alerts.monitor.silent import close_silent
from airflow_backup.actions.alerts.monitor.unserved import overdue
from airflow_backup.actions.backup.limits.source_lease import LASTS
from airflow_backup.actions.maintain.sync import sync
from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.notices.monitor_state import Observation
from airflow_backup.catalog.run_records import Failure, Outcome
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import ExecutionStatus, Trigger
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.storage.folder import FolderStorage
from support.stored.sets import PlainJob, run_number, take

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LATE = Observation(state="late", is_stale=True, needs_attention=True)
LOST = Observation(state="lost", is_stale=True, needs_attention=True)
FAILING = Observation(state="good", is_stale=False, needs_attention=True)
FINE = Observation(state="good", is_stale=False, needs_attention=False)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


def look(catalog: Catalog, observation: Observation, minutes: int) -> list[str]:
    up_to = catalog.events.last_id()
    found = catalog.monitor_state.note(
        {"wiki": observation}, at=NOW + minutes * MINUTE, up_to=up_to
    )
    return [event.action for event in found]


def fail(catalog: Catalog, run: str = "r1") -> None:
    begun = catalog.executions.begin("wiki", run, run_at=NOW, trigger=Trigger.SCHEDULE, at=NOW)
    failure = Failure(error="x", hint=None, failure_class=FailureClass.UNKNOWN)
    outcome = Outcome(status=ExecutionStatus.FAILED, failure=failure)
    catalog.executions.finish(begun, outcome, at=NOW)


def test_a_change_is_told_once(catalog: Catalog) -> None:
    told = [
        look(catalog, observation, n)
        for n, observation in enumerate([FINE, LATE, LATE, LOST, FINE, FINE])
    ]
    assert told == [[], ["stale"], [], ["stale"], ["recovered"], []]


def test_a_failure_that_is_over_before_anybody_looked_is_told_as_recovered(
    catalog: Catalog,
) -> None:
    look(catalog, FINE, 0)
    fail(catalog)
    assert look(catalog, FINE, 5) == ["recovered"]
    assert look(catalog, FINE, 10) == []


def test_a_failure_during_a_look_waits_for_the_next_one(catalog: Catalog) -> None:
    up_to = catalog.events.last_id()
    fail(catalog)
    assert catalog.monitor_state.note({"wiki": FINE}, at=NOW, up_to=up_to) == []
    assert look(catalog, FAILING, 5) == []
    assert look(catalog, FINE, 10) == ["recovered"]


def test_of_two_monitors_the_one_that_looked_earlier_changes_nothing(catalog: Catalog) -> None:
    assert look(catalog, LATE, 5) == ["stale"]
    assert look(catalog, FINE, 4) == []
    assert look(catalog, LATE, 6) == []


def test_a_schedule_that_is_disabled_is_told_once_with_who_and_why(catalog: Catalog) -> None:
    note = catalog.monitor_state.note_switch
    note("wiki", enabled=True, at=NOW, actor="airflow-backup", reason="")
    for _ in range(2):
        note(
            "wiki",
            enabled=False,
            at=NOW,
            actor="airflow-backup",
            reason="disabled after 5 failures in a row",
        )
    note("new", enabled=False, at=NOW, actor="airflow-backup", reason="its file says so")
    note("crm", enabled=False, at=NOW, actor="ann", reason="disabled")
    told = [
        (event.subject, event.actor, event.detail["reason"]) for event in catalog.events.after(0)
    ]
    assert told == [
        ("wiki", "airflow-backup", "disabled after 5 failures in a row"),
        ("crm", "ann", "disabled"),
    ]
    assert catalog.monitor_state.switches() == {"wiki": False, "new": False, "crm": False}


def schedule(name: str = "wiki", **more: Any) -> Schedule:
    given = {"id": name, "source": {"engine": "files", "path": "/srv"}, "repository": "file:///b"}
    return Schedule.model_validate(given | ({"every": "1h"} if "cron" not in more else {}) | more)


@pytest.mark.parametrize(
    ("more", "served", "due"),
    [
        ({}, "11:00", None),
        ({}, "10:59", "11:00"),
        ({"cron": "0 2 * * *"}, "02:00", None),
        ({"cron": "50 11 * * *"}, "02:00", None),  # ten minutes ago: it may still begin
        ({"window": [{"from": "22:00", "to": "23:00"}]}, "02:00", None),  # it waits, as it should
        ({"window": [{"from": "11:30", "to": "23:00"}]}, "02:00", "11:30"),
        ({"skip_on": [{"dates": ["2026-11-23"]}]}, "02:00", None),
    ],
)
def test_a_run_that_was_due_and_has_not_begun_is_overdue(
    more: dict[str, Any], served: str, due: str | None
) -> None:
    at = datetime.combine(NOW.date(), clock.fromisoformat(served), UTC)
    subjects = [Subject.of(schedule(**more))]
    found = overdue(subjects, served={"wiki": at}, since=NOW - timedelta(days=7), holds={}, now=NOW)
    assert [f"{each.due_at:%H:%M}" for each in found] == ([] if due is None else [due])


def test_from_outside_a_silent_airflow_is_told_and_from_inside_it_is_over(catalog: Catalog) -> None:
    subjects = [Subject.of(schedule())]
    catalog.standings.note_seen(["wiki"], at=NOW)
    inside = check(catalog, subjects, place="airflow", now=NOW, every=5 * MINUTE)
    assert inside.unserved is None
    assert check(catalog, subjects, place="shell", now=NOW + 9 * MINUTE).unserved is None
    dead = check(catalog, subjects, place="shell", now=NOW + 11 * MINUTE)
    assert dead.unserved == "the DAG backup_monitor has not run for 11 minutes"
    assert [(event.subject, event.action) for event in dead.changes] == [("@airflow", "stale")]
    assert "Airflow starts no backups: the DAG backup_monitor" in words_of(dead)
    again = check(catalog, subjects, place="airflow", now=NOW + 12 * MINUTE)
    assert [(event.subject, event.action) for event in again.changes] == [("@airflow", "recovered")]


def test_where_airflows_own_monitor_never_looked_slots_that_pass_tell(catalog: Catalog) -> None:
    subjects = [Subject.of(schedule()), Subject.of(schedule("crm"))]
    catalog.standings.note_seen(["wiki", "crm"], at=NOW)
    assert check(catalog, subjects, place="shell", now=NOW + 70 * MINUTE).unserved is None
    dead = check(catalog, subjects, place="shell", now=NOW + 80 * MINUTE)
    assert dead.unserved == (
        "2 runs that were due have not begun: crm, wiki; the first since 2026-11-23 13:00 UTC"
    )


def test_a_run_whose_last_attempt_was_killed_is_told_to_have_failed(catalog: Catalog) -> None:
    for name, run_id in (("wiki", "killed"), ("crm", "works"), ("shop", "cancelled")):
        catalog.executions.begin(name, run_id, run_at=NOW, trigger=Trigger.SCHEDULE, at=NOW)
    catalog.orders.add("shop", "cancelled", "cancel", by="ann", at=NOW, reason="too slow")
    later = NOW + timedelta(minutes=1)

    def is_over(schedule_id: str, run_id: str) -> bool:
        return run_id != "works"

    found = close_silent(catalog, is_over, now=later)
    assert [(each.schedule_id, str(each.status)) for each in found] == [("wiki", "failed")]
    later += timedelta(minutes=5)
    found = close_silent(catalog, is_over, now=later)
    assert [(each.schedule_id, each.reason) for each in found] == [
        ("shop", "cancelled by ann: too slow")
    ]
    assert close_silent(catalog, is_over, now=later) == []
    told = [(event.subject, event.action) for event in catalog.events.after(3)]
    assert told == [("wiki", "failed_final"), ("shop", "cancelled")]


def test_a_run_that_a_person_ends_between_two_attempts_has_failed_for_good_once(
    catalog: Catalog,
) -> None:
    begun = catalog.executions.begin("wiki", "r1", run_at=NOW, trigger=Trigger.SCHEDULE, at=NOW)
    failure = Failure(error="no answer", hint="is it up?", failure_class=FailureClass.NETWORK)
    failed = Outcome(status=ExecutionStatus.FAILED, failure=failure, is_tried_again=True)
    catalog.executions.finish(begun, failed, at=NOW)
    (waits,) = catalog.executions.active()
    assert (waits.status, waits.error) == (ExecutionStatus.PENDING, "no answer")
    later = NOW + MINUTE
    assert close_silent(catalog, lambda schedule_id, run_id: False, now=later) == []
    (ended,) = close_silent(catalog, lambda schedule_id, run_id: True, now=later)
    assert (ended.status, ended.reason, ended.error) == (
        ExecutionStatus.FAILED,
        "it was ended in Airflow before it was tried again",
        "no answer",
    )
    assert catalog.executions.give_up(waits, failed, at=later) is None, "another monitor was faster"
    assert close_silent(catalog, lambda schedule_id, run_id: True, now=later) == []
    told = [event.action for event in catalog.events.after(0)]
    assert told == ["started", "failed", "failed_final"]
    assert catalog.standings.of(["wiki"], now=later)["wiki"].failures_in_row == 1


def test_a_run_whose_set_is_stored_has_completed_though_nobody_said_so(
    catalog: Catalog, tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_text("x")
    source = FilesOptions(engine="files", path=str(tmp_path / "source"))
    run = run_number(1)
    with Catalog.open("sqlite://") as elsewhere:
        result = take(PlainJob(source, f"file://{tmp_path}/repository"), elsewhere, run=run)
    catalog.executions.begin("wiki", run.id, run_at=run.at, trigger=run.trigger, at=run.at)
    # its worker is killed between its two notes in the catalog
    storage = FolderStorage(tmp_path / "repository")
    sync(storage, f"file://{tmp_path}/repository", catalog)
    (closed,) = close_silent(catalog, lambda schedule_id, run_id: True, now=run.at + MINUTE)
    assert (closed.status, closed.set_id, closed.files) == ("completed", result.set_id, 2)
    assert closed.reason == "its set is stored, and its worker ended before it could say so"
    assert [event.action for event in catalog.events.after(0)] == ["started", "completed"]


def test_an_attempt_that_begins_while_the_monitor_looks_is_not_given_up(catalog: Catalog) -> None:
    begun = catalog.executions.begin("wiki", "r1", run_at=NOW, trigger=Trigger.SCHEDULE, at=NOW)
    failure = Failure(error="no answer", hint=None, failure_class=FailureClass.NETWORK)
    failed = Outcome(status=ExecutionStatus.FAILED, failure=failure, is_tried_again=True)
    catalog.executions.finish(begun, failed, at=NOW)

    def is_over(schedule_id: str, run_id: str) -> bool:
        catalog.executions.begin(
            schedule_id, run_id, run_at=NOW, trigger=Trigger.SCHEDULE, at=NOW, attempt=2
        )
        return True

    assert close_silent(catalog, is_over, now=NOW + MINUTE) == []
    assert [str(each.status) for each in catalog.executions.active()] == ["running"]


def test_what_a_task_says_itself_while_the_monitor_looks_is_not_written_over(
    catalog: Catalog,
) -> None:
    begun = catalog.executions.begin("wiki", "r1", run_at=NOW, trigger=Trigger.SCHEDULE, at=NOW)
    failure = Failure(error="no answer", hint=None, failure_class=FailureClass.NETWORK)

    def is_over(schedule_id: str, run_id: str) -> bool:
        failed = Outcome(status=ExecutionStatus.FAILED, failure=failure)
        catalog.executions.finish(begun, failed, at=NOW)
        return True

    assert close_silent(catalog, is_over, now=NOW + MINUTE) == []
    ended = catalog.executions.get("wiki", "r1")
    assert ended is not None
    assert (ended.error, ended.failure_class) == ("no answer", FailureClass.NETWORK)
    assert [event.action for event in catalog.events.after(0)] == ["started", "failed_final"]


def test_a_run_whose_worker_is_still_heard_of_is_not_given_up(catalog: Catalog) -> None:
    """Marked in Airflow a moment ago, or cut off from it: the worker ends by itself, and says how."""
    catalog.executions.begin("wiki", "r1", run_at=NOW, trigger=Trigger.SCHEDULE, at=NOW)

    def renew(at: datetime) -> None:
        catalog.leases.take(
            "source:x", schedule_id="wiki", run_id="r1", host="here", at=at, lasts=LASTS
        )

    def look(at: datetime) -> list[str]:
        closed = close_silent(catalog, lambda schedule_id, run_id: True, now=at)
        return [each.run_id for each in closed]

    renew(NOW)
    assert look(NOW + MINUTE / 2) == []
    renew(NOW + MINUTE)
    assert look(NOW + 1.5 * MINUTE) == []
    assert look(NOW + 2.5 * MINUTE) == ["r1"], "a lease that nobody renews means nothing"


def test_whoever_was_told_of_a_failure_hears_that_the_run_completed_after_all(
    catalog: Catalog,
) -> None:
    begun = catalog.executions.begin("wiki", "r1", run_at=NOW, trigger=Trigger.SCHEDULE, at=NOW)
    assert close_silent(catalog, lambda schedule_id, run_id: True, now=NOW + MINUTE)
    for _ in range(2):  # the answer to the first is lost
        done = Outcome(status=ExecutionStatus.COMPLETED)
        catalog.executions.finish(begun, done, at=NOW + 2 * MINUTE)
    told = [event.action for event in catalog.events.after(0)]
    assert told == ["started", "failed_final", "completed"]
