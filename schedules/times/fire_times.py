"""
When a schedule is due: the one answer that preview, page and scheduler share. Pure; the clock is an argument.

Rules for daylight saving, for cron expressions read in local time:

* a time inside the gap runs once, at the first instant after the gap;
* a time that comes twice runs once, the first time;
* an expression that fires in every hour of the day follows real time instead, and runs in every real hour.

``every`` counts real seconds from midnight of 2000-01-01 in the schedule's zone, so it never drifts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import NamedTuple, Protocol

from airflow_backup.core.words import Kind
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.cron_times import next_of_cron, zone_of
from airflow_backup.schedules.times.holds import Hold, hold_text, pause_at, skips
from airflow_backup.schedules.times.start_policy import StartPolicy, decide, start_policy_of

_ANCHOR = datetime(2000, 1, 1)  # noqa: DTZ001  # a wall-clock time; it gets the schedule's zone
_STEP = timedelta(seconds=1)
_COMPLETENESS = {Kind.FULL: 0, Kind.DIFFERENTIAL: 1, Kind.INCREMENTAL: 2, Kind.ARCHIVE_LOG: 3}


class Occurrence(NamedTuple):
    """A moment (UTC) at which a run is due, and the kind it takes."""

    at: datetime
    kind: Kind


class Fire(NamedTuple):
    """A coming run: due ``at``, really starting ``opens_at``, or ``skipped`` for a reason."""

    at: datetime
    kind: Kind
    opens_at: datetime | None
    skipped: str | None


class Rhythm(Protocol):
    """What fire times are computed from; a schedule gives one, and so does the timetable's own state."""

    @property
    def crons(self) -> Mapping[Kind, str]: ...
    @property
    def every(self) -> timedelta | None: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def timezone(self) -> str: ...
    @property
    def offset(self) -> timedelta: ...


class FixedRhythm(NamedTuple):
    """The values that decide when a schedule is due."""

    crons: Mapping[Kind, str]
    every: timedelta | None
    kind: Kind
    timezone: str
    offset: timedelta


def rhythm_of(schedule: Schedule) -> FixedRhythm:
    """Return what decides when ``schedule`` is due."""
    return FixedRhythm(
        crons=schedule.crons(),
        every=schedule.every,
        kind=schedule.kind or Kind.FULL,
        timezone=schedule.timezone,
        offset=jitter_offset(schedule.id, schedule.jitter),
    )


def jitter_offset(schedule_id: str, jitter: timedelta) -> timedelta:
    """
    Return the shift of a schedule, below ``jitter`` and always the same for the same id.

    >>> jitter_offset("wiki", timedelta(minutes=10)) == jitter_offset("wiki", timedelta(minutes=10))
    True
    """
    seconds = int(jitter.total_seconds())
    if seconds <= 0:
        return timedelta(0)
    digest = hashlib.sha256(schedule_id.encode()).digest()
    return timedelta(seconds=int.from_bytes(digest[:8], "big") % seconds)


def next_occurrence(rhythm: Rhythm, after: datetime) -> Occurrence | None:
    """
    Return the first moment later than ``after`` (aware) at which a run is due; None when it never is.

    When several kinds are due at once, the most complete one runs.

    >>> crons = {Kind.FULL: "0 2 * * sun", Kind.INCREMENTAL: "0 2 * * *"}
    >>> sundays = FixedRhythm(crons, None, Kind.FULL, "UTC", timedelta(0))
    >>> next_occurrence(sundays, datetime(2026, 11, 21, 12, tzinfo=UTC))
    Occurrence(at=datetime.datetime(2026, 11, 22, 2, 0, tzinfo=datetime.timezone.utc), kind=<Kind.FULL: 'full'>)
    """
    # Airflow hands over pendulum's datetimes, whose arithmetic differs from the standard library's.
    base = datetime.fromtimestamp(after.timestamp(), UTC) - rhythm.offset
    if rhythm.every is not None:
        return Occurrence(
            _next_interval(rhythm.every, rhythm.timezone, base) + rhythm.offset, rhythm.kind
        )
    found = [
        Occurrence(next_of_cron(cron, rhythm.timezone, base) + rhythm.offset, kind)
        for kind, cron in rhythm.crons.items()
    ]
    return min(
        found, key=lambda occurrence: (occurrence.at, _COMPLETENESS[occurrence.kind]), default=None
    )


def occurrences(rhythm: Rhythm, after: datetime) -> Iterator[Occurrence]:
    """Walk the moments at which a run is due, later than ``after``; endless unless it never is."""
    occurrence = next_occurrence(rhythm, after)
    while occurrence is not None:
        yield occurrence
        occurrence = next_occurrence(rhythm, occurrence.at)


def latest_occurrence(rhythm: Rhythm, *, since: datetime, until: datetime) -> Occurrence | None:
    """
    Return the latest moment later than ``since``, not later than ``until``, at which a run was due.

    >>> daily = FixedRhythm({Kind.FULL: "0 2 * * *"}, None, Kind.FULL, "UTC", timedelta(0))
    >>> now = datetime(2026, 11, 21, 1, tzinfo=UTC)
    >>> latest_occurrence(daily, since=now - timedelta(days=7), until=now).at.isoformat()
    '2026-11-20T02:00:00+00:00'
    """
    first = next_occurrence(rhythm, since)
    if first is None or first.at > until:
        return None
    # Look back from the end in growing steps: a schedule of every second may have missed a whole day.
    span = timedelta(minutes=1)
    while until - span > since:
        occurrence = next_occurrence(rhythm, until - span)
        if occurrence is not None and occurrence.at <= until:
            return _walk_up_to(rhythm, occurrence, until)
        span *= 4
    return _walk_up_to(rhythm, first, until)


