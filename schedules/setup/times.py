"""When: what other schedulers write, as a schedule writes it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow_backup.schedules.model.cron import check_cron, has_star_step_and_weekday
from airflow_backup.schedules.model.presets import PRESETS

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
    "@every_minute": "* * * * *",
}
"""What cron means by them; the presets of the same names run at other hours."""

_RANDOM_MINUTE = re.compile(r"(\d{0,2})~(\d{0,2})")
TIME_IS_LOST = "its time could not be carried over: look when it runs"
STAR_STEP = (
    "cron on Linux runs it on days that match both fields; here either is enough: "
    "write the days out"
)


def from_cron(text: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """
    Return what a schedule writes for a cron expression, and what is to be said of it; ValueError for none.

    >>> from_cron("@daily")
    ({'cron': '0 0 * * *'}, ())
    >>> from_cron("0~30 2 * * *")
    ({'cron': '0 2 * * *', 'jitter': '30m'}, ())
    """
    if text.startswith("@"):
        if text.lower() not in MACROS:
            raise ValueError(f"{text} is no time that comes again")
        return {"cron": MACROS[text.lower()]}, ()
    fields = text.split()
    jitter: dict[str, Any] = {}
    drawn = _RANDOM_MINUTE.fullmatch(fields[0]) if fields else None
    if drawn is not None:
        low, high = int(drawn[1] or 0), int(drawn[2] or 59)
        fields[0] = str(low)
        jitter = {"jitter": f"{max(high - low, 1)}m"}
    cron = check_cron(" ".join(fields))
    notes = (STAR_STEP,) if has_star_step_and_weekday(cron) else ()
    return {"cron": cron, **jitter}, notes


def from_words(text: str) -> dict[str, Any]:
    """
    Read what a person answers: a preset or a cron expression; ValueError for neither.

    >>> from_words("daily"), from_words("0 3 * * *")
    ({'preset': 'daily'}, {'cron': '0 3 * * *'})
    """
    text = text.strip()
    if text in PRESETS:
        return {"preset": text}
    if " " not in text and not text.startswith("@"):
        raise ValueError(
            f"{text!r} is neither a preset ({', '.join(PRESETS)}) nor a cron expression"
        )
    return from_cron(text)[0]


def machine_timezone(
    environ: Mapping[str, str] = os.environ, *, root: Path = Path("/")
) -> str | None:
    """Return the zone that this machine keeps, by its name; None where it does not say."""
    candidates = [environ.get("TZ", "").lstrip(":")]
    with suppress(OSError, ValueError):
        candidates.append((root / "etc/timezone").read_text(encoding="utf-8").strip())
    with suppress(OSError):
        candidates.append(os.readlink(root / "etc/localtime").partition("zoneinfo/")[2])
    return next((each for each in candidates if each and is_zone(each)), None)


def is_zone(name: str) -> bool:
    """Whether the tz database has a zone of this name."""
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return False
    return True
