"""What is read of many schedules at once is what reading all of each would give."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import SetRow
from airflow_backup.catalog.rules.known import Known, KnownSets
from airflow_backup.catalog.rules.protection import Protection, protection
from airflow_backup.catalog.tables import sets
from airflow_backup.core.words import Kind
from support.situations import NOW, row

SCHEDULES = [f"s{number}" for number in range(60)]


def history(rng: random.Random, schedule_id: str) -> list[SetRow]:
    """Make up sets, the oldest first: chains, logs, lost parents, damage, removal, a clock that was ahead."""
    found: list[SetRow] = []
    sound = rng.random() < 0.4
    for number in range(rng.randrange(0, 12)):
        kind = rng.choice(list(Kind)) if found else Kind.FULL
        if sound and kind is Kind.ARCHIVE_LOG:
            kind = Kind.INCREMENTAL
        parent = None if kind is Kind.FULL else rng.choice(found[-2:]).set_id
        if parent is not None and not sound and rng.random() < 0.1:
            parent = "gone"
        state = "good" if sound else rng.choice(["good"] * 6 + ["quarantined", "deleting"])
        age = timedelta(hours=40 - 4 * number - (8 if not sound and rng.random() < 0.05 else 0))
        made = row(
            age,
            set_id=f"{schedule_id}-{number}",
            schedule_id=schedule_id,
            kind=kind,
            parent=parent,
            state=state,
        )
        base = None if parent is None else "base"
        found.append(made._replace(parent=parent, base=base))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_the_short_way_finds_what_all_sets_say(seed: int) -> None:
    rng = random.Random(seed)
    with Catalog.open("sqlite://") as catalog:
        all_rows = {name: history(rng, name) for name in SCHEDULES}
        with catalog.standings._database.writing() as connection:
            for rows in all_rows.values():
                for each in rows:
                    values = dict(zip(each._fields, each, strict=True))
                    connection.execute(sets.insert().values(values))
        found = catalog.standings.of(SCHEDULES, now=NOW)
    words = set()
    for name, rows in all_rows.items():
        newest_first = sorted(rows, key=lambda each: each.consistent_at, reverse=True)
        whole = judged(KnownSets.of(newest_first, now=NOW))
        short = judged(found[name].sets)
        assert short == whole, (name, rows)
        words.add(short.state)
    assert len(words) >= 3


def judged(known: KnownSets) -> Protection:
    """Judge with everything else as it should be."""
    facts = Known(
        first_seen=NOW - timedelta(days=60),
        enabled=True,
        deadline=timedelta(hours=26),
        is_verified=False,
        sets=known,
    )
    return protection(facts, now=NOW)