def _walk_up_to(rhythm: Rhythm, occurrence: Occurrence, until: datetime) -> Occurrence:
    following = next_occurrence(rhythm, occurrence.at)
    while following is not None and following.at <= until:
        occurrence, following = following, next_occurrence(rhythm, following.at)
    return occurrence


def kind_at(rhythm: Rhythm, at: datetime) -> Kind:
    """Return the kind of the run that is due at exactly ``at``; the most complete one at other times."""
    occurrence = next_occurrence(rhythm, at - _STEP)
    if occurrence is not None and occurrence.at == at:
        return occurrence.kind
    return min(rhythm.crons, key=_COMPLETENESS.__getitem__, default=rhythm.kind)


TOLERANCE = timedelta(minutes=1)
"""A slot that is started this late is not missed: Airflow needs a moment, and a restart of it too."""


def slot_to_run(
    rhythm: Rhythm, *, last: datetime | None, now: datetime, made_up_for: timedelta
) -> Occurrence | None:
    """
    Return the slot that runs next: the latest one missed, when not older than ``made_up_for``, or a coming one.

    ``last`` is the slot that ran last, or None. However many slots were missed, one run makes up for all.

    >>> daily = FixedRhythm({Kind.FULL: "0 2 * * *"}, None, Kind.FULL, "UTC", timedelta(0))
    >>> monday, friday = datetime(2026, 5, 4, 2, tzinfo=UTC), datetime(2026, 5, 8, 9, tzinfo=UTC)
    >>> for days in (0, 1):
    ...     print(slot_to_run(daily, last=monday, now=friday, made_up_for=timedelta(days=days)).at)
    2026-05-09 02:00:00+00:00
    2026-05-08 02:00:00+00:00
    """
    since = now - max(made_up_for, TOLERANCE)
    if last is not None and last > since:
        since = last
    missed = latest_occurrence(rhythm, since=since, until=now)
    return missed if missed is not None else next_occurrence(rhythm, max(since, now))


def upcoming(
    schedule: Schedule,
    *,
    after: datetime,
    count: int,
    holds: Sequence[Hold] = (),
    until: datetime | None = None,
) -> list[Fire]:
    """
    List the ``count`` runs due later than ``after``, with window, calendars and holds applied.

    Those due later than ``until`` are left out, and not reckoned.
    """
    found: list[Fire] = []
    policy = start_policy_of(schedule)
    for occurrence in occurrences(rhythm_of(schedule), after):
        if len(found) >= count or (until is not None and occurrence.at > until):
            break
        found.append(_fire(policy, occurrence))
    return held_back(schedule, found, holds)


def fires_until(schedule: Schedule, *, after: datetime, until: datetime) -> Iterator[Fire]:
    """Walk the runs due later than ``after`` and not later than ``until``, without any hold."""
    return takewhile(lambda fire: fire.at <= until, _fires(schedule, after))


def first_to_start(
    schedule: Schedule, *, after: datetime, among: int, holds: Sequence[Hold] = ()
) -> Fire | None:
    """
    Return the first run due later than ``after`` that is not skipped; the very first where the next ``among`` all are.

    No more of them are reckoned than it takes: for 5,000 schedules on hold that is seconds.
    """
    first: Fire | None = None
    for fire in islice(_held_back(schedule, _fires(schedule, after), holds), among):
        if fire.skipped is None:
            return fire
        first = first or fire
    return first


def _fires(schedule: Schedule, after: datetime) -> Iterator[Fire]:
    policy = start_policy_of(schedule)
    return (_fire(policy, each) for each in occurrences(rhythm_of(schedule), after))


def held_back(schedule: Schedule, fires: Iterable[Fire], holds: Sequence[Hold]) -> list[Fire]:
    """Apply holds to coming runs, in their order."""
    return list(_held_back(schedule, fires, holds) if holds else fires)


def _held_back(schedule: Schedule, fires: Iterable[Fire], holds: Sequence[Hold]) -> Iterator[Fire]:
    waiting = skips(holds)
    texts: dict[int, str] = {}
    for fire in fires:
        held = None
        if fire.skipped is None:
            held = pause_at(holds, fire.at) or (waiting.pop(0) if waiting else None)
        if held is None:
            yield fire
        else:
            if held.id not in texts:
                texts[held.id] = hold_text(held, schedule.timezone)
            yield Fire(fire.at, fire.kind, None, texts[held.id])


def _fire(policy: StartPolicy, occurrence: Occurrence) -> Fire:
    """Apply window and calendars: what the start policy says at the due time, and again when it opens."""
    decision = decide(policy, fire_time=occurrence.at, now=occurrence.at)
    if decision.until is not None:
        opens_at = decision.until
        decision = decide(policy, fire_time=occurrence.at, now=opens_at)
    else:
        opens_at = occurrence.at
    if decision.action == "skip":
        return Fire(occurrence.at, occurrence.kind, None, decision.reason)
    return Fire(occurrence.at, occurrence.kind, opens_at, None)


def _next_interval(every: timedelta, timezone: str, after: datetime) -> datetime:
    anchor = _ANCHOR.replace(tzinfo=zone_of(timezone)).astimezone(UTC)
    return anchor + ((after - anchor) // every + 1) * every
