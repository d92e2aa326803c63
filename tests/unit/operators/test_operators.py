"""Sensor, operator and retry policy, called as Airflow's worker calls them."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseNotifier, RetryAction
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout, TaskDeferred

from airflow_backup.actions.alerts.monitor.check import check
from airflow_backup.actions.alerts.notify.ways.failed import RefusedForGood, SendFailed
from airflow_backup.actions.alerts.notify.written.rendered import Rendered
from airflow_backup.actions.backup.limits.source_lease import SourceLease
from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import (
    BackupError,
    Cancelled,
    CatalogUnavailable,
    ConfigError,
    Inconclusive,
    Refused,
    SourceError,
    StorageFull,
    StorageUnavailable,
    VerifyError,
    WindowClosed,
    WorkerStopped,
)
from airflow_backup.core.ids import SCHEDULE_ID
from airflow_backup.dags import generate
from airflow_backup.dags.factory import build
from airflow_backup.operators import notifiers, triggers
from airflow_backup.operators.backup import BackupOperator
from airflow_backup.operators.monitor import tell_airflow
from airflow_backup.operators.notifiers import made
from airflow_backup.operators.own_dags import id_from
from airflow_backup.operators.prune import PruneOperator
from airflow_backup.operators.requested import RequestedRestoreOperator, RequestedVerifyOperator
from airflow_backup.operators.restore import RestoreOperator
from airflow_backup.operators.retry_policy import BackupRetryPolicy
from airflow_backup.operators.shared.airflow_settings import catalog_url, connection
from airflow_backup.operators.shared.outcome import keeping_outcome
from airflow_backup.operators.triggers import WindowTrigger, policy_now
from airflow_backup.operators.verify import VerifyOperator
from airflow_backup.operators.window import BackupWindowSensor
from airflow_backup.schedules.model.notify import Receiver
from airflow_backup.schedules.model.policies import Retry
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.start_policy import StartPolicy


class StateStore:
    """What the page reads: keeps what a task stores."""

    def __init__(self) -> None:
        self.stored: list[dict[str, Any]] = []
        self.outcomes: list[dict[str, Any]] = []

    def set(self, key: str, value: Any) -> None:
        {"progress": self.stored, "outcome": self.outcomes}[key].append(
            json.loads(json.dumps(value))
        )


def context(run_type: str = "manual", *, at: datetime | None = None, **conf: Any) -> Any:
    """The parts of Airflow's context that we read."""
    moment = at or datetime.now(UTC)
    run = SimpleNamespace(
        run_id=f"{run_type}__1", run_type=run_type, logical_date=None, run_after=moment, conf=conf
    )
    ti = SimpleNamespace(try_number=1)
    return {"dag_run": run, "ti": ti, "task_state_store": StateStore()}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with something to back up, which is also Airflow's home."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("hello")
    return tmp_path


def operator(home: Path, **more: Any) -> BackupOperator:
    source = {"engine": "files", "path": str(home / "data")}
    return BackupOperator(
        task_id="backup", source=source, repository=f"file://{home}/repository", **more
    )


def test_the_operator_returns_the_set_as_plain_data(home: Path) -> None:
    given = context(note="why not")
    facts = operator(home, schedule_id="mine").execute(given)
    assert (facts["schedule_id"], facts["status"], facts["files"]) == ("mine", "completed", 2)
    assert (home / "repository/mine/sets" / facts["set_id"] / "manifest.json").is_file()


def test_a_retry_of_the_same_run_makes_no_second_set(home: Path) -> None:
    given = context(at=datetime(2026, 11, 21, tzinfo=UTC))
    first = operator(home, schedule_id="mine").execute(given)
    given["ti"].try_number = 2
    second = operator(home, schedule_id="mine").execute(given)
    assert (second["set_id"], second["adopted"]) == (first["set_id"], True)


def test_the_name_of_a_hand_written_task_comes_from_dag_and_task(home: Path) -> None:
    from airflow.sdk import DAG

    with DAG("Nightly.Wiki", schedule=None):
        task = operator(home)
    assert task.execute(context())["schedule_id"] == "nightly-wiki-backup"


def test_what_failed_together_is_not_tried_again_together() -> None:
    policy = BackupRetryPolicy(Retry())
    delays = {policy.evaluate(StorageUnavailable("no answer"), 1, 3).retry_delay for _ in range(60)}
    assert len(delays) > 5
    assert all(timedelta(seconds=48) <= delay <= timedelta(seconds=60) for delay in delays if delay)


def test_one_class_of_failures_may_have_rules_of_its_own() -> None:
    rules = {"space": {"max_retries": 5, "delay": "10m"}, "network": {"max_retries": 0}}
    retry = Retry.model_validate({"jitter": 0, "classes": rules})
    policy = BackupRetryPolicy.deserialize(BackupRetryPolicy(retry).serialize())
    full = policy.evaluate(StorageFull("no room"), 4, 5)
    assert (full.action, full.retry_delay) == (RetryAction.RETRY, timedelta(minutes=10))
    assert policy.evaluate(StorageUnavailable("no answer"), 1, 5).action is RetryAction.FAIL
    assert policy.evaluate(Cancelled("stop"), 1, 5).action is RetryAction.FAIL
    assert retry.most_retries == 5


def test_a_run_whose_worker_stops_leaves_no_set_and_is_tried_again(home: Path) -> None:
    task = operator(home, schedule_id="mine")
    task.on_kill()
    with pytest.raises(WorkerStopped, match="the worker was asked to end the run") as stopped:
        task.execute(context())
    assert BackupRetryPolicy().evaluate(stopped.value, 1, 3).action is RetryAction.RETRY
    assert not list(home.glob("repository/mine/sets/*/manifest.json"))


