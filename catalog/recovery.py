"""Which sets, in which order, bring a source back to a moment; or why none do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from airflow_backup.catalog.records import SetRow
from airflow_backup.core.words import Kind


@dataclass(frozen=True, slots=True)
class Path:
    """
    The sets that restore a moment, the full one first.

    ``skipped`` says why a newer set was not good enough, when there was one.
    """

    at: datetime
    sets: tuple[SetRow, ...]
    skipped: tuple[str, ...] = ()

    @property
    def consistent_at(self) -> datetime:
        """The moment that the restored source is of, at most ``at``."""
        return min(self.at, self.sets[-1].consistent_at)

    @property
    def bytes_stored(self) -> int:
        """What has to be read."""
        return sum(row.bytes_stored for row in self.sets)


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing restores the moment; ``reasons`` says why, the newest set first."""

    at: datetime
    reasons: tuple[str, ...]
    earliest: datetime | None = None
    """The first moment after ``at`` that can be restored."""


def recovery_path(sets: Iterable[SetRow], at: datetime) -> Path | Gap:
    """
    Find the newest set at or before ``at`` whose whole chain is good.

    Archived logs that reach over ``at`` are appended, so that the source can be rolled forward.
    """
    known = {row.set_id: row for row in sets}
    reasons: list[str] = []
    for row in sorted(known.values(), key=_age, reverse=True):
        if row.consistent_at > at:
            continue
        chain = list(_chain(row, known))
        problem = _problem(chain)
        if problem is None:
            chain.reverse()
            return Path(at, (*chain, *_log_over(row, known, at)), tuple(reasons))
        reasons.append(f"set '{row.set_id}': {problem}")
    if not reasons:
        reasons.append("there is no set of that moment or before")
    return Gap(at, tuple(reasons), _earliest(known, at))


def _age(row: SetRow) -> tuple[datetime, str]:
    return row.consistent_at, row.set_id


def _chain(row: SetRow, known: dict[str, SetRow]) -> Iterator[SetRow]:
    seen: set[str] = set()
    following: SetRow | None = row
    while following is not None and following.set_id not in seen:
        seen.add(following.set_id)
        yield following
        following = None if following.parent is None else known.get(following.parent)


def _problem(chain: list[SetRow]) -> str | None:
    for row in chain:
        if row.state != "good":
            return f"'{row.set_id}' is {row.state}" if row is not chain[0] else f"it is {row.state}"
    last = chain[-1]
    if last.kind is not Kind.FULL:
        return f"'{last.parent}', which '{last.set_id}' needs, is not there"
    return None


def _log_over(row: SetRow, known: dict[str, SetRow], at: datetime) -> tuple[SetRow, ...]:
    for log in known.values():
        is_next = log.kind is Kind.ARCHIVE_LOG and log.parent == row.set_id
        if is_next and log.state == "good" and log.consistent_at > at > row.consistent_at:
            return (log,)
    return ()


def _earliest(known: dict[str, SetRow], at: datetime) -> datetime | None:
    for row in sorted(known.values(), key=_age):
        if row.consistent_at > at and _problem(list(_chain(row, known))) is None:
            return row.consistent_at
    return None
