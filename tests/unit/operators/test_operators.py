"""Sensor, operator and retry policy, called as Airflow's worker calls them."""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout, TaskDeferred

from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import (
    Cancelled,
    ConfigError,
    Inconclusive,
    Refused,
    SourceError,
    StorageFull,
    StorageUnavailable,
    VerifyError,
)
from airflow_backup.dags import generate
from airflow_backup.dags.factory import build
from airflow_backup.operators.backup import BackupOperator
from airflow_backup.operators.prune import PruneOperator
from airflow_backup.operators.requested import RequestedRestoreOperator, RequestedVerifyOperator
from airflow_backup.operators.restore import RestoreOperator
from airflow_backup.operators.retry_policy import BackupRetryPolicy
from airflow_backup.operators.triggers import WindowTrigger
from airflow_backup.operators.verify import VerifyOperator
from airflow_backup.operators.window import BackupWindowSensor
from airflow_backup.schedules.model.policies import Retry
from airflow_backup.schedules.model.schedule import Schedule


class StateStore:
    """What the page reads: keeps what a task stores, and may answer with a command."""

    def __init__(self, *commands: str) -> None:
        self.stored: list[dict[str, Any]] = []
        self.commands = list(commands)

    def set(self, key: str, value: Any) -> None:
        assert key == "progress"
        self.stored.append(value)

    def get(self, key: str) -> str | None:
        assert key == "control"
        return self.commands.pop(0) if self.commands else None


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
    stages = [progress["stage"] for progress in given["task_state_store"].stored]
    assert stages[0] == "preparing"
    assert all(
        {"percent", "bytes_done", "rate", "eta"} <= set(p) for p in given["task_state_store"].stored
    )


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


def test_a_paused_run_says_so_and_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_backup.operators.backup.PAUSE_CHECK", 0.01)
    given = context()
    given["task_state_store"] = store = StateStore("pause", "pause", "resume")
    assert operator(home, schedule_id="mine").execute(given)["status"] == "completed"
    assert [progress["stage"] for progress in store.stored].count("paused") == 2


def test_a_killed_run_leaves_no_set(home: Path) -> None:
    task = operator(home, schedule_id="mine")
    task.on_kill()
    with pytest.raises(Cancelled, match="the run was cancelled"):
        task.execute(context())
    assert not list(home.glob("repository/mine/sets/*/manifest.json"))


def test_a_backup_stops_when_its_window_closes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = Schedule.model_validate(
        {
            "id": "mine",
            "source": {"engine": "files", "path": str(home / "data")},
            "repository": f"file://{home}/repository",
            "every": "1h",
            "window": [{"days": ["sat"], "from": "01:00", "to": "02:00"}],
            "finish_in_window": "stop",
        }
    )
    clock = iter([datetime(2026, 11, 21, 1, 59, tzinfo=UTC)])
    closed = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
    monkeypatch.setattr("airflow_backup.operators.backup._now", lambda: next(clock, closed))
    with pytest.raises(Cancelled, match="window_closed: the backup was not finished"):
        BackupOperator(task_id="backup", schedule=schedule).execute(context("scheduled"))
    assert not list(home.glob("repository/mine/sets/*/manifest.json"))


def test_an_operator_without_a_source_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs `source` and `repository`, or `schedule`"):
        BackupOperator(task_id="backup", repository="file:///b")


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
    "too long": (AirflowTaskTimeout(), 1, RetryAction.FAIL, None, "longer than max_duration"),
}


@pytest.mark.parametrize(
    ("error", "attempt", "action", "delay", "reason"), RETRIES.values(), ids=RETRIES
)
def test_what_is_worth_retrying_is_retried(
    error: BaseException, attempt: int, action: RetryAction, delay: float | None, reason: str
) -> None:
    decision = BackupRetryPolicy(Retry()).evaluate(error, attempt, 3)
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
    stored = BackupOperator(task_id="backup", schedule=schedule).execute(given)
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
        BackupOperator(task_id="backup", schedule=schedule).execute(given)
        task = VerifyOperator(task_id="verify", schedule=schedule)
        if is_due:
            assert task.execute(given)["outcome"] == "passed"
        else:
            with pytest.raises(AirflowSkipException, match=r"with every 2\. set; this is number 1"):
                task.execute(given)


def test_a_damaged_set_fails_its_task_for_good(home: Path) -> None:
    schedule = scheduled(home)
    given = context(at=datetime(2026, 11, 21, tzinfo=UTC))
    stored = BackupOperator(task_id="backup", schedule=schedule).execute(given)
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
    BackupOperator(task_id="backup", schedule=schedule).execute(given)
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
    BackupOperator(task_id="backup", schedule=schedule).execute(context())
    facts = restoring().execute(asked(home, "restore", target="copy", paths=[]))
    assert facts["target"] == f"{home}/restores/copy"
    assert (home / "restores/copy/a.txt").read_text() == "hello"
    with Catalog.open(f"sqlite:///{home}/airflow_backup.db") as catalog:
        event = next(each for each in catalog.events.recent(5, subject="mine"))
    assert (event.action, event.actor) == ("restore", "ann, run manual__1")


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
    BackupOperator(task_id="backup", schedule=schedule).execute(context())
    given = asked(home, "restore", target="copy", paths=[])
    restoring().execute(given)
    with pytest.raises(Refused, match="this restore was carried out already"):
        restoring().execute(given)


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
    stored = BackupOperator(task_id="backup", schedule=schedule).execute(context())
    task = RequestedVerifyOperator(task_id="verify")
    facts = task.execute(asked(home, "verify", set_id=stored["set_id"], level="restore_test"))
    assert (facts["outcome"], facts["proven"]) == ("passed", "restore_test")


def test_a_restore_is_a_task_of_a_hand_written_dag(home: Path) -> None:
    schedule = scheduled(home)
    deploy(home, schedule)
    BackupOperator(task_id="backup", schedule=schedule).execute(context())
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
    task = BackupOperator(task_id="backup", schedule=made_on_the_page(fence), fenced=True)
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
        BackupOperator(task_id="backup", schedule=schedule, fenced=True).execute(context())
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
    for operator in (BackupOperator, VerifyOperator, PruneOperator):
        task = operator(task_id="t", schedule=schedule, fenced=True)
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
    task = BackupOperator(
        task_id="backup", schedule=made_on_the_page(fence, source=source), fenced=True
    )
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