def in_saturday_nights(home: Path, **more: Any) -> Schedule:
    given = {
        "id": "mine",
        "source": {"engine": "files", "path": str(home / "data")},
        "repository": f"file://{home}/repository",
        "every": "1h",
        "window": [{"days": ["sat"], "from": "01:00", "to": "02:00"}],
    }
    return Schedule.model_validate(given | more)


def test_a_backup_stops_when_its_window_closes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = in_saturday_nights(
        home,
        source={"engine": "command", "workflow": {"command": ["/bin/sleep", "60"]}},
        finish_in_window="stop",
    )
    monkeypatch.setenv("AIRFLOW__BACKUP__ALLOWED_COMMANDS", "/bin/sleep")
    opened = datetime(2026, 11, 21, 1, 59, 58, tzinfo=UTC)
    begun = time.monotonic()
    monkeypatch.setattr(
        "airflow_backup.operators.backup.utc_now",
        lambda: opened + timedelta(seconds=time.monotonic() - begun),
    )
    with pytest.raises(WindowClosed, match="not finished when its window closed"):
        BackupOperator.of(schedule, task_id="backup").execute(context("scheduled"))
    assert time.monotonic() - begun < 30
    assert not list(home.glob("repository/mine/sets/*/manifest.json"))


def test_a_run_waits_in_the_triggerer_while_another_schedule_reads_its_source(home: Path) -> None:
    def source_of(name: str) -> SourceLease:
        return SourceLease(
            in_saturday_nights(home, id=name, window=[]).source,
            connection,
            catalog=catalog,
            clock=lambda: datetime.now(UTC),
            schedule_id=name,
            run_id="r1",
        )

    given = context()
    with Catalog.open(f"sqlite:///{home}/airflow_backup.db") as catalog:
        with source_of("other"), pytest.raises(TaskDeferred) as waiting:
            operator(home, schedule_id="mine").execute(given)
        assert waiting.value.trigger.serialize()[0].endswith("WaitTrigger")
        (shown,) = given["task_state_store"].stored
        assert shown["stage"] == "waiting"
        assert shown["waits_for"].startswith("schedule 'other' reads the same source since ")
        assert operator(home, schedule_id="mine").resume(given, {})["status"] == "completed"
        assert catalog.leases.active(now=datetime.now(UTC)) == []


def test_a_run_waits_in_the_triggerer_while_its_repository_takes_no_more(home: Path) -> None:
    limits = {"limits": {"repository": 1}}
    schedule, given = scheduled(home, **limits), context()
    with Catalog.open(catalog_url()) as catalog:
        other = SourceLease(
            scheduled(home, id="other", source={"engine": "files", "path": "/srv"}).source,
            connection,
            catalog=catalog,
            clock=lambda: datetime.now(UTC),
            schedule_id="other",
            run_id="r1",
            limits=schedule.limits,
            repository=schedule.repository,
        )
        task = BackupOperator.of(schedule, task_id="backup")
        with other, pytest.raises(TaskDeferred):
            task.execute(given)
        (shown,) = given["task_state_store"].stored
        assert shown["waits_for"] == (
            "its repository takes 1 backup at once, and there are other; number 1 in the queue"
        )
        assert task.resume(given, {})["status"] == "completed"
        assert catalog.leases.active(now=datetime.now(UTC)) == []


CLOSED = datetime(2026, 11, 21, 2, 0, 1, tzinfo=UTC)


