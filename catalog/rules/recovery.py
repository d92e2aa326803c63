"""Which sets, in which order, bring a source back to a moment; or why none do."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from airflow_backup.catalog.records import SetRow
from airflow_backup.core.words import Kind


@dataclass(frozen=True, slots=True)
class RecoveryChain:
    """
    The sets that restore a moment, the full one first.

    ``skipped`` says why a newer set was not good enough, or why the logs end early, when that is so.
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
        """Bytes that a restore of this chain reads from the repository."""
        return sum(row.bytes_stored for row in self.sets)


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing restores the moment; ``reasons`` says why, the newest set first."""

    at: datetime
    reasons: tuple[str, ...]
    earliest: datetime | None = None
    """The first moment after ``at`` that can be restored."""

    is_empty: bool = False
    """Whether there is no set at all of the moment or before: no reason is about a set then."""


def recovery_chain(sets: Iterable[SetRow], at: datetime) -> RecoveryChain | Gap:
    """
    Find the newest set at or before ``at`` whose whole chain is good, and the archived logs from there on.

    The logs go up to the first that reaches ``at``, as far as each continues the one before it. A log
    begins where the schedule's log before it ended, also when full or incremental sets were taken
    between the two; the first log of a schedule begins at the full set of its chain.
    """
    known = {row.set_id: row for row in sets}
    reasons: list[str] = []
    for row in sorted(known.values(), key=_age, reverse=True):
        if row.consistent_at > at or row.kind is Kind.ARCHIVE_LOG:
            continue
        chain = list(_chain(row, known))
        problem = _problem(chain)
        if problem is None:
            chain.reverse()
            logs, broken = _logs(row, known, at)
            return RecoveryChain(at, (*chain, *logs), (*reasons, *broken))
        reasons.append(f"set '{row.set_id}': {problem}")
    is_empty = not reasons
    if is_empty:
        reasons.append("there is no set of that moment or before")
    return Gap(at, tuple(reasons), _earliest(known, at), is_empty)


def unrestorable(sets: Iterable[SetRow]) -> dict[str, str]:
    """Say of each set that cannot be restored why: it is not good, or what it needs is not, or is not there."""
    known = {row.set_id: row for row in sets}
    reached, below = spans(known.values()), _problems(known)
    found: dict[str, str] = {}
    for row in known.values():
        if row.state != "good":
            problem: str | None = f"it is {row.state}"
        elif row.kind is Kind.ARCHIVE_LOG:
            problem = _problem_of_log(row, known, reached)
        else:
            problem = below[row.set_id]
        if problem is not None:
            found[row.set_id] = problem
    return found


def _problems(known: dict[str, SetRow]) -> dict[str, str | None]:
    """Say of each set what those above it suffer from; each is asked once, however long the chains are."""
    found: dict[str, str | None] = {}
    for row in known.values():
        chain = list(takewhile(lambda each: each.set_id not in found, _chain(row, known)))
        for each in reversed(chain):
            if each.state != "good":
                found[each.set_id] = f"'{each.set_id}' is {each.state}"
            elif each.kind is not Kind.FULL and each.parent not in found:
                found[each.set_id] = f"'{each.parent}', which '{each.set_id}' needs, is not there"
            else:
                found[each.set_id] = found.get(each.parent or "")
    return found


def _problem_of_log(
    log: SetRow, known: Mapping[str, SetRow], reached: Iterable[tuple[datetime, datetime]]
) -> str | None:
    if any(since < log.consistent_at <= until for since, until in reached):
        return None
    before = log_before(log, known)
    if isinstance(before, str):
        return f"'{before}', which came before it, is not there"
    return "no set that can be restored leads to it"


def spans(sets: Iterable[SetRow]) -> list[tuple[datetime, datetime]]:
    """List the times of which any moment can be restored, as archived logs reach through them; the oldest first."""
    known = {row.set_id: row for row in sets}
    logs = sorted((row for row in known.values() if row.kind is Kind.ARCHIVE_LOG), key=_age)
    found: list[tuple[datetime, datetime]] = []
    for base in sorted(known.values() if logs else (), key=_age):
        is_within = found and base.consistent_at < found[-1][1]
        if base.kind is Kind.ARCHIVE_LOG or is_within or _problem(list(_chain(base, known))):
            continue
        first = bisect_right(logs, base.consistent_at, key=lambda log: log.consistent_at)
        reached, _ = _logs_of(base, logs[first:], known)
        if reached:
            found.append((base.consistent_at, reached[-1].consistent_at))
    return found


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


def _logs(
    base: SetRow, known: dict[str, SetRow], at: datetime
) -> tuple[list[SetRow], tuple[str, ...]]:
    """Return the logs that lead from ``base`` towards ``at``, and why they end before it."""
    later = (
        row
        for row in known.values()
        if row.kind is Kind.ARCHIVE_LOG and row.consistent_at > base.consistent_at
    )
    return _logs_of(base, sorted(later, key=_age), known, at)


def _logs_of(
    base: SetRow, later: Iterable[SetRow], known: dict[str, SetRow], at: datetime | None = None
) -> tuple[list[SetRow], tuple[str, ...]]:
    """Return the logs of ``later`` that lead on from ``base``, towards ``at`` or as far as there are any."""
    found: list[SetRow] = []
    for log in later:
        reached = found[-1] if found else base
        if at is not None and reached.consistent_at >= at:
            break
        problem = f"it is {log.state}" if log.state != "good" else _hole(reached, log, known)
        if problem is not None:
            return found, (f"set '{log.set_id}': {problem}",)
        found.append(log)
    return found, ()


def _hole(reached: SetRow, log: SetRow, known: dict[str, SetRow]) -> str | None:
    if log.parent == reached.set_id:
        return None
    before = log_before(log, known)
    if isinstance(before, str):
        return f"'{before}', which came before it, is not there"
    if before is None:
        same_chain = (reached.base or reached.set_id) == log.base
        return None if same_chain else f"it begins only at '{log.base}'"
    if reached.kind is Kind.ARCHIVE_LOG and before.set_id != reached.set_id:
        return f"it continues '{before.set_id}' and not '{reached.set_id}'"
    if before.consistent_at > reached.consistent_at:
        return f"it continues '{before.set_id}', which is later than '{reached.set_id}'"
    return None


def log_before(log: SetRow, known: Mapping[str, SetRow]) -> SetRow | str | None:
    """Return the log that ``log`` continues, None for the first one, or the id of a set that is not known."""
    seen: set[str] = set()
    following = log.parent
    while following is not None and following not in seen:
        seen.add(following)
        row = known.get(following)
        if row is None:
            return following
        if row.kind is Kind.ARCHIVE_LOG:
            return row
        following = row.previous_set_id
    return None


def _earliest(known: dict[str, SetRow], at: datetime) -> datetime | None:
    for row in sorted(known.values(), key=_age):
        if row.kind is Kind.ARCHIVE_LOG:
            continue
        if row.consistent_at > at and _problem(list(_chain(row, known))) is None:
            return row.consistent_at
    return None
