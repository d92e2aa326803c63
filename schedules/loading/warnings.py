"""What is allowed and yet likely a mistake: backups in each other's way, windows that never fit. Pure."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from airflow_backup.core.paths.patterns import Patterns
from airflow_backup.core.text.durations import format_duration
from airflow_backup.schedules.model.cron import has_star_step_and_weekday
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.windows import opening_at
from airflow_backup.schedules.times.fire_times import Fire, upcoming
from airflow_backup.schedules.times.start_policy import OUTSIDE, local_text

HORIZON = timedelta(days=7)
MOST_RUNS = 200
"""Runs of one schedule that are looked at; what runs every few seconds meets everything anyway."""

UNKNOWN_DURATION = timedelta(minutes=1)
_RARELY = 30


@dataclass(frozen=True)
class LoadWarning:
    """Something to look at: whose it is, what, what would help, and when it happens first (UTC)."""

    schedules: tuple[str, ...]
    message: str
    hint: str
    at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "schedules": list(self.schedules),
            "message": self.message,
            "hint": self.hint,
            "at": None if self.at is None else self.at.isoformat().replace("+00:00", "Z"),
        }


class _Run(NamedTuple):
    begins: datetime
    ends: datetime
    schedule: Schedule


class _Peak(NamedTuple):
    at: datetime
    schedules: list[Schedule]


def load_warnings(
    schedules: Sequence[Schedule],
    *,
    now: datetime,
    slots: int | None = None,
    durations: Mapping[str, timedelta] | None = None,
) -> list[LoadWarning]:
    """
    Look at the runs of the coming week.

    ``slots`` is how many backups may run at once, ``durations`` the median duration of each schedule by id;
    what is not known is taken as a minute.
    """
    known = durations or {}
    coming = {item.id: _coming(item, now) for item in schedules}
    runs = [
        _Run(fire.opens_at, fire.opens_at + known.get(item.id, UNKNOWN_DURATION), item)
        for item in schedules
        for fire in coming[item.id]
        if fire.opens_at is not None and fire.at <= now + HORIZON
    ]
    return [
        *_star_steps(schedules),
        *_unplaced(schedules),
        *_holds_own_repository(schedules),
        *_shared(runs, "source"),
        *_shared(runs, "repository"),
        *_too_many(runs, slots),
        *(
            found
            for item in schedules
            for found in _window(item, coming[item.id], known.get(item.id))
        ),
    ]


def _coming(schedule: Schedule, now: datetime) -> list[Fire]:
    """Return the runs of the coming week, and some more where it has few."""
    found = upcoming(schedule, after=now, count=_RARELY)
    if len(found) == _RARELY and found[-1].at < now + HORIZON:
        return upcoming(schedule, after=now, count=MOST_RUNS)
    return found


def _star_steps(schedules: Sequence[Schedule]) -> list[LoadWarning]:
    """Point out expressions that cron itself reads otherwise: with it, such a field must match, too."""
    return [
        LoadWarning(
            (item.id,),
            f"{item.id} fires on the days of either field of '{cron}', which the cron of Linux takes for days of both",
            "write the days out, for example 1,4,7 in place of */3; or restrict one of the two fields alone",
        )
        for item in schedules
        for cron in item.crons().values()
        if has_star_step_and_weekday(cron)
    ]


def _unplaced(schedules: Sequence[Schedule]) -> Iterable[LoadWarning]:
    """Point out who reads a path of whichever machine takes the task, where others say which machine."""
    queues = sorted({item.queue for item in schedules if item.queue is not None})
    for item in schedules:
        paths = item.source.local_paths
        if queues and paths and item.queue is None and item.executor is None:
            yield LoadWarning(
                (item.id,),
                f"{item.id} reads {paths[0]} of whichever worker takes it: it names no queue, "
                f"and there are {', '.join(queues)}",
                "name the `queue` of the workers that have its data",
            )


def _holds_own_repository(schedules: Sequence[Schedule]) -> Iterable[LoadWarning]:
    """Point out sources that hold the repository of their own sets: each set then holds all earlier ones."""
    for item in schedules:
        source, place = item.source, item.repository.removeprefix("file://")
        if place == item.repository:
            continue
        patterns = Patterns(
            include=getattr(source, "include", []), exclude=getattr(source, "exclude", [])
        )
        for root in source.local_paths:
            inside = os.path.relpath(place, root)
            if not inside.startswith("..") and _is_taken(os.fsencode(inside), patterns):
                yield LoadWarning(
                    (item.id,),
                    f"the repository of {item.id} lies in its source, and every set holds all earlier ones",
                    f"leave it out: `exclude: [/{inside}/]`"
                    if inside != "."
                    else "write elsewhere",
                )


def _is_taken(path: bytes, patterns: Patterns) -> bool:
    above = path
    while above:
        if patterns.skips(above, is_folder=True):
            return False
        above = above.rpartition(b"/")[0]
    return patterns.takes(path, is_folder=True)


def _shared(runs: Iterable[_Run], what: str) -> Iterable[LoadWarning]:
    """Warn of the worst moment at which several schedules use one source, or one repository."""
    by_place: dict[str, list[_Run]] = defaultdict(list)
    for run in runs:
        place = _source(run.schedule) if what == "source" else run.schedule.repository
        by_place[place].append(run)
    for place, together in by_place.items():
        peak = _peak(together)
        if peak is None or len(peak.schedules) < 2:
            continue
        verb = "read" if what == "source" else "write to"
        shown = place.partition("\0")[2] or place
        yield LoadWarning(
            tuple(item.id for item in peak.schedules),
            f"{_named(peak.schedules)} {verb} {shown} at the same time, first on {_when(peak)}",
            "give them different times, or `jitter`, or let one run `after` the other",
            peak.at,
        )


def _source(schedule: Schedule) -> str:
    engine = schedule.source.model_dump().get("engine", "")
    return f"{engine}\0{schedule.source.summary()}"


def _too_many(runs: list[_Run], slots: int | None) -> Iterable[LoadWarning]:
    peak = _peak(runs)
    if slots is not None and peak is not None and len(peak.schedules) > slots:
        yield LoadWarning(
            tuple(item.id for item in peak.schedules),
            f"{len(peak.schedules)} backups are due at once, first on {_when(peak)}, "
            f"and {slots} may run at the same time",
            "spread them with `jitter`, or raise `[backup] max_concurrent`",
            peak.at,
        )


def _window(
    schedule: Schedule, coming: Sequence[Fire], duration: timedelta | None
) -> Iterable[LoadWarning]:
    """Warn of a window that never opens when the schedule fires, or is too short for its backups."""
    if not schedule.window:
        return
    looked_at = coming[:_RARELY]
    if looked_at and all(fire.skipped == OUTSIDE for fire in looked_at):
        yield LoadWarning(
            (schedule.id,),
            f"{schedule.id} never runs: its window is closed whenever it is due",
            "write `outside_window: wait`, or another time",
            looked_at[0].at,
        )
    if duration is None:
        return
    for fire in looked_at:
        left = _left_in_window(schedule, fire)
        if left is not None and left < duration:
            yield LoadWarning(
                (schedule.id,),
                f"{schedule.id} takes {format_duration(duration)} (median), and its window leaves "
                f"{format_duration(left)} on {local_text(fire.opens_at or fire.at, schedule.timezone)}",
                "open the window longer, or run earlier in it",
                fire.opens_at,
            )
            return


def _left_in_window(schedule: Schedule, fire: Fire) -> timedelta | None:
    if fire.opens_at is None:
        return None
    opening = opening_at(schedule.window, fire.opens_at, timezone=schedule.timezone)
    return None if opening is None else opening.closes_at - fire.opens_at


def _peak(runs: Iterable[_Run]) -> _Peak | None:
    """Find the first moment at which most different schedules run."""
    steps = [(run.begins, 1, run.schedule) for run in runs] + [
        (run.ends, 0, run.schedule) for run in runs
    ]
    steps.sort(key=lambda step: (step[0], step[1], step[2].id))
    running: dict[str, int] = defaultdict(int)
    known: dict[str, Schedule] = {}
    best: _Peak | None = None
    for at, begins, schedule in steps:
        known[schedule.id] = schedule
        running[schedule.id] += 1 if begins else -1
        if not running[schedule.id]:
            del running[schedule.id]
        if begins and (best is None or len(running) > len(best.schedules)):
            best = _Peak(at, [known[name] for name in sorted(running)])
    return best


def _when(peak: _Peak) -> str:
    return local_text(peak.at, peak.schedules[0].timezone)


def _named(schedules: Sequence[Schedule]) -> str:
    """
    Name a few, count the rest.

    >>> from types import SimpleNamespace
    >>> _named([SimpleNamespace(id=name) for name in "abcdef"])
    'a, b, c and 3 more'
    """
    ids = [item.id for item in schedules]
    if len(ids) <= 4:
        return f"{', '.join(ids[:-1])} and {ids[-1]}"
    return f"{', '.join(ids[:3])} and {len(ids) - 3} more"
