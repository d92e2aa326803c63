"""Why a schedule does not run now although it is enabled."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, or_, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.records import Hold
from airflow_backup.catalog.tables import holds
from airflow_backup.schedules.times.holds import EVERY_SCHEDULE


class Holds:
    """The holds of all schedules."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        schedule_id: str,
        kind: Literal["skip_next", "pause_until", "maintenance"],
        *,
        by: str,
        at: datetime,
        until: datetime | None = None,
        reason: str | None = None,
    ) -> Hold:
        """Put a schedule on hold."""
        values = _values(schedule_id, kind, by=by, at=at, until=until, reason=reason)
        with self._database.writing() as connection:
            return _insert(connection, values)

    def add_only(
        self,
        schedule_id: str,
        kind: Literal["skip_next", "pause_until", "maintenance"],
        *,
        by: str,
        at: datetime,
        until: datetime | None = None,
        reason: str | None = None,
        replaces: bool,
    ) -> Hold | None:
        """
        Put a schedule on the only hold of its kind, also where many do in the same moment.

        One that counts already is ended where this ``replaces`` it; else it stays, and the answer is None.
        """
        values = _values(schedule_id, kind, by=by, at=at, until=until, reason=reason)
        same = (
            holds.c.schedule_id == schedule_id,
            holds.c.kind == kind,
            holds.c.ended_at.is_(None),
        )
        with self._database.writing(alone="holds") as connection:
            if replaces:
                connection.execute(holds.update().where(*same).values(ended_at=at))
            counts = or_(holds.c.until.is_(None), holds.c.until > at)
            if connection.execute(select(holds.c.id).where(*same, counts)).first() is not None:
                return None
            return _insert(connection, values)

    def active(self, schedule_id: str, *, now: datetime) -> list[Hold]:
        """Return the holds on a schedule that still count, those on every schedule among them, the oldest first."""
        query = (
            select(holds)
            .where(
                holds.c.schedule_id.in_([schedule_id, EVERY_SCHEDULE]), holds.c.ended_at.is_(None)
            )
            .order_by(holds.c.id)
        )
        with self._database.reading() as connection:
            found = [Hold(**row) for row in connection.execute(query).mappings()]
        return [hold for hold in found if hold.until is None or hold.until > now]

    def all_active(self, *, now: datetime) -> dict[str, list[Hold]]:
        """Return the holds that still count, by schedule, the oldest first."""
        query = select(holds).where(holds.c.ended_at.is_(None)).order_by(holds.c.id)
        found: dict[str, list[Hold]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query).mappings():
                hold = Hold(**row)
                if hold.until is None or hold.until > now:
                    found.setdefault(hold.schedule_id, []).append(hold)
        return found

    def end(self, hold_id: int, *, at: datetime) -> None:
        """End a hold: it was lifted, or the run it was for has been skipped."""
        with self._database.writing() as connection:
            connection.execute(
                holds.update()
                .where(holds.c.id == hold_id, holds.c.ended_at.is_(None))
                .values(ended_at=at)
            )


def _values(schedule_id: str, kind: str, *, by: str, at: datetime, **more: Any) -> dict[str, Any]:
    return {
        "schedule_id": schedule_id,
        "kind": kind,
        "created_by": by,
        "created_at": at,
        **more,
    }


def _insert(connection: Connection, values: dict[str, Any]) -> Hold:
    number = connection.execute(holds.insert().values(**values).returning(holds.c.id)).scalar_one()
    row = connection.execute(select(holds).where(holds.c.id == number)).mappings().one()
    return Hold(**row)