def test_the_window_is_asked_again_when_work_begins(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_backup.operators.backup.utc_now", lambda: CLOSED)
    task = BackupOperator.of(in_saturday_nights(home), task_id="backup")
    with pytest.raises(TaskDeferred) as waiting:
        task.execute(context("scheduled"))
    assert waiting.value.method_name == "resume"
    with pytest.raises(TaskDeferred):  # it may have closed again
        task.resume(context("scheduled"), {"action": "start", "reason": "the window is open"})


def test_what_a_queue_carried_out_of_its_window_is_skipped_where_it_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_backup.operators.backup.utc_now", lambda: CLOSED)
    schedule = in_saturday_nights(home, outside_window="skip")
    task = BackupOperator.of(schedule, task_id="backup")
    with pytest.raises(AirflowSkipException, match="outside the window"):
        task.execute(context("scheduled"))
    retried = context("scheduled")
    retried["ti"].try_number = 2
    with pytest.raises(WindowClosed, match="could not be tried again: outside the window"):
        task.execute(retried)
    assert task.execute(context())["status"] == "completed", "a person asked for it"


def test_an_operator_without_a_source_is_refused() -> None:
    with pytest.raises(TypeError, match="source"):
        BackupOperator(task_id="backup", repository="file:///b")  # type: ignore[call-arg]


def test_an_option_that_no_schedule_has_is_refused_where_it_is_written(home: Path) -> None:
    with pytest.raises(ConfigError, match="no key `retrys`"):
        operator(home, options={"retrys": {}})


def window(*, opens: datetime, closes: datetime) -> list[dict[str, Any]]:
    return [{"from": f"{opens:%H:%M}", "to": f"{closes:%H:%M}"}]


def test_the_sensor_lets_a_run_pass_when_its_window_is_open() -> None:
    now = datetime.now(UTC)
    sensor = BackupWindowSensor(
        task_id="window",
        window=window(opens=now - timedelta(hours=2), closes=now + timedelta(hours=2)),
    )
    assert sensor.execute(context("scheduled")) == "the window is open"
    assert (
        BackupWindowSensor(task_id="always").execute(context("scheduled"))
        == "no window to wait for"
    )


def test_the_sensor_waits_in_the_triggerer_for_the_opening() -> None:
    now = datetime.now(UTC)
    closed = window(opens=now + timedelta(hours=2), closes=now + timedelta(hours=4))
    with pytest.raises(TaskDeferred) as waiting:
        BackupWindowSensor(task_id="window", window=closed).execute(context("scheduled"))
    path, arguments = waiting.value.trigger.serialize()
    assert path == "airflow_backup.operators.triggers.WindowTrigger"
    assert WindowTrigger(**arguments).serialize() == (path, arguments)


def test_the_sensor_skips_with_a_reason() -> None:
    now = datetime.now(UTC)
    closed = window(opens=now + timedelta(hours=2), closes=now + timedelta(hours=4))
    sensor = BackupWindowSensor(task_id="window", window=closed, outside_window="skip")
    with pytest.raises(AirflowSkipException, match="outside the window"):
        sensor.execute(context("scheduled"))
    with pytest.raises(AirflowSkipException, match="on calendar freeze"):
        sensor.resume(context("scheduled"), {"action": "skip", "reason": "on calendar freeze"})


def test_a_run_that_a_person_started_waits_for_nothing() -> None:
    now = datetime.now(UTC)
    closed = window(opens=now + timedelta(hours=2), closes=now + timedelta(hours=4))
    assert (
        BackupWindowSensor(task_id="window", window=closed).execute(context()) == "started by hand"
    )


@pytest.mark.parametrize("action", ["start", "skip"])
def test_the_trigger_asks_the_same_question_as_the_sensor(action: str) -> None:
    import asyncio

    now = datetime.now(UTC)
    days = [now.date().isoformat()] if action == "skip" else ["2000-01-01"]
    trigger = WindowTrigger({"skip_on": [{"name": "freeze", "dates": days}]}, now.isoformat())

    async def first() -> Any:
        return await anext(trigger.run())

    assert asyncio.run(first()).payload["action"] == action


@pytest.mark.parametrize("edited", ["wider", "none", "skip"])
def test_a_run_that_waits_follows_a_window_that_is_edited_meanwhile(
    home: Path, monkeypatch: pytest.MonkeyPatch, edited: str
) -> None:
    import asyncio

    monkeypatch.setattr(triggers, "LONGEST_SLEEP", 0.1)
    now = datetime.now(UTC)
    closed = window(opens=now + timedelta(hours=2), closes=now + timedelta(hours=4))
    deploy(home, scheduled(home, window=closed))
    sensor = BackupWindowSensor(task_id="window", window=closed, schedule_id="mine")
    with pytest.raises(TaskDeferred) as waiting:
        sensor.execute(context("scheduled"))
    _, arguments = waiting.value.trigger.serialize()

    async def first() -> Any:
        waits = asyncio.ensure_future(anext(WindowTrigger(**arguments).run()))
        await asyncio.sleep(1)
        assert not waits.done()
        opened = window(opens=now - timedelta(hours=1), closes=now + timedelta(hours=4))
        edits: dict[str, dict[str, Any]] = {
            "wider": {"window": opened},
            "none": {},
            "skip": {"window": closed, "outside_window": "skip"},
        }
        more = edits[edited]
        deploy(home, scheduled(home, **more))
        return await asyncio.wait_for(waits, 60)

    event = asyncio.run(first()).payload
    assert (event["action"], event["reason"]) == {
        "wider": ("start", "the window is open"),
        "none": ("start", "no window to wait for"),
        "skip": ("skip", "outside the window"),
    }[edited]


def test_a_run_that_waits_keeps_its_window_while_the_catalog_is_away(home: Path) -> None:
    policy = StartPolicy.model_validate({"outside_window": "skip"})
    deploy(home, scheduled(home))
    assert policy_now("mine", policy) == StartPolicy()
    with catalog_away(home, seconds=0.5):
        assert policy_now("mine", policy) is policy
    assert policy_now("nobody", policy) is policy


RETRIES: dict[str, tuple[BaseException, int, RetryAction, float | None, str]] = {
    "unknown": (ValueError("odd"), 1, RetryAction.RETRY, 30, "unknown error, trying again in 30s"),
    "doubled": (ValueError("odd"), 2, RetryAction.RETRY, 60, "unknown error, trying again in 1m"),
    "capped": (ValueError("odd"), 3, RetryAction.RETRY, 120, "unknown error, trying again in 2m"),
    "network": (
        StorageUnavailable("no answer"),
        1,
        RetryAction.RETRY,
        60,
        "network error, trying again in 1m",
    ),
    "network, capped": (
        ConnectionResetError(),
        3,
        RetryAction.RETRY,
        240,
        "network error, trying again in 4m",
    ),
    "full": (
        StorageFull("no room"),
        1,
        RetryAction.FAIL,
        None,
        "space error: a retry cannot mend it",
    ),
    "missing": (
        SourceError("no folder"),
        1,
        RetryAction.FAIL,
        None,
        "not found error: a retry cannot mend it",
    ),
    "cancelled": (
        Cancelled("stop"),
        1,
        RetryAction.FAIL,
        None,
        "cancelled error: a retry cannot mend it",
    ),
    "too long": (AirflowTaskTimeout(), 1, RetryAction.FAIL, None, "longer than execution_timeout"),
    "too long for its window": (
        WindowClosed("late"),
        1,
        RetryAction.FAIL,
        None,
        "time error: a retry cannot mend it",
    ),
}


@pytest.mark.parametrize(
    ("error", "attempt", "action", "delay", "reason"), RETRIES.values(), ids=RETRIES
)
def test_what_is_worth_retrying_is_retried(
    error: BaseException, attempt: int, action: RetryAction, delay: float | None, reason: str
) -> None:
    decision = BackupRetryPolicy(Retry(jitter=0)).evaluate(error, attempt, 3)
    assert decision.action is action
    assert (decision.reason or "").startswith(reason)
    assert decision.retry_delay == (None if delay is None else timedelta(seconds=delay))


def test_a_retry_policy_survives_being_serialized() -> None:
    policy = BackupRetryPolicy(Retry(max_retries=7, exponential=False))
    assert BackupRetryPolicy.deserialize(policy.serialize()).retry == policy.retry


def scheduled(home: Path, **more: Any) -> Schedule:
    """A schedule of the same data."""
    return Schedule.model_validate(
        {
            "id": "mine",
            "source": {"engine": "files", "path": str(home / "data")},
            "repository": f"file://{home}/repository",
            "preset": "daily",
        }
        | more
    )


def test_verification_proves_the_set_of_its_run(home: Path) -> None:
    schedule = scheduled(home, verify={"level": "full", "restore_test": "weekly"})
    given = context(at=datetime(2026, 11, 21, tzinfo=UTC))
    stored = BackupOperator.of(schedule, task_id="backup").execute(given)
    facts = VerifyOperator(task_id="verify", schedule=schedule).execute(given)
    assert (facts["set_id"], facts["outcome"], facts["level"]) == (
        stored["set_id"],
        "passed",
        "full",
    )
    with Catalog.open(f"sqlite:///{home}/airflow_backup.db") as catalog:
        levels = [str(note.level) for note in catalog.verifications.of(stored["set_id"])]
    assert levels == ["restore_test", "full"]


def test_a_verification_that_is_not_due_is_skipped_with_the_reason(home: Path) -> None:
    schedule = scheduled(home, verify={"every": 2})
    for day, is_due in ((20, True), (21, False), (22, True)):
        given = context(at=datetime(2026, 11, day, tzinfo=UTC))
        given["dag_run"].run_id = f"scheduled__{day}"
        BackupOperator.of(schedule, task_id="backup").execute(given)
        task = VerifyOperator(task_id="verify", schedule=schedule)
        if is_due:
            assert task.execute(given)["outcome"] == "passed"
        else:
            with pytest.raises(AirflowSkipException, match=r"with every 2\. set; this is number 1"):
                task.execute(given)


def test_a_damaged_set_fails_its_task_for_good(home: Path) -> None:
    schedule = scheduled(home)
    given = context(at=datetime(2026, 11, 21, tzinfo=UTC))
    stored = BackupOperator.of(schedule, task_id="backup").execute(given)
    for path in (home / "repository/mine/sets" / stored["set_id"]).glob("files.tar.*"):
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(VerifyError, match="failed its standard verification") as caught:
        VerifyOperator(task_id="verify", schedule=schedule).execute(given)
    decision = BackupRetryPolicy(Retry()).evaluate(caught.value, 1, 3)
    assert decision.action is RetryAction.FAIL


def test_a_set_that_cannot_be_read_now_is_looked_at_again_later(home: Path) -> None:
    schedule = scheduled(home)
    given = context(at=datetime(2026, 11, 21, tzinfo=UTC))
    BackupOperator.of(schedule, task_id="backup").execute(given)
    (home / "repository").rename(home / "elsewhere")
    with pytest.raises(Inconclusive, match="could not be verified") as caught:
        VerifyOperator(task_id="verify", schedule=schedule).execute(given)
    assert BackupRetryPolicy(Retry()).evaluate(caught.value, 1, 3).action is RetryAction.RETRY


def test_pruning_follows_a_verification_that_was_not_due_but_no_failed_one(home: Path) -> None:
    dag = build(scheduled(home, retention={"last": 1}))
    assert [task.task_id for task in dag.tasks] == ["window", "backup", "verify", "prune"]
    prune = dag.get_task("prune")
    assert prune.upstream_task_ids == {"backup", "verify"}
    assert prune.trigger_rule == "none_failed_min_one_success"
    plain = build(scheduled(home, retention={"last": 1}, verify={"level": "none"}))
    assert [task.task_id for task in plain.tasks] == ["window", "backup", "prune"]


def deploy(home: Path, schedule: Schedule) -> None:
    """Tell the catalog of a schedule, as the DAG processor does."""
    definition = {"version": 1, "schedules": [schedule.definition()]}
    (home / "schedules.yaml").write_text(json.dumps(definition))
    generate({"__file__": str(home / "backup_dags.py")})


def asked(home: Path, verb: Any, *, run_id: str = "manual__1", **request: Any) -> Any:
    """The context of a run for which the API wrote a ticket."""
    now = datetime.now(UTC)
    with Catalog.open(f"sqlite:///{home}/airflow_backup.db") as catalog:
        catalog.tickets.issue(run_id, verb, "mine", request, person="ann", at=now)
    given = context()
    given["dag_run"].run_id = run_id
    return given


def restoring() -> RequestedRestoreOperator:
    return RequestedRestoreOperator(task_id="restore")


def test_a_restore_that_was_asked_for_brings_a_set_back(home: Path) -> None:
    schedule = scheduled(home)
    deploy(home, schedule)
    BackupOperator.of(schedule, task_id="backup").execute(context())
    facts = restoring().execute(asked(home, "restore", target="copy", paths=[]))
    assert facts["target"] == f"{home}/restores/copy"
    assert (home / "restores/copy/a.txt").read_text() == "hello"
    with Catalog.open(f"sqlite:///{home}/airflow_backup.db") as catalog:
        event = next(each for each in catalog.events.recent(5, subject="mine"))
    assert (event.action, event.actor) == ("restore", "ann, run manual__1")


def test_what_came_of_a_restore_is_kept_for_the_page(home: Path) -> None:
    schedule = scheduled(home)
    deploy(home, schedule)
    BackupOperator.of(schedule, task_id="backup").execute(context())
    given = asked(home, "restore", target="copy", paths=[])
    facts = restoring().execute(given)
    again = given | {"task_state_store": StateStore()}
    with pytest.raises(Refused):
        restoring().execute(again)
    assert given["task_state_store"].outcomes == [{"result": facts}]
    (kept,) = again["task_state_store"].outcomes
    assert kept["error"].startswith("this restore was carried out already")
    assert kept["hint"].startswith("ask for it on the page")


def test_what_nobody_foresaw_is_told_by_its_kind_alone() -> None:
    def fail() -> dict[str, Any]:
        raise ValueError("postgresql://me:secret@host")

    given = context()
    with pytest.raises(ValueError, match="secret"):
        keeping_outcome(given, fail)
    assert given["task_state_store"].outcomes == [
        {"error": "it ended with ValueError", "hint": "what does its log say?"}
    ]


def test_a_restore_ends_well_where_the_page_cannot_be_told() -> None:
    def refuse(*_: object) -> None:
        raise OSError("the API is gone")

    broken = SimpleNamespace(set=refuse)
    assert keeping_outcome({"task_state_store": broken}, lambda: {"files": 1}) == {"files": 1}  # type: ignore[typeddict-item]
    assert keeping_outcome({}, lambda: {"files": 2}) == {"files": 2}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/etc/backup", "'/etc/backup' does not lie below"),
        ("../outside", "'../outside' does not lie below"),
        (".", "'.' does not lie below"),
        ("link/below", "'link/below' does not lie below"),
        ("connection:prod", "nothing may be restored into connection 'prod'"),
    ],
)
def test_a_restore_that_leads_elsewhere_is_refused(home: Path, target: str, message: str) -> None:
    (home / "restores").mkdir()
    (home / "restores" / "link").symlink_to("/tmp")
    with pytest.raises(Refused, match=re.escape(message)):
        restoring().execute(asked(home, "restore", target=target))


