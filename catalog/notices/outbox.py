"""
Messages on their way to people: written together with the cursor, sent afterwards, each with an id that stays.

What is written here is sent at least once: whoever sends holds a claim for a while, and when he dies another one
sends the same messages under the same ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.notices.health import UNDELIVERABLE, ReceiverHealth, health_of
from airflow_backup.catalog.notices.messages import Draw, Message
from airflow_backup.catalog.notices.tables import messages, receivers, told
from airflow_backup.catalog.stores.events import (
    add_event,
    lock_events,
)
from airflow_backup.schedules.times.holds import AIRFLOW_ITSELF

SENT, DROPPED = "sent", "dropped"
_KEPT = 10_000
"""Messages that are over and still listed."""

_LATEST = timedelta(days=1)
"""Nobody waits for longer than this until a receiver is tried again."""


class Outbox:
    """The messages of all receivers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def draw(self, key: str) -> Iterator[Draw]:
        """Open a receiver's turn; what it puts is there when the block ends, or nothing of it is."""
        with self._database.writing() as connection:
            lock_events(connection)
            yield Draw(connection, key)

    def introduce(self, keys: Iterable[str]) -> None:
        """Let receivers hear of what happens from now on."""
        with self._database.reading() as connection:
            known = set(connection.scalars(select(receivers.c.key)))
        for key in sorted(set(keys) - known):
            with self.draw(key):
                pass

    def postpone(self, key: str, until: Callable[[str | None], datetime], *, now: datetime) -> None:
        """
        Let what is due wait until ``until`` says of its schedule: quiet hours may have begun since it was written.

        What was to be sent together stays together.
        """
        mine = and_(messages.c.receiver == key, messages.c.ended_at.is_(None))
        due = select(messages).where(mine, messages.c.not_before <= now)
        waits: dict[str, datetime] = {}
        with self._database.writing() as connection:
            lock_events(connection)
            for row in connection.execute(due).all():
                group = row.batch or row.id
                later = until(row.content.get("schedule"))
                waits[group] = max(later, waits.get(group, later))
            for group, later in waits.items():
                if later > now:
                    together = or_(messages.c.id == group, messages.c.batch == group)
                    connection.execute(
                        messages.update().where(mine, together).values(not_before=later)
                    )

    def claim(
        self, key: str, *, now: datetime, until: datetime, one: bool
    ) -> tuple[str, list[Message]] | None:
        """
        Take what is due for a receiver, in order; return the id of the batch and its messages.

        A batch whose sender died is given again as it was. None when there is nothing, or somebody else sends.
        """
        with self._database.writing() as connection:
            lock_events(connection)
            mine = and_(messages.c.receiver == key, messages.c.ended_at.is_(None))
            due = connection.execute(
                select(messages)
                .where(mine, messages.c.not_before <= now)
                .order_by(messages.c.number)
                .limit(1 if one else 500)
            ).all()
            held = (row.claimed_until for row in due if row.claimed_until is not None)
            # A claim lasts until ``until`` at most; one that is far beyond had a wrong clock.
            if not due or any(now < each <= until + (until - now) for each in held):
                return None
            batch = due[0].batch or due[0].id
            if due[0].batch is not None:
                due = [row for row in due if row.batch == batch]
            else:
                due = [row for row in due if row.batch is None]
            numbers = [row.number for row in due]
            connection.execute(
                messages.update()
                .where(messages.c.number.in_(numbers))
                .values(batch=batch, claimed_until=until)
            )
        return batch, [
            Message(
                id=row.id,
                content=row.content,
                created_at=row.created_at,
                due_at=max(row.created_at, row.not_before),
            )
            for row in due
        ]

    def end(
        self,
        key: str,
        batch: str,
        *,
        at: datetime,
        outcome: str = SENT,
        error: str | None = None,
    ) -> None:
        """Note that a batch was sent, or that nobody wants it any more; ``error`` is what went wrong all the same."""
        with self._database.writing() as connection:
            mine = and_(messages.c.receiver == key, messages.c.batch == batch)
            connection.execute(
                messages.update()
                .where(mine, messages.c.ended_at.is_(None))
                .values(ended_at=at, outcome=outcome, claimed_until=None)
            )
            values: dict[str, Any] = {"failures": 0, "error": error, "next_try_at": None}
            if outcome == SENT:
                values |= {"delivered_at": at, "refused_at": None}
            connection.execute(receivers.update().where(receivers.c.key == key).values(**values))
            newest = connection.scalar(select(func.max(messages.c.number))) or 0
            over = and_(messages.c.number <= newest - _KEPT, messages.c.ended_at.is_not(None))
            connection.execute(delete(messages).where(over))

    def give_up(self, key: str, batch: str, *, error: str, at: datetime) -> None:
        """
        Note that a receiver refuses a batch for good, for ever in the audit trail; the next one is due at once.

        What was in it counts as not told, so that it is told when it shows again.
        """
        with self._database.writing() as connection:
            lock_events(connection)
            mine = and_(messages.c.receiver == key, messages.c.batch == batch)
            still = and_(mine, messages.c.ended_at.is_(None))
            contents = list(connection.scalars(select(messages.c.content).where(still)))
            ended = {"ended_at": at, "outcome": UNDELIVERABLE, "claimed_until": None}
            connection.execute(messages.update().where(still).values(**ended, error=error))
            connection.execute(
                receivers.update()
                .where(receivers.c.key == key)
                .values(failures=0, next_try_at=None)
            )
            subjects = {each.get("schedule") or AIRFLOW_ITSELF for each in contents}
            unheard = and_(told.c.receiver == key, told.c.subject.in_(subjects))
            connection.execute(delete(told).where(unheard))
            for each in contents:
                detail = {"message": each.get("title"), "error": error}
                add_event(
                    connection,
                    at=at,
                    action=UNDELIVERABLE,
                    subject=f"receiver:{key}",
                    detail=detail,
                )

    def refused_since(self, key: str) -> datetime | None:
        """Return since when a receiver refuses all that is sent to it, for good; None where it does not."""
        with self._database.reading() as connection:
            found: datetime | None = connection.scalar(
                select(receivers.c.refused_at).where(receivers.c.key == key)
            )
            return found

    def fail(
        self,
        key: str,
        batch: str,
        *,
        error: str,
        next_try_at: datetime,
        refused_at: datetime | None = None,
    ) -> None:
        """
        Note that a receiver could not be reached; its messages wait, in their order.

        ``refused_at`` is given where it answered, and refused for good.
        """
        with self._database.writing() as connection:
            connection.execute(
                messages.update()
                .where(messages.c.receiver == key, messages.c.batch == batch)
                .values(claimed_until=None)
            )
            connection.execute(
                receivers.update()
                .where(receivers.c.key == key)
                .values(failures=receivers.c.failures + 1, error=error, next_try_at=next_try_at)
            )
            if refused_at is not None:
                first = and_(receivers.c.key == key, receivers.c.refused_at.is_(None))
                connection.execute(receivers.update().where(first).values(refused_at=refused_at))

    def drop(self, keys: Sequence[str], *, before: datetime, at: datetime) -> int:
        """End the messages from ``before`` to receivers that are written nowhere any more; return how many."""
        mine = and_(messages.c.receiver.in_(keys), messages.c.created_at < before)
        with self._database.writing() as connection:
            ended = connection.execute(
                messages.update()
                .where(mine, messages.c.ended_at.is_(None))
                .values(ended_at=at, outcome=DROPPED, claimed_until=None)
            )
        return ended.rowcount

    def waiting(self, *, now: datetime) -> set[str]:
        """Return the receivers for whom something is due, and who may be tried now."""
        query = (
            select(messages.c.receiver)
            .outerjoin(receivers, receivers.c.key == messages.c.receiver)
            .where(
                messages.c.ended_at.is_(None),
                messages.c.not_before <= now,
                or_(
                    receivers.c.next_try_at.is_(None),
                    receivers.c.next_try_at <= now,
                    receivers.c.next_try_at > now + _LATEST,  # of a clock that was wrong
                ),
            )
            .distinct()
        )
        with self._database.reading() as connection:
            return set(connection.scalars(query))

    def health(self) -> dict[str, ReceiverHealth]:
        """Return whether messages reach their receivers, by key."""
        with self._database.reading() as connection:
            return health_of(connection)
