"""Which runs of all schedules are wanted, and where a page of them ends; pure."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from airflow_backup.catalog.stores.probe import Place
from airflow_backup.core.words import ExecutionStatus, Kind, Trigger
from airflow_backup.plugin.schemas.base import ApiModel, Moment
from airflow_backup.plugin.schemas.runs import RunSummary

AT_ONCE = 200
"""The most runs of one page."""

_PLACE: TypeAdapter[Any] = TypeAdapter(
    tuple[Moment, Annotated[str, Field(max_length=90)], Annotated[str, Field(max_length=250)]]
)


class RunChoice(ApiModel):
    """Which runs are wanted; what is left out narrows nothing."""

    schedule: Annotated[str, Field(max_length=63)] | None = None
    """The id of one schedule."""
    q: Annotated[str, Field(max_length=200)] = ""
    """Part of the id, description, group, source or a tag of the schedule, whatever the case."""
    group: Annotated[str, Field(max_length=90)] | None = None
    tag: Annotated[str, Field(max_length=90)] | None = None
    source: Annotated[str, Field(max_length=90)] | None = None
    """The engine that reads it, for example `files`."""
    status: Annotated[list[ExecutionStatus], Field(max_length=10)] = Field(default_factory=list)
    """What became of them; may be given several times."""
    trigger: Annotated[list[Trigger], Field(max_length=10)] = Field(default_factory=list)
    kind: Annotated[list[Kind], Field(max_length=10)] = Field(default_factory=list)
    after: Moment | None = None
    """Only those that came into being from this moment on."""
    before: Moment | None = None
    """Only those that came into being before this moment."""
    cursor: Annotated[str, Field(max_length=1000)] | None = None
    """Where the answer before ended: its `next_cursor`, or its `X-Next-Cursor`."""

    @field_validator("cursor")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None:
            place_of(value)
        return value


class RunFilters(RunChoice):
    """Which runs are wanted, and which page of them."""

    limit: Annotated[int, Field(ge=1, le=AT_ONCE)] = 50


def is_chosen(run: RunSummary, choice: RunChoice) -> bool:
    """Whether a run is what was asked for, but for its schedule."""
    return (
        (not choice.status or run.status in choice.status)
        and (not choice.trigger or run.trigger in choice.trigger)
        and (not choice.kind or run.kind in choice.kind)
        and (choice.after is None or run.since >= choice.after)
        and (choice.before is None or run.since < choice.before)
    )


def run_place(run: RunSummary) -> Place:
    """Return where a run is in the history."""
    return run.since, run.schedule_id, run.run_id


def cursor_of(place: Place) -> str:
    """
    Write a place as text that can stand in an address.

    >>> from datetime import datetime
    >>> at = datetime.fromisoformat("2026-11-29T02:00:00+00:00")
    >>> place_of(cursor_of((at, "wiki", "manual__1"))) == (at, "wiki", "manual__1")
    True
    """
    since, schedule_id, run_id = place
    given = json.dumps([since.isoformat(), schedule_id, run_id]).encode()
    return base64.urlsafe_b64encode(given).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """Read what `cursor_of` wrote; ValueError where it did not."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        given = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        since, schedule_id, run_id = _PLACE.validate_python(given)
        if "\0" in schedule_id + run_id:
            raise ValueError("PostgreSQL cannot compare with it")
    except (binascii.Error, ValueError, RecursionError, ValidationError):
        raise ValueError("this is no cursor; send the `next_cursor` of an answer") from None
    return since, schedule_id, run_id
