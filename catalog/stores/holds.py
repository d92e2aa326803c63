"""Why a schedule does not run now although it is enabled."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import select

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
        with self._database.writing() as connection:
            number = connection.execute(
                holds.insert()
                .values(
                    schedule_id=schedule_id,
                    kind=kind,
                    until=until,
                    reason=reason,
                    created_by=by,
                    created_at=at,
                )
                .returning(holds.c.id)
            ).scalar_one()
            row = connection.execute(select(holds).where(holds.c.id == number)).mappings().one()
            return Hold(**row)

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

    def history(self, schedule_id: str, *, limit: int = 100) -> list[Hold]:
        """Return the newest holds of a schedule, those that are over too."""
        query = (
            select(holds)
            .where(holds.c.schedule_id.in_([schedule_id, EVERY_SCHEDULE]))
            .order_by(holds.c.id.desc())
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [Hold(**row) for row in connection.execute(query).mappings()]

    def end(self, hold_id: int, *, at: datetime) -> None:
        """End a hold: it was lifted, or the run it was for has been skipped."""
        with self._database.writing() as connection:
            connection.execute(
                holds.update()
                .where(holds.c.id == hold_id, holds.c.ended_at.is_(None))
                .values(ended_at=at)
            )
