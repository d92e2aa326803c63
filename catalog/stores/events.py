"""Who did what, in a chain: each event's hash covers the one before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, text

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.records import Event
from airflow_backup.catalog.tables import events

_LOCK = 0x6576656E7473  # "events" in ASCII


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
        plain = dict(detail or {})
        with self._database.writing() as connection:
            if not self._database.is_sqlite:  # one at a time, or two would follow the same event
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            last = connection.execute(
                select(events.c.id, events.c.hash).order_by(events.c.id.desc()).limit(1)
            ).first()
            number = 1 if last is None else last.id + 1
            before = "" if last is None else last.hash
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
            connection.execute(
                events.insert().values(
                    id=number,
                    at=at,
                    actor=actor,
                    action=action,
                    subject=subject,
                    detail=plain,
                    hash=digest,
                )
            )
        return event

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
