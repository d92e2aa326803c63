"""What a change of the schedules files does: which schedules appear, vanish and change, and when they run then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from airflow_backup.schedules.loading.loader import Loaded
from airflow_backup.schedules.loading.problems import Problem
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.times.fire_times import Fire, upcoming

What = Literal["added", "removed", "changed", "broken", "mended"]


@dataclass(frozen=True)
class Change:
    """What happens to one schedule; ``keys`` maps each changed key to its value before and after."""

    id: str
    what: What
    keys: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    next_before: Sequence[Fire] = ()
    next_after: Sequence[Fire] = ()
    problems: Sequence[Problem] = ()
    timezone: str = "UTC"


def compare(old: Loaded, new: Loaded, *, now: datetime, count: int = 3) -> list[Change]:
    """
    List the changes from ``old`` to ``new`` in the order of ids, each with ``count`` coming runs.

    Effective schedules are compared, so a change of the defaults shows at every schedule it reaches.
    """
    before, after = old.by_id(), new.by_id()
    wrong_before, wrong_after = _wrong(old), _wrong(new)
    changes = []
    for identifier in sorted({*before, *after, *wrong_before, *wrong_after}):
        change = _change(
            identifier,
            before.get(identifier),
            after.get(identifier),
            was_wrong=identifier in wrong_before,
            problems=wrong_after.get(identifier),
            now=now,
            count=count,
        )
        if change is not None:
            changes.append(change)
    return changes


def _wrong(loaded: Loaded) -> dict[str, list[Problem]]:
    """Return what is wrong by id; a second schedule with the id of a right one changes nothing."""
    right = loaded.by_id()
    return {
        wrong.id: wrong.problems
        for wrong in loaded.rejected
        if wrong.id is not None and wrong.id not in right
    }


def _change(
    identifier: str,
    before: Schedule | None,
    after: Schedule | None,
    *,
    was_wrong: bool,
    problems: list[Problem] | None,
    now: datetime,
    count: int,
) -> Change | None:
    what: What
    if problems is not None:
        if before is None and was_wrong:
            return None  # it was wrong and it is wrong: no change
        what = "broken"
    elif before is None and after is None:
        what = "removed"  # it was wrong, and now it is gone
    elif before is None:
        what = "mended" if was_wrong else "added"
    elif after is None:
        what = "removed"
    elif before == after:
        return None
    else:
        what = "changed"
    known = after or before
    return Change(
        identifier,
        what,
        keys=_keys(before, after) if before is not None and after is not None else {},
        next_before=_coming(before, now, count),
        next_after=_coming(after, now, count),
        problems=problems or (),
        timezone=known.timezone if known is not None else "UTC",
    )


def _keys(before: Schedule, after: Schedule) -> dict[str, tuple[Any, Any]]:
    old, new = before.definition(), after.definition()
    return {
        key: (old.get(key), new.get(key))
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    }


def _coming(schedule: Schedule | None, now: datetime, count: int) -> list[Fire]:
    """Return the next runs, and the next of each kind that is not among them: a weekly one, for example."""
    if schedule is None:
        return []
    found = upcoming(schedule, after=now, count=count)
    for kind, cron in schedule.crons().items():
        if kind not in {fire.kind for fire in found}:
            only = {"levels": None, "preset": None, "cron": cron, "kind": kind}
            found += upcoming(schedule.model_copy(update=only), after=now, count=1)
    return sorted(found, key=lambda fire: fire.at)
