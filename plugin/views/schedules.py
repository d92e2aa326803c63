"""
Everything the list and the status page say, put together from the catalog and from Airflow.

``ScheduleData`` is what was read; the functions below are pure, and the clock is an argument.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog.records import Hold
from airflow_backup.catalog.rules.protection import Protection
from airflow_backup.catalog.run_records import Execution, Order
from airflow_backup.catalog.sums import Verified
from airflow_backup.core.ids import dag_id
from airflow_backup.core.words import ExecutionStatus, ProtectionState
from airflow_backup.plugin.airflow.records import AirflowDag, AirflowRun
from airflow_backup.plugin.schemas.runs import RunSummary
from airflow_backup.plugin.schemas.schedules import (
    HoldInfo,
    LastVerified,
    LoadProblem,
    Permissions,
    ProtectionInfo,
    SavedBy,
    ScheduleDetail,
    ScheduleSummary,
    State,
)
from airflow_backup.plugin.views.rhythms import next_run, rhythms, schedule_of
from airflow_backup.plugin.views.rows import Row
from airflow_backup.plugin.views.runs import from_execution, history
from airflow_backup.plugin.views.secrets import without_passwords
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.holds import hold_text, holds_on

log = logging.getLogger(__name__)

CLASH = "a schedule of this id was also made here; the file wins, and the other one does not run"
CONCLUSIVE = (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED)


@dataclass(frozen=True)
class ScheduleData:
    """What was read about some schedules."""

    now: datetime
    dags: Mapping[str, AirflowDag]
    """By DAG id."""
    airflow_runs: Mapping[str, Sequence[AirflowRun]]
    """By DAG id: what is active, the newest run, and the runs that the catalog thinks are open."""
    past: Mapping[str, Sequence[Execution]]
    """By schedule id, the newest first: as many executions as it takes to know how the last one went."""
    last_good: Mapping[str, Execution]
    """By schedule id."""
    progress: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    """By DAG id and run id."""

    orders: Mapping[tuple[str, str], Order] = field(default_factory=dict)
    """What active runs were told last, by DAG id and run id."""
    holds: Mapping[str, Sequence[Hold]] = field(default_factory=dict)
    """By schedule id, and of every schedule: those that still count."""
    protections: Mapping[str, Protection] = field(default_factory=dict)
    """By schedule id."""
    waits: Mapping[str, str] = field(default_factory=dict)
    """By schedule id: for which other schedules those wait that run after them, and why."""
    verified: Mapping[str, Verified] = field(default_factory=dict)
    """By schedule id: the newest verification that passed."""


def summaries(
    rows: Iterable[Row], schedule_data: ScheduleData, *, permissions: Mapping[str, Permissions]
) -> list[ScheduleSummary]:
    """Say how each schedule is; one that cannot be shown costs its own row, never the list."""
    return [_safe_summary(row, schedule_data, permissions=permissions[row.id]) for row in rows]


def _safe_summary(
    row: Row, schedule_data: ScheduleData, *, permissions: Permissions
) -> ScheduleSummary:
    try:
        return summary(row, schedule_data, permissions=permissions)
    except Exception as error:
        log.exception("schedule %s cannot be shown", row.id)
        return ScheduleSummary(
            id=row.id,
            dag_id=dag_id(row.id),
            origin=row.origin,
            state=row.state,
            protection=_unknown(type(error).__name__, schedule_data.now),
            permissions=permissions,
        )


def _unknown(what: str, now: datetime) -> ProtectionInfo:
    return ProtectionInfo(
        state=ProtectionState.BROKEN,
        reason=f"what is stored about it cannot be shown: {what}",
        hint="the log of the API server says more; was it stored by another release?",
        since=now,
        late_at=now,
        deadline=0,
        needs_attention=True,
    )


def summary(row: Row, schedule_data: ScheduleData, *, permissions: Permissions) -> ScheduleSummary:
    """Say how one schedule is."""
    return ScheduleSummary(**_fields(row, schedule_data), permissions=permissions)


def detail(row: Row, schedule_data: ScheduleData, *, permissions: Permissions) -> ScheduleDetail:
    """Say how one schedule is, and what was written about it."""
    definition = without_passwords(row.definition)
    return ScheduleDetail(
        **_fields(row, schedule_data),
        permissions=permissions,
        definition=definition,
        repository=definition.get("repository"),
    )


def _fields(row: Row, schedule_data: ScheduleData) -> dict[str, Any]:
    schedule = schedule_of(row.definition)
    dag = schedule_data.dags.get(dag_id(row.id))
    enabled = enabled_of(dag)
    runs = _runs(row.id, schedule, schedule_data)
    last_good = _good(row.id, schedule_data)
    return {
        "id": row.id,
        "dag_id": dag_id(row.id),
        **_written(row, schedule),
        "origin": row.origin,
        "made": made_of(row),
        "clash": CLASH if row.clash else None,
        "holds": [hold_info(hold, schedule) for hold in schedule_data.holds.get(row.id, ())],
        "state": row.state,
        "protection": protection_info(
            row,
            schedule_data.protections[row.id],
            last=next((run for run in runs if run.status in CONCLUSIVE), None),
        ),
        "enabled": enabled,
        "problems": [load_problem(item) for item in row.problems],
        "next_run": (
            next_run(
                schedule,
                row.definition,
                now=schedule_data.now,
                holds=holds_on(schedule_data.holds, row.id),
            )
            if schedule is not None and enabled
            else None
        ),
        "waits": schedule_data.waits.get(row.id) if enabled else None,
        "active_run": _active(row.id, runs, schedule_data),
        "last_run": next((run for run in runs if run.status.is_final), None),
        "last_good": last_good,
        "last_verified": _verified(schedule_data.verified.get(row.id)),
        "alert_after": _seconds(schedule.alert_after if schedule is not None else None),
    }


def made_of(row: Row) -> SavedBy | None:
    """Say who saved a schedule, where it was saved here."""
    saved = row.made
    if saved is None:
        return None
    return SavedBy(version=saved.version, author=saved.author, saved_at=saved.created_at)


def hold_info(hold: Hold, schedule: Schedule | None) -> HoldInfo:
    """Show a hold."""
    return HoldInfo(
        id=hold.id,
        kind=hold.kind,
        until=hold.until,
        reason=hold.reason,
        author=hold.created_by,
        since=hold.created_at,
        text=hold_text(hold, schedule.timezone if schedule is not None else "UTC"),
    )


def _written(row: Row, schedule: Schedule | None) -> dict[str, Any]:
    if schedule is None:
        return {}
    return {
        "description": schedule.description,
        "group": schedule.group,
        "tags": schedule.tags,
        "engine": row.definition["source"]["engine"],
        "source": schedule.source.summary(),
        "rhythms": rhythms(schedule),
        "timezone": schedule.timezone,
    }


def protection_info(row: Row, found: Protection, *, last: RunSummary | None) -> ProtectionInfo:
    """Show how safe a schedule is; ``last`` is its newest run that completed or failed, as Airflow knows it too."""
    first = next(iter(row.problems), None)
    has_failed = last is not None and last.status is ExecutionStatus.FAILED
    hint = _hint(first)
    if hint is None and has_failed and last is not None:
        hint = last.hint
    if hint is None and found.state is ProtectionState.LATE:
        hint = "is it enabled, and the scheduler running?"
    return ProtectionInfo(
        state=found.state,
        reason=found.reason,
        hint=hint,
        since=found.since,
        late_at=found.late_at,
        deadline=found.deadline.total_seconds(),
        failures_in_row=found.failures_in_row,
        needs_attention=found.needs_attention or has_failed,
    )


def subject_of(row: Row, enabled: bool | None) -> Subject:
    """Return a schedule as protection is judged of it."""
    first = next(iter(row.problems), None)
    is_old = row.state is State.LAST_KNOWN_GOOD
    return Subject(
        id=row.id,
        schedule=schedule_of(row.definition),
        enabled=enabled,
        rejected=_message(first, "it is wrong") if row.state is State.REJECTED else None,
        outdated=_message(first, "what is in the file is wrong") if is_old else None,
    )


def enabled_of(dag: AirflowDag | None) -> bool | None:
    """Whether a schedule's DAG is switched on; None where there is none."""
    return None if dag is None or dag.stale else not dag.paused


