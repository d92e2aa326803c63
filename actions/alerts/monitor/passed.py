"""
Slots that pass while a run of the same schedule goes on: its history says so, one row for each, and no storm of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import PASSED, Execution
from airflow_backup.core.words import Trigger
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.fire_times import upcoming
from airflow_backup.schedules.times.holds import Hold, holds_on
from airflow_backup.schedules.times.start_policy import local_text

MOST = 10
"""Rows for the slots that pass during one run; those after them are one row, with their number."""

WALKED = 1000
_GRACE = timedelta(minutes=5)
"""A slot so young may still begin: Airflow needs a moment."""

_LOOKED_BACK = timedelta(hours=1)
_RUNS = 30


def note_passed(catalog: Catalog, subjects: Iterable[Subject], *, now: datetime) -> None:
    """Note the slots that passed while a run goes on, or went on until a while ago."""
    timed = {
        each.id: each.schedule
        for each in subjects
        if each.schedule is not None and not each.schedule.after and each.enabled is not False
    }
    holds = catalog.holds.all_active(now=now)
    for name, last in catalog.executions.last_begun(timed).items():
        if _is_over_for_long(last, now):
            continue
        for run in catalog.executions.history(name, limit=_RUNS, passed=False):
            if run.attempts and not _is_over_for_long(run, now):
                slots = slots_during(timed[name], run, holds=holds_on(holds, name), now=now)
                _note(catalog, timed[name], run, slots, now=now)


def slots_during(
    schedule: Schedule, run: Execution, *, holds: Sequence[Hold] = (), now: datetime
) -> list[datetime]:
    """
    List the slots that passed without a run while ``run`` went on, no more than ``WALKED``.

    Where a missed slot is made up for, the latest of them is not among them.
    """
    is_made_up = schedule.missed == "run_once"
    waited = run.trigger is Trigger.SCHEDULE and not is_made_up  # it may have waited for its window
    begun = run.run_at if waited else (run.started_at or run.since)
    until = min(run.finished_at or now, now - _GRACE)
    fires = upcoming(schedule, after=begun, count=WALKED, holds=holds, until=until)
    slots = [fire.at for fire in fires if fire.skipped is None and fire.at < until]
    return slots[:-1] if is_made_up else slots


def _is_over_for_long(run: Execution, now: datetime) -> bool:
    return run.status.is_final and now - (run.finished_at or run.since) > _LOOKED_BACK


def _note(
    catalog: Catalog,
    schedule: Schedule,
    run: Execution,
    slots: Sequence[datetime],
    *,
    now: datetime,
) -> None:
    why = f"still running: the run of {local_text(run.run_at, schedule.timezone)}"
    for slot in slots[:MOST]:
        _skip(catalog, schedule, f"{PASSED}{slot.isoformat()}", slot, why, now=now)
    more = slots[MOST:]
    if more:
        count = f"{len(more)} or more" if len(slots) == WALKED else str(len(more))
        last = local_text(more[-1], schedule.timezone)
        name = f"{PASSED}{more[0].isoformat()}__more"
        _skip(catalog, schedule, name, more[0], f"{why}; {count} slots, the last {last}", now=now)


def _skip(
    catalog: Catalog, schedule: Schedule, run_id: str, slot: datetime, why: str, *, now: datetime
) -> None:
    catalog.skips.note(
        schedule.id, run_id, run_at=slot, trigger=Trigger.SCHEDULE, at=now, reason=why
    )
