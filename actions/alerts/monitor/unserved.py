"""Does Airflow serve anything? As far as the catalog can tell, for the day on which nobody else can. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog.notices.monitor_state import LastCheck
from airflow_backup.core.text.durations import spoken
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.fire_times import upcoming
from airflow_backup.schedules.times.holds import Hold, holds_on

PERIOD = timedelta(minutes=5)
"""How often Airflow's own monitor looks, where nothing else is said."""

GRACE = timedelta(minutes=15)
"""How long a slot may wait for its run before somebody asks why."""

_SHOWN = 3
_MANY = 200
HINT = "is 'airflow scheduler' running? airflow jobs check --job-type SchedulerJob"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """A run that was due, and has not begun."""

    schedule_id: str
    due_at: datetime


def overdue(
    subjects: Iterable[Subject],
    *,
    served: Mapping[str, datetime],
    since: datetime,
    holds: Mapping[str, Sequence[Hold]],
    now: datetime,
) -> list[Overdue]:
    """
    List the runs that were due and have not begun, the oldest of each schedule, the oldest first.

    ``served`` is when each schedule last ran, was enabled or seen first; nothing before ``since`` is looked at.
    """
    found = []
    for subject in subjects:
        schedule = subject.schedule
        if schedule is None or schedule.after or subject.enabled is False:
            continue
        after = max(served.get(subject.id, since), since)
        first = _first_due(schedule, holds_on(holds, subject.id), after=after, until=now - GRACE)
        if first is not None:
            found.append(Overdue(schedule_id=subject.id, due_at=first))
    return sorted(found, key=lambda each: (each.due_at, each.schedule_id))


def _first_due(
    schedule: Schedule, holds: Sequence[Hold], *, after: datetime, until: datetime
) -> datetime | None:
    for count in (1, _MANY):  # of most the next run is still to come
        for each in upcoming(schedule, after=after, count=count, holds=holds):
            if each.at > until:
                return None
            if each.opens_at is not None and each.opens_at <= until:
                return each.opens_at
    return None


def silence(
    late: Sequence[Overdue],
    *,
    last_check: LastCheck | None,
    last_run: datetime | None,
    now: datetime,
) -> str | None:
    """
    Say why Airflow seems to serve nothing, in words; None where it seems well.

    Its own monitor is the best witness: two looks of it that are missing tell. Where it never looked, it is slots that
    passed while nothing began.

    >>> from datetime import UTC
    >>> now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    >>> silence([], last_check=LastCheck(now - timedelta(minutes=17), PERIOD), last_run=None, now=now)
    'the DAG backup_monitor has not run for 17 minutes'
    """
    if last_check is not None and last_check.at <= now + GRACE:  # else its clock was wrong
        silent = now - last_check.at
        if silent <= 2 * (last_check.every or PERIOD):
            return None
        words = f"the DAG backup_monitor has not run for {spoken(silent)}"
        return f"{words}, and {_runs(late)}" if late else words
    passed = [each for each in late if last_run is None or each.due_at > last_run]
    return _runs(passed) if passed else None


def _runs(late: Sequence[Overdue]) -> str:
    names = ", ".join(each.schedule_id for each in late[:_SHOWN])
    if len(late) > _SHOWN:
        names += f" and {len(late) - _SHOWN} more"
    since = f"{late[0].due_at:%Y-%m-%d %H:%M} UTC"
    if len(late) == 1:
        return f"1 run that was due has not begun: {names}, since {since}"
    return f"{len(late)} runs that were due have not begun: {names}; the first since {since}"
