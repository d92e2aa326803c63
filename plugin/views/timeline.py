"""The coming hours: which schedule runs when, for how long, and when its window is open. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from airflow_backup.catalog.records import Hold
from airflow_backup.plugin.schemas.calendar import Lane, OpenSpan, Timeline
from airflow_backup.plugin.schemas.schedules import NextRun
from airflow_backup.plugin.views.rhythms import coming_until, next_run, schedule_of
from airflow_backup.plugin.views.rows import Row
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.windows import openings
from airflow_backup.schedules.times.holds import holds_on

FEW_LANES, MOST_LANES = 40, 500
MOST_RUNS = 20_000
"""Of all lanes together: what a page can still draw."""


def timeline(
    rows: Sequence[Row],
    *,
    now: datetime,
    span: timedelta,
    holds: Mapping[str, Sequence[Hold]],
    durations: Mapping[str, timedelta],
    slots: int | None,
    most: int = FEW_LANES,
) -> Timeline:
    """Lay out the coming runs of enabled schedules, the soonest first; of ``most`` schedules at most."""
    until = now + span
    due: list[tuple[datetime, Row, Schedule]] = []
    for row in rows:
        schedule = schedule_of(row.definition)
        first = None if schedule is None else next_run(schedule, row.definition, now=now)
        if schedule is not None and first is not None and first.at <= until:
            due.append((first.at, row, schedule))
    due.sort(key=lambda item: (item[0], item[1].id))
    lanes = (
        _lane(
            schedule,
            row.definition,
            now=now,
            until=until,
            holds=holds_on(holds, row.id),
            expected=durations.get(row.id),
        )
        for _, row, schedule in due[:most]
    )
    return Timeline(
        now=now, until=until, slots=slots, total=len(due), lanes=list(_while_few_runs(lanes))
    )


def _while_few_runs(lanes: Iterable[Lane]) -> Iterator[Lane]:
    room = MOST_RUNS
    for lane in lanes:
        room -= len(lane.runs)
        if room < 0:
            return
        yield lane


def _lane(
    schedule: Schedule,
    definition: Mapping[str, Any],
    *,
    now: datetime,
    until: datetime,
    holds: Sequence[Hold],
    expected: timedelta | None,
) -> Lane:
    runs: list[NextRun] = coming_until(schedule, definition, now=now, until=until, holds=holds)
    return Lane(
        schedule_id=schedule.id,
        group=schedule.group,
        engine=schedule.source.engine,
        timezone=schedule.timezone,
        expected=None if expected is None else expected.total_seconds(),
        windows=_open_spans(schedule, now, until),
        runs=[run for run in runs if (run.opens_at or run.at) <= until],
    )


def _open_spans(schedule: Schedule, now: datetime, until: datetime) -> list[OpenSpan]:
    if not schedule.window:
        return []
    return [
        OpenSpan(opens_at=max(opening.opens_at, now), closes_at=min(opening.closes_at, until))
        for opening in openings(schedule.window, now, timezone=schedule.timezone)
        if opening.closes_at > now and opening.opens_at < until
    ]
