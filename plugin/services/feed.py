"""The feed of events as one user may read it, and how many streams of it are open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import Event
from airflow_backup.core.words import EventKind
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.schemas.events import EventList, FeedEvent
from airflow_backup.schedules.times.holds import AIRFLOW_ITSELF

MOST_STREAMS, MOST_OF_ONE = 64, 6
"""Open at once in one API server; a browser keeps six connections to a server."""


def read_feed(catalog: Catalog, access: Access, *, after: int, limit: int) -> EventList:
    """Return what happened after a cursor and the user may read; fewer than ``limit`` where others may read more."""
    found = catalog.events.after(after, limit=limit)
    schedules = {event.subject for event in found} - {AIRFLOW_ITSELF}
    readable = access.readable(schedules) | {AIRFLOW_ITSELF} if schedules else {AIRFLOW_ITSELF}
    return EventList(
        events=[_shown(event) for event in found if event.subject in readable],
        cursor=found[-1].id if found else after,
        newest=catalog.events.last_id(),
        more=len(found) == limit,
    )


def _shown(event: Event) -> FeedEvent:
    return FeedEvent(
        id=event.id,
        at=event.at,
        event=EventKind(event.action),
        schedule_id=None if event.subject == AIRFLOW_ITSELF else event.subject,
        actor=event.actor,
        detail=dict(event.detail),
    )


class OpenStreams:
    """Counts the streams that are open, so that nobody takes all of the server's connections."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._of: Counter[str] = Counter()

    @contextmanager
    def one(self, user: str) -> Iterator[bool]:
        """Hold a place while the block runs; give False, and hold none, where there is none left."""
        with self._lock:
            free = self._of.total() < MOST_STREAMS and self._of[user] < MOST_OF_ONE
            if free:
                self._of[user] += 1
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._of[user] -= 1


open_streams = OpenStreams()
