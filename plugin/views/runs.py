"""
One history out of two: what the catalog remembers, and what Airflow knows of runs that never got that far.

The catalog's row is written by the backup task and outlives Airflow's clean-up; a run that waits for its
window, was skipped, or whose worker died has only Airflow's side. Pure; the clock is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from airflow_backup.catalog.records import Execution, Hold
from airflow_backup.core.ids import dag_id, schedule_id_of
from airflow_backup.core.words import ExecutionStatus, Kind, Trigger
from airflow_backup.plugin.airflow.records import AirflowRun, AirflowTask
from airflow_backup.plugin.schemas.schedules import Progress, Run
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.holds import SKIP_NEXT, hold_text
from airflow_backup.schedules.times.start_policy import decide, start_policy_of

WINDOW, BACKUP = "window", "backup"

_TRIGGERS = {
    "scheduled": Trigger.SCHEDULE,
    "asset_triggered": Trigger.DEPENDENCY,
    "asset_materialization": Trigger.DEPENDENCY,
}
_AT_THE_GATE = {"skipped": "skip", "deferred": "wait", "running": "wait"}
"""What the gate must have said for the window's task to be in a state."""

_LIVE = (ExecutionStatus.RUNNING, ExecutionStatus.PAUSED)
_SOON = timedelta(minutes=2)
"""Between the end of a hold for one run and the end of that run."""

_WAITING = {
    "up_for_retry": "waits to be tried again",
    "up_for_reschedule": "waits",
    "deferred": "waits",
}


def history(
    executions: Iterable[Execution],
    runs: Iterable[AirflowRun],
    *,
    now: datetime,
    progress: Mapping[str, Mapping[str, Any]] | None = None,
    schedule: Schedule | None = None,
    holds: Sequence[Hold] = (),
) -> list[Run]:
    """Join both sides by run id, the newest first; ``schedule`` and ``holds`` tell why runs were skipped."""
    known = {execution.run_id: execution for execution in executions}
    airflow_run = {run.run_id: run for run in runs}
    told = progress or {}
    found = [
        _joined(
            known.get(run_id),
            airflow_run.get(run_id),
            now=now,
            progress=told.get(run_id),
            schedule=schedule,
            holds=holds,
        )
        for run_id in known.keys() | airflow_run.keys()
    ]
    return sorted(found, key=lambda run: (run.since, run.run_id), reverse=True)


def from_execution(
    execution: Execution, *, now: datetime, progress: Mapping[str, Any] | None = None
) -> Run:
    """Show a row of the catalog."""
    return Run(
        schedule_id=execution.schedule_id,
        dag_id=dag_id(execution.schedule_id),
        run_id=execution.run_id,
        status=_paused(progress) or execution.status,
        reason=execution.reason,
        trigger=execution.trigger,
        kind=execution.kind,
        note=execution.note,
        since=execution.since,
        queued_at=execution.queued_at,
        started_at=execution.started_at,
        finished_at=execution.finished_at,
        duration=_duration(execution.started_at, execution.finished_at or now),
        attempts=execution.attempts,
        bytes_read=execution.bytes_read,
        bytes_stored=execution.bytes_stored,
        files=execution.files,
        set_id=execution.set_id,
        error=execution.error,
        hint=execution.hint,
        failure_class=execution.failure_class,
        progress=_progress(progress),
    )


def from_airflow_run(
    airflow_run: AirflowRun,
    *,
    now: datetime,
    progress: Mapping[str, Any] | None = None,
    schedule: Schedule | None = None,
    holds: Sequence[Hold] = (),
) -> Run:
    """Show a run of which only Airflow knows."""
    status, reason = _judge(airflow_run)
    if status is ExecutionStatus.RUNNING:
        status = _paused(progress) or status
    backup = airflow_run.tasks.get(BACKUP)
    return Run(
        schedule_id=schedule_id_of(airflow_run.dag_id) or airflow_run.dag_id,
        dag_id=airflow_run.dag_id,
        run_id=airflow_run.run_id,
        status=status,
        reason=_by_the_gate(airflow_run, schedule, holds, now=now) or reason,
        trigger=_TRIGGERS.get(airflow_run.run_type, Trigger.MANUAL),
        kind=_kind(airflow_run),
        user=airflow_run.user,
        note=airflow_run.note,
        since=airflow_run.since,
        queued_at=airflow_run.since,
        started_at=airflow_run.started_at,
        finished_at=airflow_run.ended_at,
        duration=_duration(airflow_run.started_at, airflow_run.ended_at or now),
        attempts=backup.attempts if backup is not None else 0,
        progress=_progress(progress) if status in _LIVE else None,
        **_failure(status),
    )


def _by_the_gate(
    airflow_run: AirflowRun, schedule: Schedule | None, holds: Sequence[Hold], *, now: datetime
) -> str | None:
    """Ask the gate again what it told the run's sensor; the schedule may have changed since."""
    window = airflow_run.tasks.get(WINDOW)
    expected = None if window is None else _AT_THE_GATE.get(window.state or "")
    if schedule is None or expected is None:
        return None
    decision = decide(
        start_policy_of(schedule),
        fire_time=airflow_run.slot or airflow_run.run_after,
        now=airflow_run.ended_at or now,
    )
    if decision.action == expected:
        return decision.reason
    return _by_a_hold(airflow_run, schedule, holds) if expected == "skip" else None


