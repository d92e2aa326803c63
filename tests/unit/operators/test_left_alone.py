"""Tasks whose supervisor dies, and tasks of which nobody can be told."""

from __future__ import annotations

import json
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.api.datamodels._generated import DagRunState
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import CommsDecoder
from airflow.sdk.execution_time.supervisor import InProcessSupervisorComms

from airflow_backup.catalog import Catalog
from airflow_backup.core.progress import Progress
from airflow_backup.core.words import Trigger
from airflow_backup.dags import generate
from airflow_backup.operators.asked import AskedOperator
from airflow_backup.operators.backup import BackupOperator
from airflow_backup.operators.monitor import BackupMonitorOperator
from airflow_backup.operators.prune import PruneOperator
from airflow_backup.operators.requested import RequestedRestoreOperator, RequestedVerifyOperator
from airflow_backup.operators.restore import RestoreOperator
from airflow_backup.operators.shared import supervised
from airflow_backup.operators.shared.airflow_settings import catalog_url
from airflow_backup.operators.shared.telling import telling
from airflow_backup.operators.verify import VerifyOperator
from airflow_backup.schedules.model.schedule import Schedule

WORKERS: list[type[BaseOperator]] = [
    BackupOperator,
    VerifyOperator,
    PruneOperator,
    RestoreOperator,
    RequestedRestoreOperator,
    RequestedVerifyOperator,
    AskedOperator,
]


@pytest.mark.parametrize("operator", WORKERS, ids=lambda each: each.__name__)
def test_whoever_works_on_sets_ends_with_its_supervisor(
    operator: type[BaseOperator], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(supervised, "end_with_parent", lambda: asked.append(True))
    ours, supervisors = socket.socketpair()
    with ours, supervisors:
        comms = CommsDecoder[Any, Any](socket=ours)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
        operator.pre_execute(operator.__new__(operator), {})
    assert asked == [True]


def test_a_task_of_airflow_dags_test_goes_on_when_the_shell_above_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(supervised, "end_with_parent", lambda: asked.append(True))
    operator = RestoreOperator.__new__(RestoreOperator)
    monkeypatch.delattr(task_runner, "SUPERVISOR_COMMS", raising=False)
    operator.pre_execute({})
    # what Airflow has there while it runs a task in its own process
    comms = InProcessSupervisorComms(supervisor=cast("Any", None))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
    operator.pre_execute({})
    assert asked == []


class NoAirflow:
    """An API that refuses."""

    def set(self, key: str, value: Any) -> None:
        raise RuntimeError("API_SERVER_ERROR")


class Silence:
    """An API that does not answer."""

    def __init__(self) -> None:
        self.asked, self.answer = threading.Event(), threading.Event()

    def set(self, key: str, value: Any) -> None:
        self.asked.set()
        self.answer.wait(60)


def context(store: object) -> Any:
    run = SimpleNamespace(
        run_id="manual__1",
        run_type="manual",
        logical_date=None,
        run_after=datetime.now(UTC),
        conf={},
    )
    ti = SimpleNamespace(try_number=1)
    return {"dag_run": run, "ti": ti, "task_state_store": store}


def test_a_restore_and_a_verification_go_on_although_airflow_cannot_be_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("hello")
    schedule = Schedule.model_validate(
        {
            "id": "mine",
            "source": {"engine": "files", "path": f"{tmp_path}/data"},
            "repository": f"file://{tmp_path}/repository",
            "preset": "daily",
        }
    )
    given = context(NoAirflow())
    BackupOperator.of(schedule, task_id="backup").execute(given)
    found = VerifyOperator(task_id="verify", schedule=schedule).execute(given)
    assert found["outcome"] == "passed"
    definition = {"version": 1, "schedules": [schedule.definition()]}
    (tmp_path / "schedules.yaml").write_text(json.dumps(definition))
    generate({"__file__": str(tmp_path / "backup_dags.py")})
    target = tmp_path / "copy"
    RestoreOperator(task_id="restore", schedule_id="mine", target=str(target)).execute(given)
    assert (target / "a.txt").read_text() == "hello"


def test_work_does_not_wait_for_an_airflow_that_says_nothing() -> None:
    silence = Silence()
    done = []
    with telling(context(silence), interval=0.01) as listen:
        listen(Progress("restoring"))
        assert silence.asked.wait(60)
        for number in range(1000):
            listen(Progress("restoring", bytes_done=number))
        done.append(True)
        silence.answer.set()
    assert done == [True]


def test_the_last_that_is_told_is_how_it_ended() -> None:
    told: list[dict[str, Any]] = []
    store = SimpleNamespace(set=lambda key, value: told.append(value))
    with telling(context(store), interval=60) as listen:
        for number in range(5):
            listen(Progress("restoring", bytes_done=number))
    assert [each["bytes_done"] for each in told] == [4]


def test_who_is_to_end_is_told_so_in_the_midst_of_its_work() -> None:
    class Ended(Exception):
        pass

    def check() -> None:
        raise Ended

    begun = time.monotonic()
    with pytest.raises(Ended), telling(context(None), check=check, interval=60) as listen:
        listen(Progress("restoring"))
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    ("state", "is_over"),
    [
        (DagRunState.FAILED, True),
        (DagRunState.SUCCESS, True),
        ("failed", True),
        (DagRunState.RUNNING, False),
        (DagRunState.QUEUED, False),
    ],
)
def test_the_monitor_notes_a_run_that_airflow_says_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: DagRunState | str, is_over: bool
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    with Catalog.open(catalog_url()) as catalog:
        now = datetime.now(UTC)
        catalog.executions.begin("mine", "r1", run_at=now, trigger=Trigger.MANUAL, at=now)
    given = context(None)
    # what the task process of Airflow is answered: a member of its own enum, whatever its signature says
    given["ti"].get_dagrun_state = lambda dag_id, run_id: state
    BackupMonitorOperator(task_id="monitor").execute(given)
    with Catalog.open(catalog_url()) as catalog:
        found = catalog.executions.get("mine", "r1")
    assert found is not None
    assert found.status == ("failed" if is_over else "running")
