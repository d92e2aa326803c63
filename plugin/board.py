"""
Everything the list and the status page say, put together from the catalog and from Airflow.

``Material`` is what was read; the functions below are pure, and the clock is an argument.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_backup.catalog.records import Deployed, Execution
from airflow_backup.core.durations import format_duration
from airflow_backup.core.ids import dag_id
from airflow_backup.core.words import ExecutionStatus
from airflow_backup.plugin.executions import from_execution, from_facts, history
from airflow_backup.plugin.facts import DagFacts, RunFacts
from airflow_backup.plugin.models import (
    Condition,
    LoadProblem,
    Permissions,
    Run,
    ScheduleDetail,
    ScheduleSummary,
    State,
)
from airflow_backup.plugin.rhythms import next_run, rhythms, schedule_of
from airflow_backup.schedules.model import Schedule
from airflow_backup.schedules.sources import describe

_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/@]*@")


@dataclass(frozen=True)
class Material:
    """What was read about some schedules."""

    now: datetime
    deployed: list[Deployed]
    dags: Mapping[str, DagFacts]
    active: Mapping[str, RunFacts]
    """The oldest queued or running run, by DAG id."""
    newest: Mapping[str, RunFacts]
    """The newest run, by DAG id."""
    last: Mapping[str, Execution]
    """The newest execution, by schedule id."""
    last_good: Mapping[str, Execution]
    """The newest completed execution, by schedule id."""
    executions: Mapping[str, Execution] = field(default_factory=dict)
    """Those of the active runs, by run id."""
    progress: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By run id."""


def summary(row: Deployed, material: Material, *, permissions: Permissions) -> ScheduleSummary:
    """Say how one schedule is."""
    return ScheduleSummary(**_fields(row, material), permissions=permissions)


def detail(row: Deployed, material: Material, *, permissions: Permissions) -> ScheduleDetail:
    """Say how one schedule is, and what was written about it."""
    definition = without_passwords(row.definition)
    return ScheduleDetail(
        **_fields(row, material),
        permissions=permissions,
        definition=definition,
        repository=definition.get("repository"),
    )


def _fields(row: Deployed, material: Material) -> dict[str, Any]:
    schedule = schedule_of(row.definition)
    dag = material.dags.get(dag_id(row.id))
    enabled = None if dag is None or dag.stale else not dag.paused
    active = _active(row.id, material)
    last = _last(row.id, material)
    last_good = _good(row.id, material)
    state = State(str(row.state))
    condition, reason, hint = judge(
        state, enabled, schedule, last, last_good, now=material.now, problems=row.problems
    )
    return {
        "id": row.id,
        "dag_id": dag_id(row.id),
        **_written(row, schedule),
        "origin": _origin(row),
        "state": state,
        "condition": condition,
        "condition_reason": reason,
        "condition_hint": hint,
        "enabled": enabled,
        "problems": [load_problem(item) for item in row.problems],
        "next_run": (
            next_run(schedule, row.definition, now=material.now)
            if schedule is not None and enabled
            else None
        ),
        "active_run": active,
        "last_run": last,
        "last_good": last_good,
        "alert_after": _seconds(schedule.alert_after if schedule is not None else None),
    }


def _written(row: Deployed, schedule: Schedule | None) -> dict[str, Any]:
    if schedule is None:
        return {"description": row.definition.get("description")}
    return {
        "description": schedule.description,
        "group": schedule.group,
        "tags": schedule.tags,
        "engine": schedule.source.engine,
        "source": describe(schedule.source),
        "rhythms": rhythms(schedule),
        "timezone": schedule.timezone,
    }


def judge(
    state: State,
    enabled: bool | None,
    schedule: Schedule | None,
    last: Run | None,
    last_good: Run | None,
    *,
    now: datetime,
    problems: Iterable[Mapping[str, Any]] = (),
) -> tuple[Condition, str | None, str | None]:
    """
    Name the condition of a schedule, why, and what to try; the worst one wins.

    A failure stays in sight when the schedule is disabled: a backup that stopped by itself after
    failing must not look as if somebody had wanted it so.
    """
    first = next(iter(problems), None)
    if state is State.REJECTED:
        return Condition.REJECTED, _message(first, "the schedule is wrong, and nothing runs"), _hint(first)
    if last is not None and last.status is ExecutionStatus.FAILED:
        return Condition.FAILED, last.error or last.reason or "the last backup failed", last.hint
    late = _late(schedule, last_good, now)
    if late is not None:
        return Condition.STALE, late, "is the schedule enabled, and the scheduler running?"
    if state is State.LAST_KNOWN_GOOD:
        reason = _message(first, "what is in the file is wrong")
        return Condition.OUTDATED, f"the version before keeps running: {reason}", _hint(first)
    if enabled is False:
        return Condition.DISABLED, None, None
    if last_good is None:
        return Condition.WAITING, None, None
    return Condition.PROTECTED, None, None


def _late(schedule: Schedule | None, last_good: Run | None, now: datetime) -> str | None:
    limit = schedule.alert_after if schedule is not None else None
    if limit is None or last_good is None or last_good.finished_at is None:
        return None
    age = now - last_good.finished_at
    if age <= limit:
        return None
    return f"the last good backup is {_age(age)} old; the limit is {format_duration(limit)}"


def _age(age: timedelta) -> str:
    """
    Say how old something is, without false precision.

    >>> _age(timedelta(days=2, hours=3, minutes=4, seconds=5)), _age(timedelta(minutes=4, seconds=5))
    ('2d3h', '4m')
    """
    unit = timedelta(hours=1) if age >= timedelta(days=1) else timedelta(minutes=1)
    return format_duration(age // unit * unit)


def _message(first: Mapping[str, Any] | None, otherwise: str) -> str:
    return otherwise if first is None else str(first["message"])


def _hint(first: Mapping[str, Any] | None) -> str | None:
    return None if first is None else first.get("hint")


def _active(schedule_id: str, material: Material) -> Run | None:
    facts = material.active.get(dag_id(schedule_id))
    if facts is None:
        return None
    execution = material.executions.get(facts.run_id)
    return history(
        [] if execution is None else [execution], [facts], now=material.now, progress=material.progress
    )[0]


def _last(schedule_id: str, material: Material) -> Run | None:
    """Return the newest run that is over."""
    execution = material.last.get(schedule_id)
    facts = material.newest.get(dag_id(schedule_id))
    if facts is not None and facts.active:
        facts = None
    if execution is None:
        return None if facts is None else from_facts(facts, now=material.now)
    if facts is None:
        return from_execution(execution, now=material.now)
    return history([execution], [facts], now=material.now)[0]


def _good(schedule_id: str, material: Material) -> Run | None:
    execution = material.last_good.get(schedule_id)
    return None if execution is None else from_execution(execution, now=material.now)


def _origin(row: Deployed) -> str:
    return f"{row.file}:{row.line}"


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def load_problem(given: Mapping[str, Any]) -> LoadProblem:
    """Show one problem of a schedules file."""
    return LoadProblem(**{name: given.get(name) for name in LoadProblem.model_fields})


def without_passwords(definition: Mapping[str, Any]) -> dict[str, Any]:
    """
    Leave out what stands between ``:`` and ``@`` of a URL.

    >>> without_passwords({"repository": "sftp://backup:s3cret@vault/srv"})
    {'repository': 'sftp://backup:***@vault/srv'}
    """

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return _PASSWORD.sub(r"\1:***@", value)
        if isinstance(value, Mapping):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, list):
            return [clean(item) for item in value]
        return value

    return {key: clean(value) for key, value in definition.items()}
