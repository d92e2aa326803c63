"""Whatever a file says, the loader answers, and a wrong schedule never hides that another is right."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
import yaml

from airflow_backup.schedules.loading.loader import parse

MUTATIONS = 10_000
BATCHES = 10

FILE = """\
version: 1
defaults: {repository: "file:///b", timezone: Europe/Berlin, retry: {max_retries: 2}}
windows:
  nightly: {days: [mon-fri], from: "22:00", to: "06:00"}
calendars:
  freeze: {dates: [2026-12-24..2026-12-27]}
templates:
  prod: {priority: 200}
schedules:
  - id: files
    extends: prod
    source: {engine: files, path: /srv, exclude: ["*.tmp"]}
    cron: "0 2 * * *"
    window: nightly
    skip_on: [freeze]
    tags: [a, b]
  - id: shop
    source: {engine: sqlite, path: /srv/shop.db}
    levels: {full: "0 2 * * sun", incremental: "0 2 * * mon-sat"}
    retention: {last: 7, daily: 14, min_chains: 2}
    verify: {level: standard, every: 2}
  - id: logs
    source: {engine: files, paths: [/var/log, /srv/log]}
    every: 45m
    jitter: 5m
    missed: run_once
    alert_after: 2h
"""
JUNK: list[Any] = [
    None,
    True,
    -1,
    10**30,
    0.5,
    "",
    "x",
    "\u202e",
    "a" * 300,
    [],
    {},
    [[]],
    {"a": {"b": []}},
    [None],
    "${X}",
    "0 2 30 2 *",
]


@pytest.mark.parametrize("seed", range(BATCHES))
def test_any_change_of_a_character_is_answered(seed: int) -> None:
    chosen = random.Random(seed)
    for _ in range(MUTATIONS // BATCHES // 2):
        text = list(FILE)
        for _ in range(chosen.randrange(1, 6)):
            place = chosen.randrange(len(text))
            what = chosen.random()
            if what < 0.4:
                text[place] = chosen.choice("{}[]:,'\"#&*!|>%@`\n\t -xX0é\x00")
            elif what < 0.7:
                del text[place]
            else:
                text.insert(place, chosen.choice("{}[]:,'\"#&*!|>%@`\n\t -xX0é\x00"))
        loaded = parse("".join(text), environ={})
        assert loaded.schedules or loaded.problems
        assert all(problem.line >= 1 and problem.column >= 1 for problem in loaded.problems)


def mutate(schedule: dict[str, Any], chosen: random.Random) -> None:
    """Make one schedule different: a key gone, renamed or with a value that is junk."""
    target: Any = schedule
    nested = [key for key, value in schedule.items() if isinstance(value, dict) and value]
    if nested and chosen.random() < 0.4:
        target = schedule[chosen.choice(nested)]
    key = chosen.choice(sorted(target))
    what = chosen.random()
    if what < 0.2:
        del target[key]
    elif what < 0.4:
        target[chosen.choice(["x", key[:-1], f"{key}s", "cron"])] = target.pop(key)
    else:
        target[key] = copy.deepcopy(chosen.choice(JUNK))


@pytest.mark.parametrize("seed", range(BATCHES))
def test_a_wrong_schedule_never_hides_that_another_is_right(seed: int) -> None:
    chosen = random.Random(seed)
    whole: dict[str, Any] = yaml.safe_load(FILE)
    for _ in range(MUTATIONS // BATCHES // 2):
        changed = copy.deepcopy(whole)
        victim = chosen.randrange(3)
        for _ in range(chosen.randrange(1, 3)):
            if changed["schedules"][victim]:
                mutate(changed["schedules"][victim], chosen)
        loaded = parse(yaml.safe_dump(changed, sort_keys=False), environ={})
        others = {entry["id"] for index, entry in enumerate(whole["schedules"]) if index != victim}
        right = {item.schedule.id for item in loaded.schedules}
        assert others <= right, changed["schedules"][victim]
        assert len(right) == 3 or loaded.problems
