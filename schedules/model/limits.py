"""What a backup may take of what is shared: places on repositories and hosts, bandwidth, and the machine itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, model_validator

from airflow_backup.core.text.durations import parse_size
from airflow_backup.core.text.names import quoted
from airflow_backup.schedules.model.base import MOST_BYTES, WHOLE, Model
from airflow_backup.schedules.model.windows import Window, is_open

SLOWEST = 1000
"""Bytes a second; less is a unit that was forgotten, and a run that holds its place for years."""


def _rate(value: Any) -> int | str:
    if value == "unlimited":
        return "unlimited"
    try:
        found = parse_size(value)
    except ValueError:
        raise ValueError(
            f"{quoted(value)} is not a rate; write for example 20MB, or unlimited"
        ) from None
    if not SLOWEST <= found <= MOST_BYTES:
        raise ValueError(
            f"{quoted(value)} is no rate to back up at; write for example 20MB, or unlimited"
        )
    return found


Rate = Annotated[
    int | Literal["unlimited"], BeforeValidator(_rate, json_schema_input_type=str | int)
]
"""Bytes a second, written ``20MB``; or ``unlimited``."""


class AtOnce(Model):
    """
    How many backups may work at the same time on what is shared; counted are those of schedules with the same limit.
    """

    repository: Annotated[int, Field(ge=1, le=100), WHOLE] | None = None
    """How many write to the schedule's repository; as many as there are when missing."""

    host: Annotated[int, Field(ge=1, le=100), WHOLE] | None = None
    """
    How many read from the host of the source: the server of its connection, else the worker; as many as there are
    when missing.
    """


class ThrottleTime(Window):
    """Other rates in times of the week, written like a window."""

    upload: Rate | None = None
    """Bytes a second that go to the repository meanwhile; as at other times when missing."""

    read: Rate | None = None
    """Bytes a second that go from the source into the set meanwhile; as at other times when missing."""


class Rates(NamedTuple):
    """Bytes a second at one moment; None for no limit."""

    upload: int | None
    read: int | None


class Throttle(Model):
    """How fast a backup may be, and how much it gives way to other work on its machine."""

    upload: Rate | None = None
    """Bytes a second that go to the repository, after compression; no limit when missing."""

    read: Rate | None = None
    """
    Bytes a second that go from the source into the set, before compression; no limit when missing. What is only
    compared with the parent does not count.
    """

    times: Annotated[list[ThrottleTime], Field(max_length=20)] = []
    """Other rates in times of the week; of several that hold at a moment the first one counts."""

    nice: Annotated[int, Field(ge=0, le=19), WHOLE] | None = None
    """How far the backup and its programs stand back for others on the processor, as `nice` says it."""

    io_class: Literal["low", "idle"] | None = None
    """
    How far they stand back on disks, as `ionice` says it: `low` is best-effort 7; `idle` reads when nobody else does.
    The system heeds it where its I/O scheduler does, such as BFQ.
    """

    @model_validator(mode="after")
    def _each_time_says_something(self) -> Throttle:
        for each in self.times:
            if each.upload is None and each.read is None:
                raise ValueError("each of `times` has `upload`, `read` or both")
        return self

    @property
    def limits_reading(self) -> bool:
        """Whether reading is limited at some time."""
        return any(isinstance(each, int) for each in (self.read, *(one.read for one in self.times)))

    @property
    def limits_upload(self) -> bool:
        """Whether what goes to the repository is limited at some time."""
        return any(
            isinstance(each, int) for each in (self.upload, *(one.upload for one in self.times))
        )

    def rates_at(self, moment: datetime, *, timezone: str) -> Rates:
        """
        Return the rates that hold at a moment; times without a zone of their own are in ``timezone``.

        >>> slow = Throttle.model_validate(
        ...     {"upload": "20MB", "times": [{"from": "08:00", "to": "18:00", "upload": "5MB"}]}
        ... )
        >>> slow.rates_at(datetime.fromisoformat("2026-11-23T09:00:00+00:00"), timezone="UTC")
        Rates(upload=5000000, read=None)
        """
        upload, read = self.upload, self.read
        now = [each for each in self.times if is_open([each], moment, timezone=timezone)]
        upload = next((each.upload for each in now if each.upload is not None), upload)
        read = next((each.read for each in now if each.read is not None), read)
        return Rates(
            upload if isinstance(upload, int) else None, read if isinstance(read, int) else None
        )
