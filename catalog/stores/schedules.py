"""Schedules made in the UI or through the API; every edit is a new version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Text, cast, func, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.definitions import Definitions
from airflow_backup.catalog.records import Saving, ScheduleVersion
from airflow_backup.catalog.stores.events import add_event
from airflow_backup.catalog.tables import schedules
from airflow_backup.core.errors import Refused


class Schedules:
    """The versions of all schedules that were not deployed as files."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._definitions = Definitions()

    def save(
        self,
        schedule_id: str,
        definition: Mapping[str, Any],
        *,
        author: str,
        at: datetime,
        after_version: int,
        is_deleted: bool = False,
    ) -> ScheduleVersion:
        """
        Add a version after the one that the author saw, which is 0 for a new schedule.

        Refused when somebody else was faster.
        """
        new = ScheduleVersion(
            id=schedule_id,
            version=after_version + 1,
            definition=dict(definition),
            author=author,
            created_at=at,
            is_deleted=is_deleted,
        )
        with self._database.writing(alone=_turn(schedule_id)) as connection:
            _add(connection, new)
        return new

    def save_all(
        self, savings: Sequence[Saving], *, author: str, at: datetime
    ) -> list[ScheduleVersion]:
        """Add a version of each of several schedules, and the events that tell of them; all of it or nothing."""
        made = [
            ScheduleVersion(
                id=each.id,
                version=each.after_version + 1,
                definition=dict(each.definition),
                author=author,
                created_at=at,
            )
            for each in savings
        ]
        with self._database.writing(alone=[_turn(each.id) for each in savings]) as connection:
            for new in made:
                _add(connection, new)
            for each in savings:
                add_event(
                    connection,
                    at=at,
                    actor=author,
                    action=each.action,
                    subject=each.id,
                    detail=each.detail,
                )
        return made

    def all(self) -> list[ScheduleVersion]:
        """Return the newest version of each schedule that was not deleted, in order of id."""
        last = (
            select(schedules.c.id, func.max(schedules.c.version).label("version"))
            .group_by(schedules.c.id)
            .subquery()
        )
        query = (
            select(
                *(column for column in schedules.c if column.name != "definition"),
                cast(schedules.c.definition, Text).label("definition"),
            )
            .join(
                last,
                (schedules.c.id == last.c.id) & (schedules.c.version == last.c.version),
            )
            .where(schedules.c.is_deleted.is_(False))
            .order_by(schedules.c.id)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        definitions = self._definitions.read(row.definition for row in rows)
        return [
            ScheduleVersion(**{**row._mapping, "definition": definition})
            for row, definition in zip(rows, definitions, strict=True)
        ]

    def mark(self) -> object:
        """Return what is equal as long as nothing was saved: versions are only added."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(schedules))

    def some(self, ids: Iterable[str]) -> list[ScheduleVersion]:
        """Return the newest version of each of these that was saved, also one that ended it."""
        query = (
            select(schedules)
            .where(schedules.c.id.in_(list(ids)))
            .order_by(schedules.c.id, schedules.c.version)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings()
            newest = {row["id"]: ScheduleVersion(**row) for row in rows}
        return list(newest.values())

    def newest(self, schedule_id: str) -> ScheduleVersion | None:
        """Return the newest version of a schedule, also one that ended it."""
        query = (
            select(schedules)
            .where(schedules.c.id == schedule_id)
            .order_by(schedules.c.version.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else ScheduleVersion(**row)

    def versions(self, schedule_id: str) -> list[ScheduleVersion]:
        """Return every version of a schedule, the newest first."""
        query = (
            select(schedules)
            .where(schedules.c.id == schedule_id)
            .order_by(schedules.c.version.desc())
        )
        with self._database.reading() as connection:
            return [ScheduleVersion(**row) for row in connection.execute(query).mappings()]


def _turn(schedule_id: str) -> str:
    return f"schedule {schedule_id}"


def _add(connection: Connection, new: ScheduleVersion) -> None:
    newest = _newest_version(connection, new.id)
    if newest != new.version - 1:
        raise Refused(
            f"schedule '{new.id}' has version {newest}, not {new.version - 1}",
            hint="somebody changed it meanwhile; load it again",
        )
    row = {name: getattr(new, name) for name in ScheduleVersion.__slots__}
    connection.execute(schedules.insert().values(**row))


def _newest_version(connection: Connection, schedule_id: str) -> int:
    found: int | None = connection.scalar(
        select(func.max(schedules.c.version)).where(schedules.c.id == schedule_id)
    )
    return found or 0
