"""Cron expressions: five fields, or six with seconds first; nothing random, nothing that never fires."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

from croniter import CroniterBadDateError, CroniterError, croniter
from pydantic import BeforeValidator

from airflow_backup.core.text.names import quoted
from airflow_backup.schedules.model.cron_ranges import written_out

_LONGEST = 256
_EXAMPLE = 'write for example "0 2 * * *"'
_LONGEST_GAP_YEARS = 9
"""A 29 February may be eight years away (1896 to 1904, 2096 to 2104); nothing is rarer."""

_FIELDS = ("second", "minute", "hour", "day of the month", "month", "day of the week")
_ANY_DAY = datetime(2024, 1, 1)  # noqa: DTZ001  # the wall clock of no zone
_HOUR = 1
"""Where croniter puts the hours; it moves seconds to the end."""
_RANDOM = ("r", "h")


def check_cron(text: Any) -> str:
    """
    Return the expression with single spaces; raise ValueError with what would be right.

    >>> check_cron(" 0  2 * * sun ")
    '0 2 * * sun'
    >>> check_cron("0 2 30 2 *")
    Traceback (most recent call last):
    ValueError: cron '0 2 30 2 *' never fires: no month has that day
    """
    if not isinstance(text, str):
        raise ValueError(f"{quoted(text)} is not a cron expression; {_EXAMPLE}")
    if len(text) > _LONGEST:
        raise ValueError(
            f"a cron expression has at most {_LONGEST} characters; write several levels or schedules"
        )
    return _check(" ".join(text.split()))


@lru_cache(maxsize=4096)
def _check(cron: str) -> str:
    fields = cron.split(" ")
    if cron.startswith("@"):
        raise ValueError(
            f"cron {quoted(cron)} is not accepted; write `preset: {cron[1:] or 'daily'}`"
        )
    if len(fields) not in (5, 6):
        raise ValueError(
            f"cron {quoted(cron)} has {len(fields) if cron else 0} fields; "
            f"it takes five, or six with seconds first; {_EXAMPLE}"
        )
    day, weekday = fields[-3], fields[-1]
    if re.search("[#lL]", weekday) and day not in ("*", "?", "*/1"):
        raise ValueError(
            f"cron {quoted(cron)} asks for a day of the month and for the n-th weekday {quoted(weekday)} of it; "
            "write two levels or two schedules, one for each"
        )
    if "w" in day.lower() and weekday not in ("*", "?", "*/1"):
        raise ValueError(
            f"cron {quoted(cron)} asks for the working day nearest to a day of the month and for days of the week; "
            "write two levels or two schedules, one for each"
        )
    if any(field.lower().startswith(_RANDOM) for field in fields):
        raise ValueError(
            f"cron {quoted(cron)} is random; write the time itself, and `jitter:` to spread the load"
        )
    try:
        croniter.expand(cron, second_at_beginning=True)
        iterator(cron, _ANY_DAY).get_next(datetime)
    except CroniterBadDateError:
        raise ValueError(f"cron {quoted(cron)} never fires: no month has that day") from None
    except (CroniterError, ValueError, KeyError, IndexError, TypeError):
        raise ValueError(f"cron {quoted(cron)} is wrong: {_culprit(fields)}; {_EXAMPLE}") from None
    return cron


def _culprit(fields: list[str]) -> str:
    """Say which field is wrong, by trying each alone; croniter quotes only the whole."""
    names = _FIELDS if len(fields) == len(_FIELDS) else _FIELDS[1:]
    for position, (name, field) in enumerate(zip(names, fields, strict=True)):
        alone = ["*"] * len(fields)
        alone[position] = field
        try:
            croniter.expand(" ".join(alone), second_at_beginning=True)
        except (CroniterError, ValueError, KeyError, IndexError, TypeError):
            return f"the {name} {quoted(field)} is not possible"
    return "its fields do not go together"


CronExpression = Annotated[str, BeforeValidator(check_cron)]
"""A cron expression with five fields, or six with seconds first, for example `0 2 * * sun`."""


def iterator(cron: str, wall: datetime) -> croniter:
    """Walk the expression from a naive wall-clock time, which itself is not included."""
    return croniter(
        written_out(cron),
        wall,
        second_at_beginning=True,
        max_years_between_matches=_LONGEST_GAP_YEARS,
    )


@lru_cache(maxsize=4096)
def fires_every_hour(cron: str) -> bool:
    """
    Whether the expression fires in every hour of the day, so that it follows real time.

    >>> fires_every_hour("*/15 * * * *"), fires_every_hour("0 0-23 * * *"), fires_every_hour("0 */2 * * *")
    (True, True, False)
    """
    fields, _ = croniter.expand(written_out(cron), second_at_beginning=True)[:2]
    hours = fields[_HOUR]
    return hours == ["*"] or set(hours) >= set(range(24))


def has_star_step_and_weekday(cron: str) -> bool:
    """
    Whether a day field steps from a star while the other one is restricted: programs named cron differ there.

    >>> has_star_step_and_weekday("0 2 */3 * mon"), has_star_step_and_weekday("0 2 */3 * *")
    (True, False)
    """
    day, _, weekday = cron.split(" ")[-3:]
    fields = (day, weekday)
    return any(field.startswith("*/") for field in fields) and not any(
        field in ("*", "?", "*/1") for field in fields
    )
