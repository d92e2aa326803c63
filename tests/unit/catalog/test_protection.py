"""
Whether a schedule is safe: forty situations and the word for each; and that the worst wins, whatever comes together.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from airflow_backup.catalog.records import LostSet, SetRow
from airflow_backup.catalog.rules.known import Known, KnownSets
from airflow_backup.catalog.rules.protection import Protection, protection
from airflow_backup.core.words import ProtectionState
from support.situations import DAY, FRESH, NOW, OLD, SITUATIONS, UNVERIFIED, checked, gone, row


def judged(*rows: SetRow | LostSet, **more: Any) -> Protection:
    """Judge a schedule that is there for 60 days, enabled, with a limit of 26 hours."""
    lost = [each for each in rows if isinstance(each, LostSet)]
    stored = [each for each in rows if isinstance(each, SetRow)]
    given: dict[str, Any] = {
        "first_seen": NOW - 60 * DAY,
        "enabled": True,
        "deadline": timedelta(hours=26),
        "sets": KnownSets.of(stored, lost, now=NOW),
        "last_passed": checked(timedelta(hours=10)) if rows else None,
    }
    return protection(Known(**given | more), now=NOW)


@pytest.mark.parametrize(
    ("word", "attention", "rows", "more"), SITUATIONS.values(), ids=list(SITUATIONS)
)
def test_each_situation_has_its_word(
    word: str, attention: bool, rows: list[SetRow | LostSet], more: dict[str, Any]
) -> None:
    found = judged(*rows, **more)
    assert (found.state, found.needs_attention) == (ProtectionState(word), attention), found.reason
    assert found.reason
    assert found.since <= NOW


def test_the_reason_says_how_old_and_how_old_it_may_be() -> None:
    assert judged(row(OLD)).reason == "the newest good set is 30 hours old; the limit is 26 hours"
    found = judged()
    assert found.reason == "nothing was stored yet, although it is there for 60 days"
    assert found.seconds_until_late(NOW) < 0
    assert judged(row(FRESH)).seconds_until_late(NOW) == 16 * 3600


@pytest.mark.parametrize("seed", range(20))
def test_time_alone_never_makes_anything_better(seed: int) -> None:
    rng = random.Random(seed)
    severity = list(ProtectionState)
    for _ in range(200):
        rows = [
            row(
                timedelta(hours=rng.randrange(1, 200)),
                state=rng.choice(("good", "good", "good", "quarantined")),
                **rng.choice(({}, UNVERIFIED)),
            )
            for _ in range(rng.randrange(4))
        ]
        is_lost = [rng.random() < 0.2 for _ in rows]
        stored = [each for each, missing in zip(rows, is_lost, strict=True) if not missing]
        lost = [gone(each) for each, missing in zip(rows, is_lost, strict=True) if missing]
        known = Known(
            first_seen=NOW - timedelta(hours=rng.randrange(300)),
            enabled=rng.choice((True, True, False, None)),
            deadline=timedelta(hours=rng.randrange(1, 100)),
            restore_test=rng.choice((None, "daily", "weekly")),
            sets=KnownSets.of(stored, lost, now=NOW),
        )
        before = protection(known, now=NOW)
        after = protection(known, now=NOW + timedelta(hours=rng.randrange(500)))
        never = ProtectionState.NEVER
        if before.state is never:
            assert after.state is never
            assert after.needs_attention >= before.needs_attention
        else:
            assert severity.index(after.state) <= severity.index(before.state)