def _message(first: Mapping[str, Any] | None, otherwise: str) -> str:
    return otherwise if first is None else str(first["message"])


def _hint(first: Mapping[str, Any] | None) -> str | None:
    return None if first is None else first.get("hint")


def _runs(
    schedule_id: str, schedule: Schedule | None, schedule_data: ScheduleData
) -> list[RunSummary]:
    return history(
        schedule_data.past.get(schedule_id, ()),
        schedule_data.airflow_runs.get(dag_id(schedule_id), ()),
        now=schedule_data.now,
        progress=schedule_data.progress,
        orders=schedule_data.orders,
        schedule=schedule,
    )


def _active(
    schedule_id: str, runs: Sequence[RunSummary], schedule_data: ScheduleData
) -> RunSummary | None:
    """Return the oldest run that is not over: the one that works while others queue behind it."""
    airflow_runs = schedule_data.airflow_runs.get(dag_id(schedule_id), ())
    going = {run.run_id for run in airflow_runs if run.active}
    return next(
        (run for run in reversed(runs) if run.run_id in going and not run.status.is_final), None
    )


def _good(schedule_id: str, schedule_data: ScheduleData) -> RunSummary | None:
    execution = schedule_data.last_good.get(schedule_id)
    return None if execution is None else from_execution(execution, now=schedule_data.now)


def _verified(found: Verified | None) -> LastVerified | None:
    return None if found is None else LastVerified(at=found.at, level=found.level)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def load_problem(given: Mapping[str, Any]) -> LoadProblem:
    """Show one problem of a schedules file."""
    return LoadProblem.model_validate({name: given.get(name) for name in LoadProblem.model_fields})
