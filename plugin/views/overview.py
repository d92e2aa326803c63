"""The first thing a person reads: is everything protected, and if not, what needs attention? Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from airflow_backup import __version__
from airflow_backup.catalog.records import Hold, LoadError
from airflow_backup.core.words import ProtectionState
from airflow_backup.plugin.airflow.records import AirflowProcess
from airflow_backup.plugin.schemas.schedules import (
    FileProblem,
    ScheduleSummary,
    UpcomingRun,
)
from airflow_backup.plugin.schemas.status import Age, Component, Maintenance, Status

_NEXT = 3

_HINTS = {
    "scheduler": "nothing starts without it; is 'airflow scheduler' running?",
    "triggerer": "backups that wait for their window stay there; is 'airflow triggerer' running?",
    "dag_processor": "changes to schedules are not seen; is 'airflow dag-processor' running?",
}


def overview(
    schedules: Sequence[ScheduleSummary],
    problems: list[FileProblem],
    components: Iterable[AirflowProcess],
    *,
    now: datetime,
    maintenance: Hold | None = None,
    may_maintain: bool = False,
) -> Status:
    """Put the status together."""
    processes = [component_of(process) for process in components]
    counts = Counter(schedule.protection.state for schedule in schedules)
    dead = sum(process.healthy is False for process in processes)
    shown = {schedule.id for schedule in schedules}
    homeless = [problem for problem in problems if problem.schedule_id not in shown]
    troubled = sum(schedule.protection.needs_attention for schedule in schedules)
    return Status(
        now=now,
        version=__version__,
        healthy=not dead,
        components=processes,
        total=len(schedules),
        protection={state: counts[state] for state in ProtectionState},
        disabled=sum(schedule.enabled is False for schedule in schedules),
        running=sum(schedule.active_run is not None for schedule in schedules),
        maintenance=maintenance_info(maintenance),
        may_maintain=may_maintain,
        attention=troubled + len(homeless) + dead,
        troubled=troubled,
        oldest_good=oldest_good(schedules, now=now),
        next_runs=next_runs(schedules),
        load_problems=problems,
    )


def maintenance_info(hold: Hold | None) -> Maintenance | None:
    """Show a maintenance."""
    if hold is None:
        return None
    return Maintenance(
        since=hold.created_at, until=hold.until, author=hold.created_by, reason=hold.reason
    )


def file_problems(
    errors: Iterable[LoadError], *, readable: Callable[[set[str]], set[str]], all_files: bool
) -> list[FileProblem]:
    """Keep the problems that the user may read: those of readable schedules, and of whole files."""
    found = list(errors)
    allowed = readable({error.schedule_id for error in found if error.schedule_id is not None})
    return [
        FileProblem(
            schedule_id=error.schedule_id,
            file=error.file,
            line=error.line,
            column=error.column,
            path=error.path,
            message=error.message,
            hint=error.hint,
        )
        for error in found
        if (all_files if error.schedule_id is None else error.schedule_id in allowed)
    ]


def oldest_good(schedules: Iterable[ScheduleSummary], *, now: datetime) -> Age | None:
    """Find the enabled schedule whose last good set is worst: by its share of the limit, else by age."""
    ages = [
        Age(
            schedule_id=schedule.id,
            at=schedule.last_good.finished_at,
            seconds=max(0.0, (now - schedule.last_good.finished_at).total_seconds()),
            limit=schedule.protection.deadline,
        )
        for schedule in schedules
        if schedule.enabled and schedule.last_good is not None and schedule.last_good.finished_at
    ]
    return max(ages, key=_badness, default=None)


def _badness(age: Age) -> tuple[float, float]:
    return (age.seconds / age.limit if age.limit else 0.0, age.seconds)


def next_runs(schedules: Iterable[ScheduleSummary]) -> list[UpcomingRun]:
    """List the three runs that come next."""
    coming = [
        UpcomingRun(
            schedule_id=schedule.id,
            timezone=schedule.timezone,
            **schedule.next_run.model_dump(),
        )
        for schedule in schedules
        if schedule.next_run is not None and schedule.next_run.skipped is None
    ]
    return sorted(coming, key=lambda run: (run.opens_at or run.at, run.schedule_id))[:_NEXT]


def component_of(process: AirflowProcess) -> Component:
    """Say how a process of Airflow is."""
    return Component(
        name=process.name,
        healthy=process.healthy,
        heartbeat=process.heartbeat,
        hint=_HINTS.get(process.name) if process.healthy is False else None,
    )
