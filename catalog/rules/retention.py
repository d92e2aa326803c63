"""
Which sets a schedule keeps, and why: a pure function of sets, policy and clock.

A set is kept when any rule keeps it, when a kept set needs it, or when it is pinned. ``max_age`` and ``max_bytes``
take away what rules alone would keep, oldest first, but never what a pin or the floor keeps: the newest ``min_chains``
recoverable chains always survive, whole, and of the newest ``min_chains`` chains with a verified set that set: a
chain that nobody looked at yet takes no proven one's place. A locked set stays until its moment has come. Only good
sets are counted; a quarantined one is left to a person.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol
from zoneinfo import ZoneInfo

from airflow_backup.core.errors import Refused
from airflow_backup.core.text.durations import format_duration, format_size
from airflow_backup.schedules.model.policies import Retention

CLOCK_MAY_LAG = timedelta(hours=1)
CLOCK_MAY_JUMP = timedelta(days=366)


class SetRef(Protocol):
    """What retention needs to know of a set."""

    @property
    def set_id(self) -> str: ...
    @property
    def consistent_at(self) -> datetime: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def bytes_stored(self) -> int: ...
    @property
    def pinned(self) -> bool: ...
    @property
    def state(self) -> str: ...
    @property
    def locked_until(self) -> datetime | None: ...
    @property
    def verified_outcome(self) -> str | None: ...


@dataclass(frozen=True)
class Verdict:
    """What becomes of one set; ``reasons`` say why it is kept, or why it goes."""

    set: SetRef
    kept: bool
    reasons: Sequence[str] = field(default_factory=tuple)


_PERIODS: dict[str, tuple[str, Callable[[datetime], object]]] = {
    "hourly": ("hour", lambda at: (at.date(), at.hour)),
    "daily": ("day", lambda at: at.date()),
    "weekly": ("week", lambda at: at.isocalendar()[:2]),
    "monthly": ("month", lambda at: (at.year, at.month)),
    "yearly": ("year", lambda at: at.year),
}


def decide(
    sets: Iterable[SetRef],
    policy: Retention,
    *,
    now: datetime,
    timezone: str = "UTC",
    held: Mapping[str, str] = MappingProxyType({}),
) -> list[Verdict]:
    """
    Judge each set, newest first; raise Refused where the clock cannot be trusted.

    Periods are read in the local time of ``timezone``. ``held`` says which sets stay whatever the rules
    are, and why, by their ids.
    """
    newest_first = sorted(sets, key=lambda item: (item.consistent_at, item.set_id), reverse=True)
    known = {item.set_id: item for item in newest_first}
    good = [
        item for item in newest_first if item.state == "good" and _chain(item, known) is not None
    ]
    if good:
        _check_clock(good[0], now)
    floor = _floor(good, known, policy.min_chains)
    firm: dict[str, list[str]] = {}
    for item in newest_first:
        reasons = _regardless(item, now)
        if item.set_id in held:
            reasons.append(held[item.set_id])
        if reasons:
            firm[item.set_id] = reasons
    for identifier in floor:
        firm.setdefault(identifier, []).append(f"one of the last {_chains(policy.min_chains)}")
    for identifier in _proven_floor(good, known, policy.min_chains):
        if identifier not in floor:
            firm.setdefault(identifier, []).append("the last that was verified")
    _need(firm, known)
    rules = _by_rules(good, policy, now=now, zone=ZoneInfo(timezone))
    gone = _too_old(good, policy, now=now)
    if policy.max_bytes is not None:
        kept = _kept_by(rules, gone, known)
        too_many = _too_many(kept, rules.keys() - gone.keys(), firm, known, policy.max_bytes)
        gone |= dict.fromkeys(too_many, f"more than {format_size(policy.max_bytes)} stored")
    kept = _kept_by(rules, gone, known)
    for key, why in firm.items():
        kept[key] = [*why, *kept.get(key, [])]
    return [_verdict(item, kept, gone) for item in newest_first]


def _regardless(item: SetRef, now: datetime) -> list[str]:
    """Say what keeps a set whatever the rules are."""
    reasons = ["pinned"] if item.pinned else []
    if item.locked_until is not None and item.locked_until > now:
        reasons.append(f"locked until {item.locked_until:%Y-%m-%d %H:%M} UTC")
    if item.state == "quarantined":
        reasons.append("quarantined: a person must look at it")
    return reasons


def _verdict(item: SetRef, kept: Mapping[str, list[str]], gone: Mapping[str, str]) -> Verdict:
    if item.set_id in kept:
        return Verdict(item, True, tuple(dict.fromkeys(kept[item.set_id])))
    return Verdict(item, False, (gone.get(item.set_id, "no rule keeps it"),))


def _check_clock(newest: SetRef, now: datetime) -> None:
    if now < newest.consistent_at - CLOCK_MAY_LAG:
        raise Refused(
            f"the clock says {now:%Y-%m-%d %H:%M}, before the newest set '{newest.set_id}'",
            hint="is the clock right? nothing is removed until it is",
        )
    if now - newest.consistent_at > CLOCK_MAY_JUMP:
        raise Refused(
            f"the newest set '{newest.set_id}' is more than a year old",
            hint="has the clock jumped, or did nothing run? nothing is removed until there is a new set",
        )


def _chain(item: SetRef, known: Mapping[str, SetRef]) -> list[SetRef] | None:
    """Return the sets that restoring ``item`` needs, itself last; None where one is missing or not good."""
    chain, seen = [item], {item.set_id}
    while chain[-1].parent is not None:
        parent = known.get(chain[-1].parent)
        if parent is None or parent.state != "good" or parent.set_id in seen:
            return None
        seen.add(parent.set_id)
        chain.append(parent)
    return chain[::-1]


def _floor(good: Sequence[SetRef], known: Mapping[str, SetRef], count: int) -> list[str]:
    """List the sets of the newest recoverable chains, by the moment their full set was taken."""
    chains: dict[str, list[str]] = {}
    for item in good:
        chain = _chain(item, known) or [item]
        chains.setdefault(chain[0].set_id, []).append(item.set_id)
    fulls = sorted(chains, key=lambda key: (known[key].consistent_at, key), reverse=True)
    return [member for full in fulls[:count] for member in chains[full]]


def _proven_floor(good: Sequence[SetRef], known: Mapping[str, SetRef], count: int) -> list[str]:
    """List the newest verified set of each of the newest chains that have one."""
    newest: dict[str, str] = {}
    for item in good:
        if item.verified_outcome == "passed":
            newest.setdefault((_chain(item, known) or [item])[0].set_id, item.set_id)
    fulls = sorted(newest, key=lambda key: (known[key].consistent_at, key), reverse=True)
    return [newest[full] for full in fulls[:count]]


def _by_rules(
    good: Sequence[SetRef], policy: Retention, *, now: datetime, zone: ZoneInfo
) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {item.set_id: [] for item in good}
    for number, item in enumerate(good[: policy.last or 0], start=1):
        reasons[item.set_id].append(f"last {number} of {policy.last}")
    for rule, (noun, period) in _PERIODS.items():
        count = getattr(policy, rule) or 0
        for number, item in enumerate(_newest_of_periods(good, period, zone)[:count], start=1):
            reasons[item.set_id].append(f"{noun} {number} of {count}")
    for item in good:
        if policy.within is not None and now - item.consistent_at <= policy.within:
            reasons[item.set_id].append(f"within {format_duration(policy.within)}")
    if not any((policy.last, policy.within, *(getattr(policy, rule) for rule in _PERIODS))):
        return {item.set_id: ["no rule removes it"] for item in good}
    return {key: why for key, why in reasons.items() if why}


def _newest_of_periods(
    good: Sequence[SetRef], period: Callable[[datetime], object], zone: ZoneInfo
) -> list[SetRef]:
    newest: dict[object, SetRef] = {}
    for item in good:
        newest.setdefault(period(item.consistent_at.astimezone(zone)), item)
    return list(newest.values())


def _too_old(good: Sequence[SetRef], policy: Retention, *, now: datetime) -> dict[str, str]:
    if policy.max_age is None:
        return {}
    limit = policy.max_age
    return {
        item.set_id: f"older than {format_duration(limit)}"
        for item in good
        if now - item.consistent_at > limit
    }


def _need(kept: dict[str, list[str]], known: Mapping[str, SetRef]) -> None:
    """Keep what kept sets need."""
    for identifier in list(kept):
        child = known[identifier]
        while child.parent is not None and child.parent in known:
            parent = known[child.parent]
            why = kept.setdefault(parent.set_id, [])
            reason = f"needed by {child.set_id}"
            if reason in why:
                break
            why.append(reason)
            child = parent


def _kept_by(
    rules: Mapping[str, list[str]], gone: Mapping[str, str], known: Mapping[str, SetRef]
) -> dict[str, list[str]]:
    kept = {key: list(why) for key, why in rules.items() if key not in gone}
    _need(kept, known)
    return kept


def _too_many(
    kept: Mapping[str, list[str]],
    wanted: AbstractSet[str],
    firm: Mapping[str, list[str]],
    known: Mapping[str, SetRef],
    max_bytes: int,
) -> list[str]:
    """
    Name the sets to give up; of what is kept, ``wanted`` is kept for itself, the rest because others need it.

    The oldest chain first, and of a chain the newest, so that children go before parents.
    """
    left = sum(known[key].bytes_stored for key in {*kept, *firm})
    children = Counter(known[key].parent for key in kept)
    chains: dict[str, list[SetRef]] = {}
    for key in kept:
        if key not in firm:
            chains.setdefault(_root(known[key], known), []).append(known[key])
    given_up: list[str] = []
    for root in sorted(chains, key=lambda key: (known[key].consistent_at, key)):
        tips = [item for item in chains[root] if not children[item.set_id]]
        tips.sort(key=_age)
        while tips and left > max_bytes:
            tip = tips.pop()
            given_up.append(tip.set_id)
            item: SetRef | None = tip
            while item is not None:
                left -= item.bytes_stored
                item = _freed(item, children, kept, firm, known)
                if item is not None and item.set_id in wanted:  # something else keeps it still
                    insort(tips, item, key=_age)
                    item = None
    return given_up


def _freed(
    item: SetRef,
    children: Counter[str | None],
    kept: Mapping[str, list[str]],
    firm: Mapping[str, list[str]],
    known: Mapping[str, SetRef],
) -> SetRef | None:
    """Return the parent of a set that was given up, when no other set needs it any more."""
    children[item.parent] -= 1
    if item.parent is None or item.parent not in kept or item.parent in firm:
        return None
    return None if children[item.parent] else known[item.parent]


def _age(item: SetRef) -> tuple[datetime, str]:
    return item.consistent_at, item.set_id


def _root(item: SetRef, known: Mapping[str, SetRef]) -> str:
    seen = {item.set_id}
    while item.parent is not None and item.parent in known and item.parent not in seen:
        item = known[item.parent]
        seen.add(item.set_id)
    return item.set_id


def _chains(count: int) -> str:
    return "recoverable chain" if count == 1 else f"{count} recoverable chains"
