"""Retention explains itself, never orphans a set, and never takes the last good chains."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_backup.catalog.rules.retention import Verdict, decide
from airflow_backup.core.errors import Refused
from airflow_backup.schedules.model.policies import Retention

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
HISTORIES = 100_000
BATCHES = 20


@dataclass(frozen=True)
class Set:
    set_id: str
    consistent_at: datetime
    parent: str | None = None
    bytes_stored: int = 100
    pinned: bool = False
    state: str = "good"
    locked_until: datetime | None = None
    verified_outcome: str | None = None


def fulls(count: int, hours: int = 12) -> list[Set]:
    return [Set(f"s{number}", NOW - timedelta(hours=hours * number)) for number in range(count)]


def judged(sets: list[Set], **policy: object) -> dict[str, tuple[bool, str]]:
    verdicts = decide(sets, Retention.model_validate(policy), now=NOW)
    return {verdict.set.set_id: (verdict.kept, ", ".join(verdict.reasons)) for verdict in verdicts}


def kept(verdicts: list[Verdict]) -> set[str]:
    return {verdict.set.set_id for verdict in verdicts if verdict.kept}


def test_every_verdict_has_its_reasons() -> None:
    assert judged(fulls(5), last=1, daily=2) == {
        "s0": (True, "one of the last recoverable chain, last 1 of 1, day 1 of 2"),
        "s1": (False, "no rule keeps it"),
        "s2": (True, "day 2 of 2"),
        "s3": (False, "no rule keeps it"),
        "s4": (False, "no rule keeps it"),
    }


def test_what_a_kept_set_needs_is_kept() -> None:
    chain = [
        Set("full", NOW - timedelta(days=3)),
        Set("inc1", NOW - timedelta(days=2), "full"),
        Set("inc2", NOW - timedelta(days=1), "inc1"),
        Set("newer", NOW),
    ]
    found = judged(chain, last=2)
    assert found["inc2"] == (True, "last 2 of 2")
    assert found["inc1"] == (True, "needed by inc2")
    assert found["full"] == (True, "needed by inc1")


def test_the_floor_counts_recoverable_chains_only() -> None:
    sets = [
        Set("orphan", NOW, "lost"),
        replace(fulls(1)[0], set_id="bad", state="quarantined"),
        Set("good", NOW - timedelta(days=40)),
        Set("older", NOW - timedelta(days=50)),
    ]
    found = judged(sets, within="1d", min_chains=1)
    assert found["good"] == (True, "one of the last recoverable chain")
    assert found["older"][0] is False
    assert found["orphan"] == (False, "no rule keeps it")
    assert found["bad"] == (True, "quarantined: a person must look at it")


def test_age_and_size_take_what_rules_keep_but_not_the_floor_nor_a_pin() -> None:
    sets = fulls(4, hours=24)
    sets[3] = replace(sets[3], pinned=True)
    assert judged(sets, last=10, max_age="1d") == {
        "s0": (True, "one of the last recoverable chain, last 1 of 10"),
        "s1": (True, "last 2 of 10"),
        "s2": (False, "older than 1d"),
        "s3": (True, "pinned"),
    }
    found = judged(sets, last=10, max_bytes=250)
    assert [name for name, (is_kept, _) in found.items() if is_kept] == ["s0", "s3"]
    assert found["s1"] == (False, "more than 250 B stored")


def test_periods_are_read_on_the_clock_on_the_wall() -> None:
    late = [
        Set("a", datetime(2026, 5, 3, 22, 30, tzinfo=UTC)),
        Set("b", datetime(2026, 5, 3, 21, 30, tzinfo=UTC)),
    ]
    policy = Retention(daily=2)
    assert kept(decide(late, policy, now=NOW, timezone="UTC")) == {"a"}
    assert kept(decide(late, policy, now=NOW, timezone="Europe/Berlin")) == {"a", "b"}


def test_a_policy_without_rules_removes_nothing() -> None:
    assert all(is_kept for is_kept, _ in judged(fulls(3), min_chains=1).values())


@pytest.mark.parametrize("jump", [timedelta(hours=-2), timedelta(days=400)])
def test_nothing_is_removed_when_the_clock_jumped(jump: timedelta) -> None:
    with pytest.raises(Refused, match=r"the clock says|more than a year old"):
        decide(fulls(3), Retention(last=1), now=NOW + jump)


def history(chosen: random.Random) -> list[Set]:
    """Chains of fulls and incrementals, some broken, quarantined or pinned."""
    sets: list[Set] = []
    moment = NOW - timedelta(days=chosen.randrange(1, 300))
    while len(sets) < chosen.randrange(1, 14):
        good = [item.set_id for item in sets[-3:]]
        parent = chosen.choice(good) if good and chosen.random() < 0.6 else None
        if chosen.random() < 0.05:
            parent = "lost"
        moment += timedelta(hours=chosen.choice([1, 6, 24, 24, 100]))
        sets.append(
            Set(
                f"s{len(sets):02}",
                min(moment, NOW),
                parent,
                chosen.randrange(1, 1000),
                chosen.random() < 0.05,
                "quarantined" if chosen.random() < 0.07 else "good",
                min(moment, NOW) + timedelta(days=400) if chosen.random() < 0.04 else None,
                chosen.choice([None, "passed", "passed", "inconclusive"]),
            )
        )
    return sets


def policy(chosen: random.Random) -> Retention:
    given: dict[str, object] = {"min_chains": chosen.randrange(1, 4)}
    for rule in ("last", "hourly", "daily", "weekly", "monthly", "yearly"):
        if chosen.random() < 0.3:
            given[rule] = chosen.randrange(1, 6)
    if chosen.random() < 0.2:
        given["within"] = f"{chosen.randrange(1, 60)}d"
    if chosen.random() < 0.3:
        given["max_age"] = f"{chosen.randrange(1, 200)}d"
    if chosen.random() < 0.3:
        given["max_bytes"] = chosen.randrange(1, 5000)
    return Retention.model_validate(given)


def recoverable(sets: list[Set]) -> dict[str, list[str]]:
    """The chains that can be restored: the full set's id, and those of all its members."""
    known = {item.set_id: item for item in sets if item.state == "good"}
    chains: dict[str, list[str]] = {}
    for item in known.values():
        path = [item]
        while path[-1].parent is not None and path[-1].parent in known:
            path.append(known[path[-1].parent])
        if path[-1].parent is None:
            chains.setdefault(path[-1].set_id, []).append(item.set_id)
    return chains


