"""One history out of the catalog's and Airflow's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from airflow_backup.catalog.run_records import Execution, Order
from airflow_backup.core.words import ExecutionStatus, Trigger
from airflow_backup.plugin.airflow.records import AirflowRun, AirflowTask
from airflow_backup.plugin.schemas.runs import RunSummary
from airflow_backup.plugin.views.runs import history
from airflow_backup.schedules.model.schedule import Schedule

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = ("backup__wiki", "r1")


def run_of(
    state: str = "running", *, tasks: dict[str, str] | None = None, **given: Any
) -> AirflowRun:
    """Make what Airflow knows of a run."""
    return AirflowRun(
        dag_id="backup__wiki",
        run_id=given.pop("run_id", "r1"),
        run_type=given.pop("run_type", "scheduled"),
        state=state,
        run_after=NOW - timedelta(minutes=5),
        started_at=NOW - timedelta(minutes=4),
        tasks={name: AirflowTask(found, 1) for name, found in (tasks or {}).items()},
        **given,
    )


def execution_of(status: ExecutionStatus, **given: Any) -> Execution:
    """Make what the catalog knows of a run."""
    return Execution(
        schedule_id="wiki",
        run_id="r1",
        status=status,
        trigger=Trigger.SCHEDULE,
        run_at=NOW - timedelta(minutes=5),
        since=NOW - timedelta(minutes=3),
        started_at=NOW - timedelta(minutes=3),
        attempts=1,
        **given,
    )


def only(*args: Any, **kwargs: Any) -> RunSummary:
    """Join both sides, which know one run."""
    (run,) = history(*args, now=NOW, **kwargs)
    return run


AIRFLOW_ONLY = {
    "queued": (run_of("queued"), "pending", "waits for a free place"),
    "just begun": (run_of(), "pending", "is about to start"),
    "in its window's sensor": (
        run_of(tasks={"window": "deferred"}),
        "pending",
        "waits for its window",
    ),
    "before the pool": (
        run_of(tasks={"backup": "queued"}),
        "pending",
        "waits for a free place in the pool",
    ),
    "before a retry": (
        run_of(tasks={"backup": "up_for_retry"}),
        "pending",
        "waits to be tried again",
    ),
    "working": (run_of(tasks={"backup": "running"}), "running", None),
    "skipped": (
        run_of("success", tasks={"window": "skipped", "backup": "skipped"}),
        "skipped",
        "it was skipped; the log of its first task says why",
    ),
    "failed in the sensor": (
        run_of("failed", tasks={"window": "failed", "backup": "upstream_failed"}),
        "failed",
        "task 'window' failed",
    ),
    "failed before any task": (
        run_of("failed"),
        "failed",
        "the run failed before its backup began",
    ),
    "completed": (run_of("success", tasks={"backup": "success"}), "completed", None),
}


@pytest.mark.parametrize(("facts", "status", "reason"), AIRFLOW_ONLY.values(), ids=AIRFLOW_ONLY)
def test_a_run_that_only_airflow_knows(facts: AirflowRun, status: str, reason: str | None) -> None:
    run = only([], [facts])
    assert (run.status, run.reason) == (status, reason)
    assert (run.error is not None) == (status == "failed")


def test_a_skipped_run_says_what_was_noted_when_it_was_skipped() -> None:
    tasks = {"window": "skipped", "backup": "skipped"}
    facts = run_of("success", tasks=tasks, slot=NOW - timedelta(hours=1), ended_at=NOW)
    noted = execution_of(ExecutionStatus.SKIPPED, reason="on calendar freeze", finished_at=NOW)
    run = only([noted], [facts])
    assert (run.status, run.reason) == ("skipped", "on calendar freeze")


def test_a_run_that_waits_says_when_its_window_opens() -> None:
    schedule = Schedule.model_validate(
        {
            "id": "wiki",
            "source": {"engine": "files", "path": "/srv"},
            "repository": "file:///b",
            "cron": "0 2 * * *",
            "timezone": "Europe/Berlin",
            "window": [{"days": ["mon-sun"], "from": "22:00", "to": "06:00"}],
        }
    )
    run = only([], [run_of(tasks={"window": "deferred"})], schedule=schedule)
    assert (run.status, run.reason) == ("pending", "the window opens on Sat 21 Nov 22:00 CET")


@pytest.mark.parametrize(
    ("run_type", "trigger"),
    [("manual", "manual"), ("asset_triggered", "dependency"), ("scheduled", "schedule")],
)
def test_the_trigger_is_in_our_words(run_type: str, trigger: str) -> None:
    assert only([], [run_of(run_type=run_type)]).trigger == trigger


def test_both_sides_of_one_run_are_one_row() -> None:
    done = execution_of(ExecutionStatus.COMPLETED, bytes_stored=7, finished_at=NOW)
    run = only([done], [run_of("success", user="ann", note="by hand")])
    assert (run.status, run.bytes_stored, run.user, run.note) == ("completed", 7, "ann", "by hand")
    assert run.duration == 180


def test_what_airflow_has_forgotten_stays_in_the_history() -> None:
    assert only([execution_of(ExecutionStatus.COMPLETED)], []).status == "completed"


def test_a_task_that_died_without_a_word_has_failed() -> None:
    dead = run_of("failed", tasks={"backup": "failed"}, ended_at=NOW)
    run = only([execution_of(ExecutionStatus.RUNNING)], [dead])
    assert (run.status, run.finished_at) == ("failed", NOW)
    assert run.error == "the task ended before it could say why"


def test_a_run_cancelled_while_it_worked_is_cancelled() -> None:
    dead = run_of("failed", tasks={"backup": "failed"})
    told = {KEY: order("cancel", reason="too slow")}
    run = only([execution_of(ExecutionStatus.RUNNING)], [dead], orders=told)
    assert (run.status, run.reason, run.error) == ("cancelled", "cancelled by ann: too slow", None)
    run = only([], [dead], orders=told)
    assert (run.status, run.reason, run.error) == ("cancelled", "cancelled by ann: too slow", None)


def order(action: Literal["pause", "resume", "cancel"], **given: Any) -> Order:
    return Order(schedule_id="wiki", run_id="r1", action=action, by="ann", at=NOW, id=1, **given)


def test_a_run_that_waits_for_its_source_says_who_reads_it() -> None:
    told = {KEY: {"stage": "waiting", "waits_for": "schedule 'crm' reads the same source"}}
    for state in ("deferred", "queued"):
        run = only([], [run_of(tasks={"window": "success", "backup": state})], progress=told)
        assert (run.status, run.reason, run.progress) == (
            "pending",
            "waits: schedule 'crm' reads the same source",
            None,
        )
    started = run_of(tasks={"window": "success", "backup": "running"})
    assert only([], [started], progress=told).reason is None


def test_a_paused_run_says_by_whom_and_for_how_long() -> None:
    working = run_of(tasks={"backup": "running"})
    schedule = Schedule.model_validate(
        {
            "id": "wiki",
            "source": {"engine": "postgres", "connection": "db", "database": "wiki"},
            "repository": "file:///b",
            "cron": "0 2 * * *",
            "timezone": "Europe/Berlin",
        }
    )
    run = only(
        [execution_of(ExecutionStatus.RUNNING)],
        [working],
        schedule=schedule,
        orders={KEY: order("pause", reason="month end")},
    )
    assert run.status == "paused"
    assert run.reason == (
        "paused by ann: month end, Sat 21 Nov 13:00 CET; goes on by itself Sat 21 Nov 17:00 CET; "
        "meanwhile its transaction stays open on the server, which cannot remove old versions of rows"
    )


def test_a_pause_that_is_over_is_none() -> None:
    working = run_of(tasks={"backup": "running"})
    told = {KEY: replace(order("pause"), at=NOW - timedelta(hours=5))}
    assert only([execution_of(ExecutionStatus.RUNNING)], [working], orders=told).status == "running"


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [
        ("scheduled", "pending", "attempt 2 of 4 waits for a free place in the pool"),
        ("queued", "pending", "attempt 2 of 4 waits for a free place in the pool"),
        (None, "pending", "attempt 2 of 4 is about to start"),
        ("running", "running", None),
    ],
)
def test_between_two_attempts_a_run_is_never_failed(
    state: str | None, status: str, reason: str | None
) -> None:
    tasks = {"backup": AirflowTask(state, 2, max_attempts=4)}
    waiting = replace(run_of(), tasks=tasks)
    run = only([execution_of(ExecutionStatus.FAILED, error="no route")], [waiting])
    assert (run.status, run.reason, run.max_attempts) == (status, reason, 4)


def test_a_failed_attempt_that_is_tried_again_is_not_a_failed_run() -> None:
    waiting = run_of(tasks={"backup": "up_for_retry"})
    failed = execution_of(ExecutionStatus.FAILED, error="no route to host")
    run = only([failed], [waiting])
    assert (run.status, run.finished_at) == ("pending", None)
    assert run.reason == "attempt 1 of 1 failed; waits to be tried again"
    assert run.error == "no route to host"


def test_progress_shows_only_while_it_runs() -> None:
    told = {KEY: {"stage": "reading", "percent": 40.0, "unknown": 1}}
    live = only([execution_of(ExecutionStatus.RUNNING)], [run_of()], progress=told)
    assert live.progress is not None
    assert (live.progress.stage, live.progress.percent) == ("reading", 40.0)
    over = only([execution_of(ExecutionStatus.COMPLETED)], [run_of("success")], progress=told)
    assert over.progress is None


def test_progress_that_makes_no_sense_is_left_out() -> None:
    told = {KEY: {"percent": "many"}}
    assert only([execution_of(ExecutionStatus.RUNNING)], [run_of()], progress=told).progress is None


def test_the_newest_is_first() -> None:
    older = run_of("success", run_id="r0", queued_at=NOW - timedelta(days=1))
    assert [run.run_id for run in history([], [older, run_of()], now=NOW)] == ["r1", "r0"]


def test_what_another_schedules_run_was_told_is_not_this_ones() -> None:
    """All that is due at one moment has one run id."""
    other = ("backup__crm", "r1")
    working = run_of(tasks={"backup": "running"})
    run = only(
        [execution_of(ExecutionStatus.RUNNING)],
        [working],
        orders={other: order("pause")},
        progress={other: {"stage": "reading"}},
    )
    assert (run.status, run.progress) == ("running", None)