@pytest.mark.parametrize("verb", ["restore", "verify"])
def test_a_run_that_was_started_in_airflow_itself_does_nothing(home: Path, verb: str) -> None:
    task = restoring() if verb == "restore" else RequestedVerifyOperator(task_id="verify")
    given = context()
    words = {"schedule": "mine", "target": str(home / "taken"), "confirm": "mine", "level": "full"}
    given["dag_run"].conf = given["params"] = words
    with pytest.raises(Refused, match=f"nobody was allowed to start this {verb}") as caught:
        task.execute(given)
    assert "/backup/api/v1/sets/SET/" in str(caught.value.hint)
    other = asked(home, "verify" if verb == "restore" else "restore", set_id="x", level="full")
    with pytest.raises(Refused, match="it has no ticket"):
        task.execute(other)
    assert not (home / "taken").exists()


def test_a_ticket_serves_once_also_when_the_run_is_cleared(home: Path) -> None:
    schedule = scheduled(home)
    deploy(home, schedule)
    BackupOperator.of(schedule, task_id="backup").execute(context())
    given = asked(home, "restore", target="copy", paths=[])
    restoring().execute(given)
    with pytest.raises(Refused, match="this restore was carried out already"):
        restoring().execute(given)


def test_a_restore_that_airflow_tries_again_has_its_ticket_and_one_that_was_cleared_has_not(
    home: Path,
) -> None:
    schedule = scheduled(home)
    deploy(home, schedule)
    BackupOperator.of(schedule, task_id="backup").execute(context())
    given, task = asked(home, "restore", target="copy", paths=[]), restoring()
    given["ti"].max_tries = task.retries
    (home / "repository").rename(home / "unplugged")
    with pytest.raises(BackupError):
        task.execute(given)
    given["ti"].try_number = 2
    given["ti"].max_tries = 1 + (
        task.retries or 0
    )  # as Airflow counts on after somebody cleared it
    with pytest.raises(Refused, match="this restore was carried out already"):
        task.execute(given)
    (home / "unplugged").rename(home / "repository")
    given["ti"].max_tries = task.retries
    assert task.execute(given)["files"] == 2


