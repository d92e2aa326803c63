"""
One history out of two: what the catalog remembers, and what Airflow knows of runs that never got that far.

The catalog's row is written by the backup task and outlives Airflow's clean-up; a run that waits for its
window, was skipped, or whose worker died has only Airflow's side. Pure; the clock is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from airflow_backup.catalog.run_records import Execution, Order
from airflow_backup.core.ids import dag_id, schedule_id_of
from airflow_backup.core.words import ExecutionStatus, Kind, Trigger
from airflow_backup.engines.registry import held_while_paused
from airflow_backup.plugin.airflow.records import AirflowRun
from airflow_backup.plugin.schemas.runs import Progress, RunSummary
from airflow_backup.plugin.views.airflow_states import BACKUP, WINDOW, failure, judge
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.start_policy import decide, local_text, start_policy_of

_TRIGGERS = {
    "scheduled": Trigger.SCHEDULE,
    "asset_triggered": Trigger.DEPENDENCY,
    "asset_materialization": Trigger.DEPENDENCY,
}
_LIVE = (ExecutionStatus.RUNNING, ExecutionStatus.PAUSED)
_AT_AN_END = ("success", "failed", "upstream_failed", "skipped", "removed")
_WAITS = ("deferred", "scheduled", "queued")
_BEFORE = {
    "queued": "waits for a free place in the pool",
    "scheduled": "waits for a free place in the pool",
    "deferred": "waits for its window, its source or a free place",
}


def trigger_of(run_type: str) -> Trigger:
    """Return what started a run, by what Airflow calls it."""
    return _TRIGGERS.get(str(getattr(run_type, "value", run_type)), Trigger.MANUAL)


def history(
    executions: Iterable[Execution],
    runs: Iterable[AirflowRun],
    *,
    now: datetime,
    progress: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
    schedule: Schedule | None = None,
    orders: Mapping[tuple[str, str], Order] | None = None,
) -> list[RunSummary]:
    """
    Join both sides by run id, the newest first.

    All of them are of one schedule; ``schedule`` tells for which window they wait. ``progress`` and ``orders`` (what
    each was told last) are by DAG id and run id: runs of other schedules have the same run id.
    """
    known = {execution.run_id: execution for execution in executions}
    airflow_run = {run.run_id: run for run in runs}
    told, ordered = progress or {}, orders or {}
    found = []
    for run_id in known.keys() | airflow_run.keys():
        execution, seen = known.get(run_id), airflow_run.get(run_id)
        key = (_dag_of(execution, seen), run_id)
        found.append(
            _joined(
                execution,
                seen,
                now=now,
                progress=told.get(key),
                schedule=schedule,
                order=ordered.get(key),
            )
        )
    return sorted(found, key=lambda run: (run.since, run.run_id), reverse=True)


def _dag_of(execution: Execution | None, airflow_run: AirflowRun | None) -> str:
    if airflow_run is not None:
        return airflow_run.dag_id
    assert execution is not None
    return dag_id(execution.schedule_id)


def from_execution(
    execution: Execution, *, now: datetime, progress: Mapping[str, Any] | None = None
) -> RunSummary:
    """Show a row of the catalog."""
    return RunSummary(
        schedule_id=execution.schedule_id,
        dag_id=dag_id(execution.schedule_id),
        run_id=execution.run_id,
        status=execution.status,
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
        host=execution.host,
        queue=execution.queue,
        executor=execution.executor,
        definition=execution.definition,
        definition_version=execution.definition_version,
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
    order: Order | None = None,
) -> RunSummary:
    """Show a run of which only Airflow knows."""
    status, reason = judge(airflow_run, order)
    backup = airflow_run.tasks.get(BACKUP)
    return RunSummary(
        schedule_id=schedule_id_of(airflow_run.dag_id) or airflow_run.dag_id,
        dag_id=airflow_run.dag_id,
        run_id=airflow_run.run_id,
        status=status,
        reason=_until_its_window(airflow_run, schedule, now=now)
        or _for_its_source(airflow_run, progress)
        or reason,
        trigger=trigger_of(airflow_run.run_type),
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
        **failure(status),
    )


def _until_its_window(
    airflow_run: AirflowRun, schedule: Schedule | None, *, now: datetime
) -> str | None:
    """Say when the window opens for which a run waits, as its sensor reckons it."""
    window = airflow_run.tasks.get(WINDOW)
    if schedule is None or window is None or window.state not in ("deferred", "running"):
        return None
    fire_time = airflow_run.slot or airflow_run.run_after
    decision = decide(start_policy_of(schedule), fire_time=fire_time, now=now)
    return decision.reason if decision.action == "wait" else None


def _for_its_source(airflow_run: AirflowRun, progress: Mapping[str, Any] | None) -> str | None:
    """Say for which other schedule a run waits, as its task found it; it looks again a few times a minute."""
    backup = airflow_run.tasks.get(BACKUP)
    told = None if progress is None else progress.get("waits_for")
    is_waiting = backup is not None and backup.state in _WAITS
    return f"waits: {told}" if is_waiting and isinstance(told, str) else None


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
    order: Order | None,
) -> RunSummary:
    if execution is None:
        assert airflow_run is not None
        return _paused(
            from_airflow_run(
                airflow_run,
                now=now,
                progress=progress,
                schedule=schedule,
                order=order,
            ),
            order,
            schedule,
            now=now,
        )
    if airflow_run is None:
        return from_execution(execution, now=now)
    live = progress if airflow_run.active else None
    run = from_execution(execution, now=now, progress=live)
    run = run.model_copy(
        update={
            "user": airflow_run.user,
            "note": run.note or airflow_run.note,
            "queued_at": run.queued_at or airflow_run.since,
            **_corrections(run, airflow_run, order, now=now),
        }
    )
    return _paused(run, order, schedule, now=now)


def _corrections(
    run: RunSummary, airflow_run: AirflowRun, order: Order | None, *, now: datetime
) -> dict[str, Any]:
    """Say what Airflow knows better: that a run is over whose task could no longer say so."""
    status = run.status
    if status.is_final:
        # Between two attempts: this one failed, the execution has not.
        waits = airflow_run.active and status is ExecutionStatus.FAILED
        return _between_attempts(airflow_run) if waits else {}
    if airflow_run.active:
        return _between_attempts(airflow_run)
    over, reason = judge(airflow_run, order)
    if over is ExecutionStatus.COMPLETED:
        over, reason = ExecutionStatus.FAILED, "the task ended without a word"
    return {
        "status": over,
        "reason": reason,
        "finished_at": airflow_run.ended_at,
        "duration": _duration(run.started_at, airflow_run.ended_at or now),
        "progress": None,
        **({} if run.error else failure(over)),
    }


def _between_attempts(airflow_run: AirflowRun) -> dict[str, Any]:
    """Say that another attempt comes, from the failure of one until the next has begun to work."""
    backup = airflow_run.tasks.get(BACKUP)
    if backup is None or backup.state in _AT_AN_END:
        return {}
    open_again = {"finished_at": None, "max_attempts": backup.max_attempts}
    if backup.state == "running":
        return open_again | {"status": ExecutionStatus.RUNNING}
    which = f"attempt {backup.attempts} of {backup.max_attempts}"
    if backup.state != "up_for_retry":
        return open_again | {
            "status": ExecutionStatus.PENDING,
            "reason": f"{which} {_BEFORE.get(backup.state or '', 'is about to start')}",
            "progress": None,
        }
    why = f": {backup.retry_reason}" if backup.retry_reason else "; waits to be tried again"
    return open_again | {
        "status": ExecutionStatus.PENDING,
        "reason": f"{which} failed{why}",
        "retry_at": backup.retry_at,
        "progress": None,
    }


def _duration(begun: datetime | None, ended: datetime | None) -> float | None:
    if begun is None or ended is None:
        return None
    return max(0.0, (ended - begun).total_seconds())


def _paused(
    run: RunSummary, order: Order | None, schedule: Schedule | None, *, now: datetime
) -> RunSummary:
    """Show a running backup that was told to wait as one that does: by whom, since when, and for how long at most."""
    if order is None or order.action != "pause" or run.status is not ExecutionStatus.RUNNING:
        return run
    zone = "UTC" if schedule is None else schedule.timezone
    usual = Schedule.model_fields["max_pause"].default
    ends = order.at + (usual if schedule is None else schedule.max_pause)
    if ends <= now:
        return run
    reason = (
        f"{order.text}, {local_text(order.at, zone)}; goes on by itself {local_text(ends, zone)}"
    )
    held = None if schedule is None else held_while_paused(schedule.source.engine)
    if held is not None:
        reason += f"; meanwhile {held}"
    return run.model_copy(update={"status": ExecutionStatus.PAUSED, "reason": reason})


def _progress(given: Mapping[str, Any] | None) -> Progress | None:
    if given is None:
        return None
    try:
        return Progress.model_validate(given)
    except ValidationError:
        return None
