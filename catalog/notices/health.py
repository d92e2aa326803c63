"""Whether messages reach their receivers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from airflow_backup.catalog.notices.tables import messages, receivers

UNDELIVERABLE = "undeliverable"
"""What becomes of a message that its receiver refuses for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverHealth:
    """Whether messages reach a receiver."""

    key: str
    waiting: int = 0
    failures: int = 0
    """How often in a row it could not be reached."""

    error: str | None = None
    next_try_at: datetime | None = None
    delivered_at: datetime | None = None
    undeliverable: int = 0
    """How many messages it refused for good, of those that are still listed."""

    last_undeliverable: str | None = None
    """The newest of these, and why, in words."""

    last_undeliverable_at: datetime | None = None


def health_of(connection: Connection) -> dict[str, ReceiverHealth]:
    """Return it for every receiver, by key."""
    waiting = dict(_count(connection, messages.c.ended_at.is_(None)))
    refused = dict(_count(connection, messages.c.outcome == UNDELIVERABLE))
    newest = (
        select(func.max(messages.c.number))
        .where(messages.c.outcome == UNDELIVERABLE)
        .group_by(messages.c.receiver)
    )
    last = {
        row.receiver: row
        for row in connection.execute(select(messages).where(messages.c.number.in_(newest)))
    }
    return {
        row.key: ReceiverHealth(
            key=row.key,
            waiting=waiting.get(row.key, 0),
            failures=row.failures,
            error=row.error,
            next_try_at=row.next_try_at,
            delivered_at=row.delivered_at,
            undeliverable=refused.get(row.key, 0),
            last_undeliverable=_words(last[row.key]) if row.key in last else None,
            last_undeliverable_at=last[row.key].ended_at if row.key in last else None,
        )
        for row in connection.execute(select(receivers))
    }


def _count(connection: Connection, which: ColumnElement[bool]) -> Iterator[tuple[str, int]]:
    query = select(messages.c.receiver, func.count()).where(which).group_by(messages.c.receiver)
    for row in connection.execute(query):
        yield row[0], row[1]


def _words(row: Row[Any]) -> str:
    return f"'{row.content.get('title')}': {row.error}"