def test_a_restore_is_tried_again_only_where_something_did_not_answer() -> None:
    policy = restoring().retry_policy
    assert policy is not None
    for error, action in (
        (CatalogUnavailable("away"), RetryAction.RETRY),
        (StorageUnavailable("away"), RetryAction.RETRY),
        (ValueError("odd"), RetryAction.FAIL),
        (Refused("no"), RetryAction.FAIL),
    ):
        assert policy.evaluate(error, 1, 3).action is action, error


@contextmanager
def catalog_away(home: Path, *, seconds: float) -> Iterator[None]:
    """Let the catalog's name lead nowhere for a while: whoever opens it is told that it cannot be."""
    file, kept = home / "airflow_backup.db", home / "kept.db"
    with closing(sqlite3.connect(file)) as connection:  # all of it into the one file that is moved
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not busy

    def back() -> None:
        kept.replace(file)  # at once: there is no moment at which somebody makes a new one

    file.rename(kept)
    file.symlink_to(home / "nowhere" / "catalog.db")
    timer = threading.Timer(seconds, back)
    timer.start()
    yield
    timer.join()


def test_verify_prune_and_restore_wait_for_a_catalog_that_is_away(home: Path) -> None:
    schedule = scheduled(home, retention={"last": 1})
    deploy(home, schedule)
    given = context(at=datetime(2026, 11, 21, tzinfo=UTC))
    stored = BackupOperator.of(schedule, task_id="backup").execute(given)
    with catalog_away(home, seconds=1.5):
        assert VerifyOperator(task_id="v", schedule=schedule).execute(given)["outcome"] == "passed"
    with catalog_away(home, seconds=1.5):
        assert PruneOperator(task_id="p", schedule=schedule).execute(given)["removed"] == []
    restore = RestoreOperator(task_id="r", schedule_id="mine", target=str(home / "anywhere"))
    with catalog_away(home, seconds=1.5):
        assert restore.execute(given)["files"] == 2
    wanted = asked(home, "verify", set_id=stored["set_id"], level="quick")
    with catalog_away(home, seconds=1.5):
        task = RequestedVerifyOperator(task_id="verify")
        assert task.execute(wanted)["outcome"] == "passed"


