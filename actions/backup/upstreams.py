"""Schedules that run after others: for what they wait, and what became of the runs that they waited for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.rules.upstreams import (
    Upstream,
    is_refusal,
    outcome_text,
    why_it_waits,
)
from airflow_backup.catalog.run_records import Execution
from airflow_backup.core.words import Trigger
from airflow_backup.schedules.model.schedule import Schedule

_LOOKED_BACK = timedelta(days=1)
_RUNS = 20


def waits(
    schedules: Iterable[Schedule], catalog: Catalog, *, known: Collection[str], now: datetime
) -> dict[str, str]:
    """
    Say of each schedule that runs after others for what it waits, by its id; who waits for nothing is not in it.

    ``known`` are the ids of all schedules that there are.
    """
    asked = [each for each in schedules if each.after]
    ids = {each.id for each in asked} | {name for each in asked for name in each.after}
    if not ids:
        return {}
    last, begun = catalog.executions.last(ids), catalog.executions.last_begun(ids)
    completed = catalog.executions.last_completed(ids)
    found = {}
    for each in asked:
        own = begun.get(each.id)
        if own is not None and not own.status.is_final:
            continue
        upstreams = [
            Upstream(
                id=name,
                exists=name in known,
                last=_newest(last, begun, name),
                completed=completed.get(name),
            )
            for name in each.after
        ]
        why = why_it_waits(upstreams, since=None if own is None else own.since, now=now)
        if why is not None:
            found[each.id] = f"waits: {why}"
    return found


def _newest(
    last: Mapping[str, Execution], begun: Mapping[str, Execution], name: str
) -> Execution | None:
    """Return what an upstream is at: what works counts more than what was skipped meanwhile."""
    works = begun.get(name)
    return works if works is not None and not works.status.is_final else last.get(name)


def note_refusals(catalog: Catalog, subjects: Iterable[Subject], *, now: datetime) -> None:
    """Note in the history of each schedule what kept it from running: the upstreams that failed, or were skipped."""
    asked = list(subjects)
    for subject in asked:
        schedule = subject.schedule
        if schedule is None or not schedule.after or subject.enabled is False:
            continue
        first = catalog.standings.first_seen([schedule.id]).get(schedule.id, now)
        for name in schedule.after:
            for run in catalog.executions.history(name, limit=_RUNS, passed=False):
                ended = run.finished_at or run.since
                if is_refusal(run) and ended > max(first, now - _LOOKED_BACK):
                    catalog.skips.note(
                        schedule.id,
                        f"after__{name}__{run.run_id}"[:250],
                        run_at=run.run_at,
                        since=ended,
                        trigger=Trigger.DEPENDENCY,
                        at=ended,
                        reason=outcome_text(name, run),
                    )
