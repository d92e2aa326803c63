"""What the API says of what happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow_backup.core.words import EventKind
from airflow_backup.plugin.schemas.base import ApiModel


class FeedEvent(ApiModel):
    """Something that happened to a schedule, or to Airflow itself."""

    id: int
    """Counts up in the order in which things became true; a cursor for `after`."""
    at: datetime
    event: EventKind
    schedule_id: str | None
    """Null for what concerns Airflow itself: that it serves nothing."""
    actor: str
    """Who did it; `airflow-backup` for what nobody asked for."""
    detail: dict[str, Any]
    """What is known: `run_id`, `attempt`, `error`, `hint`, `reason`, `set_id` and the like."""


class EventList(ApiModel):
    """What happened after a cursor, in order."""

    events: list[FeedEvent]
    cursor: int
    """What to give as `after` next time; it moves on over events that you may not read."""
    newest: int
    """The id of the newest event that there is; a cursor for who wants to know of what comes only."""
    more: bool
    """Whether there is more to be read right now."""