def test_a_locked_set_stays_until_its_moment() -> None:
    sets = fulls(4)
    sets[2] = replace(sets[2], locked_until=NOW + timedelta(days=1))
    sets[3] = replace(sets[3], locked_until=NOW - timedelta(days=1))
    found = judged(sets, last=1)
    assert found["s2"] == (True, "locked until 2026-05-05 12:00 UTC")
    assert found["s3"] == (False, "no rule keeps it")


def test_a_set_that_nobody_verified_takes_no_proven_ones_place() -> None:
    sets = fulls(4)
    sets[2] = replace(sets[2], verified_outcome="passed")
    sets[3] = replace(sets[3], verified_outcome="passed")
    found = judged(sets, last=1)
    assert {name: kept for name, (kept, _) in found.items()} == {
        "s0": True,
        "s1": False,
        "s2": True,
        "s3": False,
    }
    assert found["s2"][1] == "the last that was verified"


@pytest.mark.parametrize("seed", range(BATCHES))
def test_the_promises_hold_for_any_policy_and_history(seed: int) -> None:
    chosen = random.Random(seed)
    for _ in range(HISTORIES // BATCHES):
        sets, rules = history(chosen), policy(chosen)
        survivors = kept(decide(sets, rules, now=NOW))
        known = {item.set_id: item for item in sets}
        chains = recoverable(sets)
        newest = sorted(chains, key=lambda key: (known[key].consistent_at, key), reverse=True)
        for full in newest[: rules.min_chains]:
            assert set(chains[full]) <= survivors, "the last good chains survive"
        verified = [
            full
            for full in newest
            if any(known[name].verified_outcome == "passed" for name in chains[full])
        ]
        for full in verified[: rules.min_chains]:
            proven = [name for name in chains[full] if known[name].verified_outcome == "passed"]
            assert survivors & set(proven), "so does a verified set of the last verified chains"
        for item in sets:
            if item.locked_until is not None and item.locked_until > NOW:
                assert item.set_id in survivors, "a locked set stays"
        for name in survivors:
            parent = known[name].parent
            assert parent is None or parent not in known or parent in survivors, (
                "no child is orphaned"
            )
        left = [item for item in sets if item.set_id in survivors]
        assert kept(decide(left, rules, now=NOW)) == survivors, "applying it twice changes nothing"
        if rules.max_bytes is None:
            more = rules.model_copy(update={"last": (rules.last or 0) + 2})
            if any(
                (
                    rules.last,
                    rules.hourly,
                    rules.daily,
                    rules.weekly,
                    rules.monthly,
                    rules.yearly,
                    rules.within,
                )
            ):
                assert survivors <= kept(decide(sets, more, now=NOW)), (
                    "keeping more never keeps less"
                )


def test_ten_thousand_sets_of_which_most_are_too_many_are_judged() -> None:
    sets = [
        Set(
            f"s{number:05d}",
            NOW - timedelta(hours=number),
            f"s{number + 1:05d}" if number % 9 else None,
        )
        for number in range(9_999, -1, -1)
    ]
    verdicts = decide(sets, Retention(last=9_000, max_bytes=50_000), now=NOW)
    left = [verdict.set for verdict in verdicts if verdict.kept]
    assert 49_000 < sum(each.bytes_stored for each in left) <= 50_000
    assert min(each.set_id for each in left) == "s00000"
