"""When a schedule runs: in words for people, and the coming runs, remembered while they are true."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any

from pydantic import ValidationError

from airflow_backup.catalog.definitions import StoredDefinition
from airflow_backup.core.text.durations import format_duration
from airflow_backup.core.words import Kind
from airflow_backup.plugin.schemas.schedules import NextRun, Rhythm
from airflow_backup.plugin.views.cron_words import describe
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.fire_times import (
    Fire,
    fires_until,
    first_to_start,
    held_back,
    upcoming,
)
from airflow_backup.schedules.times.holds import Hold, hold_text, maintenance_of

MOST = 200
"""How many coming runs anybody may ask for."""

_LOOK_PAST_SKIPPED = 60


def schedule_of(definition: Mapping[str, Any]) -> Schedule | None:
    """Read a definition; None when it is empty, or of a version of this package that we do not understand."""
    if isinstance(definition, StoredDefinition):
        return definition.schedule
    return _schedule(json.dumps(definition, sort_keys=True))


def rhythms(schedule: Schedule) -> list[Rhythm]:
    """Say when each kind is taken."""
    kind = schedule.kind or Kind.FULL
    if schedule.after:
        names = ", ".join(schedule.after)
        return [Rhythm(kind=kind, when=f"after {names}", text=f"When {names} has completed")]
    if schedule.every is not None:
        span = format_duration(schedule.every)
        return [Rhythm(kind=kind, when=f"every {span}", text=f"Every {span}")]
    return [
        Rhythm(kind=kind, when=cron, text=describe(cron)) for kind, cron in schedule.crons().items()
    ]


def coming(
    schedule: Schedule,
    *,
    after: datetime,
    count: int,
    holds: Sequence[Hold] = (),
    until: datetime | None = None,
) -> list[NextRun]:
    """List the coming runs of a schedule, with window, calendars and holds applied."""
    return [
        _shown(fire)
        for fire in upcoming(
            schedule, after=after, count=min(count, MOST), holds=holds, until=until
        )
    ]


def coming_until(
    schedule: Schedule,
    definition: Mapping[str, Any],
    *,
    now: datetime,
    until: datetime,
    holds: Sequence[Hold] = (),
) -> list[NextRun]:
    """List the coming runs until a moment, at most MOST. Reckoned once, then remembered until they have come."""
    remembered = definition.remembered if isinstance(definition, StoredDefinition) else {}
    since, end, fires = remembered.get("fires", (now, now, ()))
    if now < since:
        end, fires = now, ()
    fires = [fire for fire in fires if fire.at > now]
    if until > end and len(fires) < MOST:
        more = fires_until(schedule, after=max(now, end), until=until)
        fires += islice(more, MOST - len(fires))
        end = until if len(fires) < MOST else fires[-1].at
    remembered["fires"] = (now, end, fires)
    wanted = [fire for fire in fires if fire.at <= until]
    return [_shown(fire) for fire in held_back(schedule, wanted, holds)]


def _shown(fire: Fire) -> NextRun:
    return NextRun(at=fire.at, kind=fire.kind, opens_at=fire.opens_at, skipped=fire.skipped)


def next_run(
    schedule: Schedule,
    definition: Mapping[str, Any],
    *,
    now: datetime,
    holds: Sequence[Hold] = (),
) -> NextRun | None:
    """
    Return the next run that will happen; one that is skipped only where all near ones are.

    Reckoned once, then remembered until its moment has come.
    """
    maintenance = maintenance_of(holds)
    if maintenance is not None and maintenance.until is None:
        found = next_run(schedule, definition, now=now)
        why = hold_text(maintenance, schedule.timezone)
        return None if found is None else NextRun(at=found.at, kind=found.kind, skipped=why)
    if holds:
        return _soonest(schedule, now, holds)
    remembered = definition.remembered if isinstance(definition, StoredDefinition) else {}
    since, found = remembered.get("next_run", (now, None))
    if found is None or found.at <= now or now < since:
        found = _soonest(schedule, now)
        if found is not None:
            remembered["next_run"] = (now, found)
    return found


def _soonest(schedule: Schedule, now: datetime, holds: Sequence[Hold] = ()) -> NextRun | None:
    fire = first_to_start(schedule, after=now, among=_LOOK_PAST_SKIPPED, holds=holds)
    return None if fire is None else _shown(fire)


@lru_cache(maxsize=4096)
def _schedule(text: str) -> Schedule | None:
    try:
        return Schedule.model_validate_json(text)
    except ValidationError:
        return None