BAD_CONF: dict[str, tuple[dict[str, Any], str]] = {
    "no kind": ({"kind": "foo"}, "there is no kind 'foo' of sets"),
    "a kind that is a list": ({"kind": ["full"]}, "there is no kind a list of sets"),
    "a kind that is a number": ({"kind": 1}, "there is no kind 1 of sets"),
    "a kind that the source has not": ({"kind": "archive_log"}, "takes no archive_log set"),
    "a note that is no text": ({"note": {"a": 1}}, "the note of the run is no short text"),
    "a note without end": ({"note": "x" * 1001}, "the note of the run is no short text"),
    "a key that nobody reads": ({"knd": "full"}, "a run cannot be asked for 'knd'"),
}


@pytest.mark.parametrize(("conf", "reason"), BAD_CONF.values(), ids=BAD_CONF)
def test_a_run_with_a_bad_conf_fails_at_once_and_its_history_says_why(
    home: Path, conf: dict[str, Any], reason: str
) -> None:
    task = BackupOperator.of(scheduled(home), task_id="backup")
    given = context(**conf)
    with pytest.raises(ConfigError, match=reason) as caught:
        task.execute(given)
    assert task.retry_policy is not None
    assert task.retry_policy.evaluate(caught.value, 1, 3).action is RetryAction.FAIL
    with Catalog.open(catalog_url()) as catalog:
        (row,) = catalog.executions.history("mine")
        told = [event.action for event in catalog.events.after(0)]
    assert (str(row.status), str(row.failure_class)) == ("failed", "config")
    assert re.search(reason, row.error or "")
    assert told == ["started", "failed_final"]


def test_the_conf_of_somebodys_own_dag_may_hold_more_than_is_for_us(home: Path) -> None:
    given = context(note="why not", color="blue")
    assert operator(home, schedule_id="own").execute(given)["status"] == "completed"
    of_airflow = context()
    of_airflow["dag_run"].conf = {"airflow/task_span_detail_level": 2}
    task = BackupOperator.of(scheduled(home), task_id="backup")
    assert task.execute(of_airflow)["status"] == "completed"


def test_a_task_that_is_no_schedule_says_what_is_wrong_and_is_not_tried_again(home: Path) -> None:
    task = operator(home, schedule_id="own", options={"max_duration": "soon"})
    with pytest.raises(ConfigError, match="max_duration: "):
        task.execute(context())


