"""Cron expressions by chance: all that the product accepts, in every spelling."""

from __future__ import annotations

import random
from collections.abc import Iterator

from airflow_backup.schedules.model.cron import check_cron

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "MON", "Fri")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "DEC")
LIMITS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
STARS = {"second": 0.1, "minute": 0.1, "hour": 0.2, "day": 0.55, "month": 0.6, "weekday": 0.5}
ODD = {
    "day": ("L", "?", "l", "15,L"),
    "weekday": ("mon#1", "5#3", "L5", "?", "fri#5", "L0", "mon#1,wed#2"),
}


def _value(chance: random.Random, field: str) -> str:
    names = {"weekday": DAYS, "month": MONTHS}.get(field, ())
    if names and chance.random() < 0.4:
        return chance.choice(names)
    return str(chance.randint(*LIMITS.get(field, (0, 59))))


def _item(chance: random.Random, field: str) -> str:
    first, last = _value(chance, field), _value(chance, field)
    step = chance.choice((1, 2, 3, 4, 5, 7, 10, 15))
    return chance.choice(
        (
            first,
            first,
            first,
            f"{first}-{last}",
            f"{first}-{last}/{step}",
            f"*/{step}",
            f"{first}-{first}",
            f"{first}/{step}",
        )
    )


def _field(chance: random.Random, field: str) -> str:
    if chance.random() < STARS[field]:
        return "*"
    if field in ODD and chance.random() < 0.12:
        return chance.choice(ODD[field])
    return ",".join(_item(chance, field) for _ in range(chance.choice((1, 1, 1, 2, 3))))


def crons(count: int, *, seed: int) -> Iterator[str]:
    """Make so many expressions that the product accepts."""
    chance = random.Random(seed)  # a seed, no secret
    made = 0
    while made < count:
        fields = ["second", *LIMITS] if chance.random() < 0.15 else [*LIMITS]
        cron = " ".join(_field(chance, field) for field in fields)
        try:
            check_cron(cron)
        except ValueError:
            continue
        made += 1
        yield cron