def _by_a_hold(airflow_run: AirflowRun, schedule: Schedule, holds: Sequence[Hold]) -> str | None:
    """Find the hold that the run's sensor saw: the one that ended then, or a pause that counted."""
    at = airflow_run.ended_at
    for hold in holds:
        if at is None:
            break
        if hold.kind == SKIP_NEXT:
            seen = hold.ended_at is not None and abs(at - hold.ended_at) < _SOON
        else:
            ends = [end for end in (hold.until, hold.ended_at) if end is not None]
            seen = hold.created_at <= at and all(at < end for end in ends)
        if seen:
            return hold_text(hold, schedule.timezone)
    return None


def _kind(airflow_run: AirflowRun) -> Kind | None:
    asked = airflow_run.conf.get("kind")
    return Kind(asked) if asked in list(Kind) else None


def _joined(
    execution: Execution | None,
    airflow_run: AirflowRun | None,
    *,
    now: datetime,
    progress: Mapping[str, Any] | None,
    schedule: Schedule | None,
    holds: Sequence[Hold],
) -> Run:
    if execution is None:
        assert airflow_run is not None
        return from_airflow_run(
            airflow_run, now=now, progress=progress, schedule=schedule, holds=holds
        )
    if airflow_run is None:
        return from_execution(execution, now=now)
    live = progress if airflow_run.active else None
    run = from_execution(execution, now=now, progress=live)
    return run.model_copy(
        update={
            "user": airflow_run.user,
            "note": run.note or airflow_run.note,
            "queued_at": run.queued_at or airflow_run.since,
            **_corrections(run, airflow_run, now=now),
        }
    )


def _corrections(run: Run, airflow_run: AirflowRun, *, now: datetime) -> dict[str, Any]:
    """Say what Airflow knows better: that a run is over whose task could no longer say so."""
    status = run.status
    if status.is_final:
        # A retry that waits: the attempt failed, the execution has not.
        waits = airflow_run.active and status is ExecutionStatus.FAILED
        return _waiting(airflow_run) if waits else {}
    if airflow_run.active:
        return _waiting(airflow_run)
    over, reason = _judge(airflow_run)
    if over is ExecutionStatus.COMPLETED:
        over, reason = ExecutionStatus.FAILED, "the task ended without a word"
    return {
        "status": over,
        "reason": reason,
        "finished_at": airflow_run.ended_at,
        "duration": _duration(run.started_at, airflow_run.ended_at or now),
        "progress": None,
        **({} if run.error else _failure(over)),
    }


def _waiting(airflow_run: AirflowRun) -> dict[str, Any]:
    backup = airflow_run.tasks.get(BACKUP)
    if backup is None or backup.state != "up_for_retry":
        return {}
    reason = f"attempt {backup.attempts} failed; waits to be tried again"
    return {
        "status": ExecutionStatus.PENDING,
        "reason": reason if not backup.retry_reason else f"{reason}: {backup.retry_reason}",
        "finished_at": None,
        "progress": None,
    }


def _judge(airflow_run: AirflowRun) -> tuple[ExecutionStatus, str | None]:
    backup, window = airflow_run.tasks.get(BACKUP), airflow_run.tasks.get(WINDOW)
    if airflow_run.state == "queued":
        return ExecutionStatus.PENDING, "waits for a free place"
    if airflow_run.state == "running":
        return _judge_running(backup, window)
    if airflow_run.cancelled_by is not None:
        return ExecutionStatus.CANCELLED, f"cancelled by {airflow_run.cancelled_by}"
    if airflow_run.state == "failed":
        return ExecutionStatus.FAILED, _failed_where(airflow_run.tasks)
    if backup is not None and backup.state == "skipped":
        return ExecutionStatus.SKIPPED, "not in its window, or a day without backups"
    return ExecutionStatus.COMPLETED, None


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


def _failure(status: ExecutionStatus) -> dict[str, Any]:
    if status is not ExecutionStatus.FAILED:
        return {}
    return {
        "error": "the task ended before it could say why",
        "hint": "what does the task's log say? was its worker stopped, or out of memory?",
    }


def _duration(begun: datetime | None, ended: datetime | None) -> float | None:
    if begun is None or ended is None:
        return None
    return max(0.0, (ended - begun).total_seconds())


def _paused(progress: Mapping[str, Any] | None) -> ExecutionStatus | None:
    """Whether a running backup was told to wait; it does so at its next look."""
    told = progress is not None and progress.get("control") == "pause"
    return ExecutionStatus.PAUSED if told else None


def _progress(given: Mapping[str, Any] | None) -> Progress | None:
    if given is None:
        return None
    try:
        return Progress.model_validate(given)
    except ValidationError:
        return None
