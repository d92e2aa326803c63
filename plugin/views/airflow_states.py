"""How a run stands as far as Airflow alone can tell: by the states of its tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_backup.catalog.run_records import Order
from airflow_backup.core.words import ExecutionStatus
from airflow_backup.plugin.airflow.records import AirflowRun, AirflowTask

WINDOW, BACKUP = "window", "backup"

_WAITING = {
    "up_for_retry": "waits to be tried again",
    "up_for_reschedule": "waits",
    "deferred": "waits",
}


def judge(airflow_run: AirflowRun, order: Order | None) -> tuple[ExecutionStatus, str | None]:
    """Say how a run stands by what its tasks are at, and why; ``order`` is what it was told last."""
    backup, window = airflow_run.tasks.get(BACKUP), airflow_run.tasks.get(WINDOW)
    if airflow_run.state == "queued":
        return ExecutionStatus.PENDING, "waits for a free place"
    if airflow_run.state == "running":
        return _judge_running(backup, window)
    if order is not None and order.action == "cancel":
        return ExecutionStatus.CANCELLED, order.text
    if airflow_run.state == "failed":
        return ExecutionStatus.FAILED, _failed_where(airflow_run.tasks)
    if backup is not None and backup.state == "skipped":
        return ExecutionStatus.SKIPPED, "it was skipped; the log of its first task says why"
    return ExecutionStatus.COMPLETED, None


def judge_requested(
    airflow_run: AirflowRun, task: AirflowTask | None
) -> tuple[ExecutionStatus, str | None]:
    """Say how a restore, or a verification, that a person asked for stands, by the state of its one task."""
    if airflow_run.state == "success":
        return ExecutionStatus.COMPLETED, None
    if airflow_run.state == "failed":
        return ExecutionStatus.FAILED, None
    if airflow_run.state == "queued" or task is None:
        return ExecutionStatus.PENDING, "waits for a free place"
    return _judge_running(task, None)


def _judge_running(
    backup: AirflowTask | None, window: AirflowTask | None
) -> tuple[ExecutionStatus, str | None]:
    if backup is not None and backup.state == "running":
        return ExecutionStatus.RUNNING, None
    if window is not None and window.state in ("deferred", "up_for_reschedule"):
        return ExecutionStatus.PENDING, "waits for its window"
    if backup is not None and backup.state in ("queued", "scheduled"):
        return ExecutionStatus.PENDING, "waits for a free place in the pool"
    if backup is not None and backup.state in _WAITING:
        return ExecutionStatus.PENDING, _WAITING[backup.state]
    return ExecutionStatus.PENDING, "is about to start"


def _failed_where(tasks: Mapping[str, AirflowTask]) -> str:
    failed = sorted(name for name, task in tasks.items() if task.state == "failed")
    return f"task {failed[0]!r} failed" if failed else "the run failed before its backup began"


def failure(status: ExecutionStatus) -> dict[str, Any]:
    """Return the error and hint of a run that failed without a word."""
    if status is not ExecutionStatus.FAILED:
        return {}
    return {
        "error": "the task ended before it could say why",
        "hint": "what does the task's log say? was its worker stopped, or out of memory?",
    }
