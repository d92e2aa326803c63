"""
What happened to schedules and who did what, in a chain: each event's hash covers the one before it.

The feed is the part of it whose actions are the words of `EventKind`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select, text

from airflow_backup.catalog.address import SQLITE
from airflow_backup.catalog.database import Database
from airflow_backup.catalog.records import Event
from airflow_backup.catalog.tables import events
from airflow_backup.core.text.texts import storable
from airflow_backup.core.words import EventKind

SYSTEM = "airflow-backup"
"""Who did what nobody asked for."""

_LOCK = 0x6576656E7473  # "events" in ASCII
_FEED = [str(kind) for kind in EventKind]


class Events:
    """The events, which are only ever added to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(
        self,
        *,
        at: datetime,
        actor: str,
        action: str,
        subject: str,
        detail: Mapping[str, Any] | None = None,
    ) -> Event:
        """Add an event; ``subject`` names the thing, ``detail`` is plain JSON data, no secrets."""
        with self._database.writing() as connection:
            return add_event(
                connection, at=at, actor=actor, action=action, subject=subject, detail=detail
            )

    def after(self, cursor: int, *, limit: int = 100) -> list[Event]:
        """Return what happened to schedules after the event ``cursor``, in order."""
        with self._database.reading() as connection:
            return events_after(connection, cursor, limit=limit)

    def last_id(self) -> int:
        """Return the cursor after which nothing has happened yet."""
        with self._database.reading() as connection:
            return last_event_id(connection)

    def recent(self, limit: int = 100, *, subject: str | None = None) -> list[Event]:
        """Return events, the newest first."""
        query = select(events).order_by(events.c.id.desc()).limit(limit)
        if subject is not None:
            query = query.where(events.c.subject == subject)
        with self._database.reading() as connection:
            return [Event(**row) for row in connection.execute(query).mappings()]

    def first_broken(self) -> Event | None:
        """Return the first event that does not fit the one before it, or None."""
        before, expected = "", 1
        with self._database.reading() as connection:
            for row in connection.execute(select(events).order_by(events.c.id)).mappings():
                event = Event(**row)
                digest = _hash(
                    before,
                    expected,
                    event.at,
                    event.actor,
                    event.action,
                    event.subject,
                    event.detail,
                )
                if event.hash != digest or event.id != expected:
                    return event
                before, expected = event.hash, expected + 1
        return None


def add_event(
    connection: Connection,
    *,
    at: datetime,
    action: str,
    subject: str,
    actor: str = SYSTEM,
    detail: Mapping[str, Any] | None = None,
) -> Event:
    """
    Add an event to the transaction of what it tells: both are there, or neither is.

    Call it last in the transaction. From here on every other one that adds an event waits, so that ids are given
    in the order of commits: who reads after a cursor never sees a smaller id appear later.
    """
    lock_events(connection)
    last = connection.execute(
        select(events.c.id, events.c.hash).order_by(events.c.id.desc()).limit(1)
    ).first()
    number, before = (1, "") if last is None else (last.id + 1, last.hash)
    plain = storable(dict(detail or {}))
    digest = _hash(before, number, at, actor, action, subject, plain)
    event = Event(
        id=number,
        at=at.astimezone(UTC),
        actor=actor,
        action=action,
        subject=subject,
        detail=plain,
        hash=digest,
    )
    row = {name: getattr(event, name) for name in Event.__slots__}
    connection.execute(events.insert().values(**row))
    return event


def lock_events(connection: Connection) -> None:
    """Let nobody else add events until this transaction ends."""
    if connection.dialect.name != SQLITE:  # whose transactions that write are one at a time anyway
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def events_after(connection: Connection, cursor: int, *, limit: int) -> list[Event]:
    """Return what happened to schedules after the event ``cursor``, in order."""
    query = (
        select(events)
        .where(events.c.id > cursor, events.c.action.in_(_FEED))
        .order_by(events.c.id)
        .limit(limit)
    )
    return [Event(**row) for row in connection.execute(query).mappings()]


def last_event_id(connection: Connection) -> int:
    """Return the id of the newest event, 0 where there is none."""
    return connection.scalar(select(func.max(events.c.id))) or 0


def _hash(
    before: str,
    number: int,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any],
) -> str:
    moment = at.astimezone(UTC).isoformat()
    told = json.dumps([before, number, moment, actor, action, subject, detail], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()
