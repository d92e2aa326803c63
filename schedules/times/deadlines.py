"""How old the newest good set of a schedule may become before it is late, where nobody wrote it down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.fire_times import upcoming

_REFERENCE = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday; the rhythm of a schedule is the same in any year, but for daylight saving."""

_AT_LEAST_DAYS = 8
"""A week and a day: a rhythm of working days shows its weekend."""

_FEW, _MANY = 3, 1500
_FIRST, _THEN = 11, 100
"""How many runs are asked for at once: for most a week is found at first."""

_DEFAULT = timedelta(days=2)
"""For a schedule that never runs by itself, or follows one that nobody knows."""


def deadline_of(
    schedule: Schedule,
    *,
    others: Mapping[str, Schedule] | None = None,
    usual_duration: timedelta = timedelta(0),
) -> timedelta:
    """
    Return the age at which the newest good set of a schedule is late.

    That is ``objectives.rpo`` (or ``alert_after``) where it is written; else twice the longest gap between two
    runs plus the usual duration of one. A schedule that runs ``after`` others has the longest gap of those;
    ``others`` are all schedules by id.

    >>> source = {"engine": "files", "path": "/srv"}
    >>> def made(**more): return Schedule(id="a", source=source, repository="file:///b", **more)
    >>> str(deadline_of(made(cron="0 2 * * *"))), str(deadline_of(made(every="45m", alert_after="2h")))
    ('2 days, 0:00:00', '2:00:00')
    """
    if schedule.rpo is not None:
        return schedule.rpo
    gap = _gap_of(schedule, others or {}, seen=frozenset())
    return _DEFAULT if gap is None else 2 * gap + usual_duration


def _gap_of(
    schedule: Schedule, others: Mapping[str, Schedule], *, seen: frozenset[str]
) -> timedelta | None:
    if not schedule.after:
        return longest_gap(schedule)
    before = [others[name] for name in schedule.after if name in others and name not in seen]
    gaps = [_gap_of(each, others, seen=seen | {schedule.id}) for each in before]
    return max((gap for gap in gaps if gap is not None), default=None)


def longest_gap(schedule: Schedule) -> timedelta | None:
    """
    Return the longest time between two runs that start, by rhythm and window; None when it runs at most once.

    Calendars do not count: a backup that is left out on a holiday is missing all the same.
    """
    if schedule.every is not None and not schedule.window:
        return schedule.every
    return _longest_gap(schedule.model_dump_json(include=_DECIDING))


_DECIDING = {
    "timezone", "kind", "cron", "every", "preset", "levels", "window", "outside_window",
}  # fmt: skip
_ANY = {"id": "any", "source": {"engine": "files", "path": "/"}, "repository": "file:///any"}
"""What does not decide: one answer serves all schedules of a rhythm."""


@lru_cache(maxsize=8192)
def _longest_gap(text: str) -> timedelta | None:
    schedule = Schedule.model_validate({**json.loads(text), **_ANY})
    starts: list[datetime] = []
    after = _REFERENCE
    enough = _REFERENCE + timedelta(days=_AT_LEAST_DAYS)
    looked_at, at_once = 0, _FIRST
    while looked_at < _MANY and (len(starts) < _FEW or starts[-1] < enough):
        coming = upcoming(schedule, after=after, count=at_once)
        if not coming:
            break
        looked_at, at_once = looked_at + len(coming), _THEN
        after = coming[-1].at
        starts += [each.opens_at for each in coming if each.opens_at is not None]
    return max((later - earlier for earlier, later in pairwise(sorted(set(starts)))), default=None)
