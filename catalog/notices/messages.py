"""A message that waits in the outbox, and what may be drawn from an outbox at one look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, select

from airflow_backup.catalog.notices.tables import messages, receivers, told
from airflow_backup.catalog.records import Event
from airflow_backup.catalog.stores.events import (
    events_after,
    last_event_id,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message that is to be sent."""

    id: str
    content: dict[str, Any]
    not_before: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message on its way."""

    id: str
    content: dict[str, Any]
    created_at: datetime
    due_at: datetime


class Draw:
    """One receiver's turn at the feed, within a transaction: nobody else reads it for the same receiver meanwhile."""

    def __init__(self, connection: Connection, key: str) -> None:
        self._connection, self._key = connection, key
        row = connection.execute(select(receivers).where(receivers.c.key == key)).first()
        if row is None:  # a new receiver: what happened before is not told to it
            cursor, self.digest_at = last_event_id(connection), None
            connection.execute(receivers.insert().values(key=key, cursor=cursor, failures=0))
        else:
            cursor, self.digest_at = row.cursor, row.digest_at
        self.cursor: int = cursor

    def events(self, limit: int = 1000) -> list[Event]:
        """Return what is to be looked at, in order."""
        return events_after(self._connection, self.cursor, limit=limit)

    def levels(self) -> dict[str, int]:
        """Return the worst that was told of each subject and is not over."""
        query = select(told).where(told.c.receiver == self._key)
        return {row.subject: row.level for row in self._connection.execute(query)}

    def put(
        self,
        drafts: Iterable[Draft],
        *,
        cursor: int,
        levels: Mapping[str, int],
        at: datetime,
        digest_at: datetime | None = None,
    ) -> None:
        """Write messages, and what was told with them; a level of 0 means that it is over."""
        for draft in drafts:
            row = {name: getattr(draft, name) for name in Draft.__slots__}
            self._connection.execute(
                messages.insert().values(**row, receiver=self._key, created_at=at)
            )
        for subject, level in levels.items():
            mine = and_(told.c.receiver == self._key, told.c.subject == subject)
            self._connection.execute(delete(told).where(mine))
            if level:
                row = {"receiver": self._key, "subject": subject, "level": level, "at": at}
                self._connection.execute(told.insert().values(**row))
        values: dict[str, Any] = {"cursor": cursor}
        if digest_at is not None:
            values["digest_at"] = digest_at
        self._connection.execute(
            receivers.update().where(receivers.c.key == self._key).values(**values)
        )