def test_a_retry_that_is_outside_its_window_has_failed_for_good(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_backup.operators.backup.utc_now", lambda: CLOSED)
    task = BackupOperator.of(in_saturday_nights(home, outside_window="skip"), task_id="backup")
    given = context("scheduled")
    given["ti"].try_number = 2
    with pytest.raises(WindowClosed):
        task.execute(given)
    with Catalog.open(catalog_url()) as catalog:
        assert catalog.events.after(0)[-1].action == "failed_final"


def test_a_ticket_does_not_serve_a_day_later(home: Path) -> None:
    asked(home, "restore", target="copy", paths=[])
    later = datetime.now(UTC) + timedelta(days=2)
    with (
        Catalog.open(f"sqlite:///{home}/airflow_backup.db") as catalog,
        pytest.raises(Refused, match="too long ago"),
    ):
        catalog.tickets.use("manual__1", "restore", at=later)


def test_a_person_may_ask_for_a_verification(home: Path) -> None:
    schedule = scheduled(home)
    deploy(home, schedule)
    stored = BackupOperator.of(schedule, task_id="backup").execute(context())
    task = RequestedVerifyOperator(task_id="verify")
    facts = task.execute(asked(home, "verify", set_id=stored["set_id"], level="restore_test"))
    assert (facts["outcome"], facts["proven"]) == ("passed", "restore_test")


def test_a_restore_is_a_task_of_a_hand_written_dag(home: Path) -> None:
    schedule = scheduled(home)
    deploy(home, schedule)
    BackupOperator.of(schedule, task_id="backup").execute(context())
    task = RestoreOperator(task_id="copy", schedule_id="mine", target=str(home / "anywhere"))
    assert task.execute(context())["files"] == 2
    assert (home / "anywhere" / "a.txt").read_text() == "hello"


@pytest.fixture
def fence(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An administrator lets schedules of the page read and write below two folders."""
    for name in ("open", "kept"):
        (home / name).mkdir()
    (home / "open" / "a.txt").write_text("mine")
    monkeypatch.setenv("AIRFLOW__BACKUP__SOURCE_ROOTS", str(home / "open"))
    monkeypatch.setenv("AIRFLOW__BACKUP__REPOSITORY_ROOTS", f"{home}/kept")
    return home


def made_on_the_page(folder: Path, **more: Any) -> Schedule:
    return Schedule.model_validate(
        {
            "id": "mine",
            "source": {"engine": "files", "path": f"{folder}/open"},
            "repository": f"file://{folder}/kept",
            "preset": "daily",
        }
        | more
    )


def test_a_schedule_of_the_page_reads_and_writes_where_it_may(fence: Path) -> None:
    task = BackupOperator.of(made_on_the_page(fence), task_id="backup", fenced=True)
    assert task.execute(context())["status"] == "completed"


def secret(home: Path) -> Path:
    """A file that only the worker may read."""
    (home / "secret").mkdir(exist_ok=True)
    (home / "secret" / "key").write_text("s3cret")
    return home / "secret"


@pytest.mark.parametrize("way", ["plain", "dots", "link", "link on the way", "root of the disk"])
def test_a_schedule_of_the_page_reads_nothing_else(fence: Path, way: str) -> None:
    beyond = secret(fence)
    (fence / "open" / "link").symlink_to(beyond)
    (fence / "open" / "up").symlink_to(fence)
    path = {
        "plain": str(beyond),
        "dots": f"{fence}/open/../secret",
        "link": f"{fence}/open/link",
        "link on the way": f"{fence}/open/up/secret",
        "root of the disk": "/",
    }[way]
    schedule = made_on_the_page(fence, source={"engine": "files", "path": path})
    with pytest.raises(Refused, match=r"`source`: .* does not lie within"):
        BackupOperator.of(schedule, fenced=True, task_id="backup").execute(context())
    assert not (fence / "kept" / "mine").exists()


@pytest.mark.parametrize(
    ("key", "more"),
    [
        ("repository", {"repository": "file://HOME/dags"}),
        ("repository", {"repository": "file://HOME/kept/../dags"}),
        ("repository", {"repository": "file://HOME/kept/%2e%2e/dags"}),
        ("source", {"source": {"engine": "sqlite", "path": "HOME/secret/key"}}),
        ("verify.scratch", {"verify": {"scratch": "HOME/dags"}}),
        (
            "source",
            {
                "source": {
                    "engine": "restic",
                    "path": "HOME/open",
                    "restic_repository": "HOME/dags",
                    "connection": "x",
                }
            },
        ),
        (
            "source",
            {
                "source": {
                    "engine": "postgres",
                    "connection": "x",
                    "method": "physical",
                    "wal": "archive",
                    "archive": "HOME/secret",
                },
            },
        ),
    ],
)
def test_no_path_of_a_schedule_of_the_page_leads_out(
    fence: Path, key: str, more: dict[str, Any]
) -> None:
    secret(fence)
    (fence / "dags").mkdir(exist_ok=True)
    given = json.loads(json.dumps(more).replace("HOME", str(fence)))
    schedule = made_on_the_page(fence, **given)
    tasks = (
        BackupOperator.of(schedule, task_id="b", fenced=True),
        VerifyOperator(task_id="v", schedule=schedule, fenced=True),
        PruneOperator(task_id="p", schedule=schedule, fenced=True),
    )
    for task in tasks:
        with pytest.raises(Refused, match=rf"`{key}`: .* does not lie within"):
            task.execute(context())
    assert not list((fence / "dags").iterdir())


def test_a_database_that_a_connection_names_is_fenced_in_too(
    fence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(fence / "outside.db") as database:
        database.execute("CREATE TABLE t (a)")
    database.close()
    monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", f"sqlite:///{fence}/outside.db")
    source = {"engine": "sqlite", "connection": "elsewhere"}
    task = BackupOperator.of(made_on_the_page(fence, source=source), task_id="backup", fenced=True)
    with pytest.raises(Refused, match=r"the database .* does not lie within"):
        task.execute(context())


def test_a_restore_of_a_schedule_of_the_page_is_fenced_in_too(fence: Path) -> None:
    with Catalog.open(f"sqlite:///{fence}/airflow_backup.db") as catalog:
        schedule = made_on_the_page(fence, repository=f"file://{secret(fence)}")
        catalog.schedules.save(
            "mine", schedule.definition(), author="ann", at=datetime.now(UTC), after_version=0
        )
    generate({"__file__": str(fence / "backup_dags.py")})
    with pytest.raises(Refused, match=r"`repository`: .* does not lie within"):
        restoring().execute(asked(fence, "restore", target="copy"))


def test_a_notifier_of_airflow_carries_the_message_and_reads_no_template_in_it() -> None:
    message = Rendered(id="1", title="{{ x }} is late", text="a", html="<b>", contents=[])
    receiver = Receiver.model_validate(
        {
            "notifier": "smtp",
            "connection": "mail",
            "options": {"to": "a@example.org", "cc": "{text}"},
        }
    )
    notifier: Any = made(receiver, message)
    assert type(notifier).__name__ == "SmtpNotifier"
    assert (notifier.subject, notifier.html_content, notifier.cc) == ("{{ x }} is late", "<b>", "a")
    assert notifier.smtp_conn_id == "mail"


class Answered(BaseNotifier):
    """A notifier whose service answers with a status, as the libraries of most providers tell it."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status

    def notify(self, context: Any) -> None:
        error = RuntimeError("https://hooks.example.org/T0K3N said no")
        error.response = SimpleNamespace(status_code=self.status)  # type: ignore[attr-defined]
        raise RuntimeError("the hook failed") from error


@pytest.mark.parametrize(("status", "is_for_good"), [(404, True), (429, False), (503, False)])
def test_a_notifier_tells_whether_its_service_refuses_for_good(
    monkeypatch: pytest.MonkeyPatch, status: int, is_for_good: bool
) -> None:
    monkeypatch.setattr(notifiers, "made", lambda receiver, message: Answered(status))
    message = Rendered(id="1", title="a", text="a", html="a", contents=[])
    with pytest.raises(SendFailed, match=f"could not send: RuntimeError, answer {status}") as told:
        notifiers.send_by_notifier(Receiver(notifier="slack"), message)
    assert isinstance(told.value, RefusedForGood) is is_for_good
    assert "T0K3N" not in str(told.value)


def test_a_notifier_that_is_not_installed_or_no_notifier_says_so() -> None:
    message = Rendered(id="1", title="a", text="a", html="a", contents=[])
    with pytest.raises(ConfigError, match="SlackNotifier is not installed"):
        made(Receiver(notifier="slack"), message)
    path = "airflow.providers.smtp.hooks.smtp.NoNotifier"
    with pytest.raises(ConfigError, match="is not installed"):
        made(Receiver(notifier=path), message)
    with pytest.raises(ConfigError, match="cannot be made"):
        made(Receiver(notifier="smtp"), message)


def test_a_skipped_run_is_a_row_in_the_catalog_with_its_reason(home: Path) -> None:
    now = datetime.now(UTC)
    closed = window(opens=now + timedelta(hours=2), closes=now + timedelta(hours=4))
    sensor = BackupWindowSensor(
        task_id="window", window=closed, outside_window="skip", schedule_id="mine"
    )
    with pytest.raises(AirflowSkipException):
        sensor.execute(context("scheduled"))
    with Catalog.open(catalog_url()) as catalog:
        assert [event.action for event in catalog.events.after(0)] == ["skipped"]
        assert [row.reason for row in catalog.executions.history("mine")] == ["outside the window"]


def test_what_a_look_finds_goes_to_airflows_own_metrics(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, float] = {}

    def gauge(name: str, value: float, *, tags: object = None) -> None:
        told[name] = value

    monkeypatch.setattr("airflow_backup.operators.monitor.stats.gauge", gauge)
    now = datetime.now(UTC)
    source = {"engine": "files", "path": "/srv"}
    wiki = Schedule.model_validate(
        {
            "id": "wiki",
            "source": source,
            "repository": "file:///b",
            "every": "1h",
            "alert_after": "2h",
        }
    )
    with Catalog.open(catalog_url()) as catalog:
        catalog.standings.note_seen(["wiki"], at=now - timedelta(hours=3))
        tell_airflow(check(catalog, [Subject.of(wiki)], place="airflow", now=now))
    assert told["backup.schedules"] == told["backup.need_a_person"] == told["backup.overdue"] == 1
    assert told["backup.schedule.wiki.protected"] == 0
    assert told["backup.schedule.wiki.seconds_until_late"] == -3600


def test_a_run_that_was_cleared_is_tried_again_as_a_new_one_is() -> None:
    """Airflow counts its attempts on: after four of four, a cleared task begins with the fifth of eight."""
    error, context = StorageUnavailable("away"), {"task": SimpleNamespace(retries=3)}
    policy = BackupRetryPolicy(Retry(jitter=0))
    decided = [policy.evaluate(error, number, 7, context) for number in (5, 6, 7, 8)]
    assert [each.action is RetryAction.RETRY for each in decided] == [True, True, True, False]
    assert decided[0].retry_delay == policy.evaluate(error, 1, 3, context).retry_delay


def test_no_wait_is_longer_than_its_cap() -> None:
    retry = Retry.model_validate(
        {"exponential": False, "jitter": 0, "classes": {"unknown": {"max_delay": "10s"}}}
    )
    decided = BackupRetryPolicy(retry).evaluate(ValueError("odd"), 1, 3)
    assert decided.retry_delay == timedelta(seconds=10)


def test_each_mapped_task_and_each_of_a_long_name_has_sets_of_its_own() -> None:
    long = "nightly_" + "x" * 80
    ids = {id_from("etl", "backup", number) for number in (None, 0, 1)}
    ids |= {id_from(long, name) for name in ("wiki", "orders")}
    assert len(ids) == 5
    assert all(SCHEDULE_ID.fullmatch(each) for each in ids)


def test_the_record_names_host_queue_and_executor(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__BACKUP__HOST_NAME", "nas1")
    given = context()
    given["ti"].queue = "nas"
    facts = operator(home, schedule_id="mine", executor="LocalExecutor").execute(given)
    with Catalog.open(catalog_url()) as catalog:
        (execution,) = catalog.executions.history("mine")
    assert (execution.host, execution.queue, execution.executor) == ("nas1", "nas", "LocalExecutor")
    assert execution.definition is not None
    assert facts["status"] == "completed"
