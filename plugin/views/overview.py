"""The first thing a person reads: is everything protected, and if not, what needs attention? Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import itemgetter

from airflow_backup import __version__
from airflow_backup.catalog.records import Hold, LoadError
from airflow_backup.core.words import ProtectionState
from airflow_backup.plugin.airflow.records import AirflowProcess
from airflow_backup.plugin.schemas.schedules import FileProblem, UpcomingRun
from airflow_backup.plugin.schemas.status import (
    Age,
    Component,
    CoverageCounts,
    LocalPlace,
    Maintenance,
    Status,
)
from airflow_backup.plugin.views.briefs import Listed
from airflow_backup.schedules.loading.spread import LocalThing

_NEXT = 3

_HINTS = {
    "scheduler": "nothing starts without it; is 'airflow scheduler' running?",
    "triggerer": "backups that wait for their window stay there; is 'airflow triggerer' running?",
    "dag_processor": "changes to schedules are not seen; is 'airflow dag-processor' running?",
}


def overview(
    schedules: Sequence[Listed],
    problems: list[FileProblem],
    components: Iterable[AirflowProcess],
    *,
    now: datetime,
    local: Iterable[LocalThing] = (),
    maintenance: Hold | None = None,
    may_maintain: bool = False,
    covered: CoverageCounts | None = None,
) -> Status:
    """Put the status together."""
    processes = [component_of(process) for process in components]
    counts = Counter(schedule.protection.state for schedule in schedules)
    dead = sum(process.healthy is False for process in processes)
    shown = {schedule.id for schedule in schedules}
    homeless = [problem for problem in problems if problem.schedule_id not in shown]
    places = [LocalPlace(message=each.message, hint=each.hint) for each in local]
    troubled = sum(schedule.protection.needs_attention for schedule in schedules)
    return Status(
        now=now,
        version=__version__,
        healthy=not dead,
        components=processes,
        local_places=places,
        total=len(schedules),
        protection={state: counts[state] for state in ProtectionState},
        disabled=sum(schedule.enabled is False for schedule in schedules),
        running=sum(schedule.active_run is not None for schedule in schedules),
        maintenance=maintenance_info(maintenance),
        may_maintain=may_maintain,
        attention=troubled + len(homeless) + dead + len(places),
        troubled=troubled,
        oldest_good=oldest_good(schedules, now=now),
        next_runs=next_runs(schedules),
        load_problems=problems,
        coverage=covered,
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
    named = {error.schedule_id for error in found if error.schedule_id is not None}
    allowed = readable(named) if named else named
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


def oldest_good(schedules: Iterable[Listed], *, now: datetime) -> Age | None:
    """Find the enabled schedule whose last good set is worst: by its share of the limit, else by age."""
    aged = [
        (schedule, good.finished_at)
        for schedule in schedules
        if schedule.enabled and (good := schedule.last_good) is not None and good.finished_at
    ]

    def badness(item: tuple[Listed, datetime]) -> tuple[float, float]:
        seconds, limit = _seconds(now, item[1]), item[0].protection.deadline
        return (seconds / limit if limit else 0.0, seconds)

    worst = max(aged, key=badness, default=None)
    if worst is None:
        return None
    schedule, at = worst
    limit = schedule.protection.deadline
    return Age(schedule_id=schedule.id, at=at, seconds=_seconds(now, at), limit=limit)


def _seconds(now: datetime, at: datetime) -> float:
    return max(0.0, (now - at).total_seconds())


def next_runs(schedules: Iterable[Listed]) -> list[UpcomingRun]:
    """List the three runs that come next."""
    coming = [
        (found.opens_at or found.at, schedule.id, found, schedule.timezone)
        for schedule in schedules
        if (found := schedule.next_run) is not None and found.skipped is None
    ]
    return [
        UpcomingRun(schedule_id=name, timezone=timezone, **found.model_dump())
        for _, name, found, timezone in heapq.nsmallest(_NEXT, coming, key=itemgetter(0, 1))
    ]


def component_of(process: AirflowProcess) -> Component:
    """Say how a process of Airflow is."""
    return Component(
        name=process.name,
        healthy=process.healthy,
        heartbeat=process.heartbeat,
        hint=_HINTS.get(process.name) if process.healthy is False else None,
    )
