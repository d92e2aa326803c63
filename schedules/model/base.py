"""The base of everything that the user may write: frozen, strict about keys, documented in place."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from airflow_backup.core.text.durations import format_duration, parse_duration, parse_size
from airflow_backup.core.text.names import quoted


class Model(BaseModel):
    """A frozen model: unknown keys are errors; the docstrings below them are their description."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """
        Return itself, as a frozen value may: pydantic copies each default that holds a list, for every schedule.

        >>> from airflow_backup.schedules.model.policies import Retry
        >>> retry = Retry()
        >>> retry.__deepcopy__() is retry
        True
        """
        return self


LONGEST = timedelta(days=36_525)
"""A hundred years; what is added to a moment must come to a moment that there is."""

MOST_BYTES = 2**60


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError(f"{quoted(value)} is not a duration; write for example 30s, 5m, 4h or 14d")


def _whole(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"`{str(value).lower()}` is not a number; write for example 7")
    return value


def _time_of_day(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if text == "24:00":
        return text
    try:
        hours, minutes = text.split(":")
        if len(minutes) != 2:
            raise ValueError
        return time(int(hours), int(minutes)).strftime("%H:%M")
    except ValueError:
        raise ValueError(f"{quoted(value)} is not a time of day; write for example 22:00") from None


_NO_PLACES = re.compile(r"(?:posix|right)/.*|Factory|localtime|posixrules")
"""
What Python finds among the zones: names that no browser knows, that count leap seconds, or that differ by machine.
"""


def _timezone(value: Any) -> str:
    try:
        if _NO_PLACES.fullmatch(value):
            raise ValueError
        ZoneInfo(value)
    except (ValueError, TypeError, KeyError, OSError):
        raise ValueError(
            f"{quoted(value)} is not a timezone; write for example Europe/Berlin"
        ) from None
    return str(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration, json_schema_input_type=str),
    PlainSerializer(format_duration, return_type=str),
    Field(ge=timedelta(0), le=LONGEST),
]
"""A span of time, written ``30s``, ``5m``, ``4h``, ``1h30m`` or ``14d``."""

Size = Annotated[
    int, BeforeValidator(parse_size, json_schema_input_type=str | int), Field(gt=0, le=MOST_BYTES)
]
"""A number of bytes, written ``500MB`` or ``2GiB``."""

TimeOfDay = Annotated[str, BeforeValidator(_time_of_day)]
"""A wall-clock time ``HH:MM``, ``00:00`` to ``24:00``."""

TimezoneName = Annotated[str, BeforeValidator(_timezone)]
"""A zone of the tz database, for example ``Europe/Berlin``."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
"""A short name: a small letter, then small letters, digits, ``_`` and ``-``; at most 63."""

AbsolutePath = Annotated[str, Field(pattern=r"^/[^\x00]*$", max_length=4096)]
"""A path that starts with ``/``, as the worker sees it."""

ConnectionId = Annotated[str, Field(pattern=r"^[^@?=\x00-\x1f]+$", max_length=250)]
"""The id of an Airflow connection, and no address with a password, which has a sign that no id has."""

PlaceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*$", max_length=200)]
"""The name of a queue or an executor, as Airflow's configuration has it."""

HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=250)]
"""The name of a machine, as it calls itself or as `[backup] host_name` calls it there."""

PoolName = Annotated[str, Field(pattern=r"^[^\x00-\x1f]+$", max_length=250)]
"""The name of an Airflow pool."""

Words = Annotated[str, Field(max_length=10_000)]
"""Text for people."""

Pattern = Annotated[str, Field(max_length=4096)]
"""A pattern for paths."""

WHOLE = BeforeValidator(_whole)
"""
For a number: ``yes``, which Python would take for 1, is none. Written last, so that the bounds stay in the JSON
Schema.
"""

Count = Annotated[int, Field(ge=1, le=1_000_000), WHOLE]
"""A number of things, one at least."""
