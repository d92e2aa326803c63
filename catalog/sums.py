"""What is stored of many schedules, in figures: a handful of queries, whatever their number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, distinct, func, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.stores.probe import given_ids, newest
from airflow_backup.catalog.tables import sets, verifications
from airflow_backup.core.words import VerificationLevel, VerificationOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The sets of one schedule, but for those that are being deleted."""

    sets: int = 0
    chains: int = 0
    """Of those that are good."""

    quarantined: int = 0
    bytes_stored: int = 0
    last_verified_at: datetime | None = None
    """When the newest verification that passed ended."""


@dataclass(frozen=True, slots=True)
class Verified:
    """When a verification that passed ended, and how thorough it was."""

    at: datetime
    level: VerificationLevel


class StoredSums:
    """Adds up what is stored."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, schedule_ids: Iterable[str]) -> dict[str, Sums]:
        """Return the figures of each of these schedules, also of one that has no set."""
        ids = list(dict.fromkeys(schedule_ids))
        if not ids:
            return {}
        with self._database.reading() as connection:
            verified = self._verified(connection, ids)
            counted = self._counted(connection, ids)
        return {
            each: Sums(
                **dict(zip(("sets", "chains", "quarantined", "bytes_stored"), row, strict=True)),
                last_verified_at=verified[each].at if each in verified else None,
            )
            for each in ids
            for row in [counted.get(each, (0, 0, 0, 0))]
        }

    def verified(self, schedule_ids: Iterable[str]) -> dict[str, Verified]:
        """Return the newest verification that passed of each of these schedules that has one."""
        ids = list(dict.fromkeys(schedule_ids))
        if not ids:
            return {}
        with self._database.reading() as connection:
            return self._verified(connection, ids)

    def _counted(self, connection: Connection, ids: list[str]) -> dict[str, tuple[int, ...]]:
        wanted = given_ids(ids, is_sqlite=self._database.is_sqlite)
        chain = func.coalesce(sets.c.base, sets.c.set_id)
        query = (
            select(
                sets.c.schedule_id,
                func.count(),
                func.count(distinct(case((sets.c.state == "good", chain)))),
                func.count(case((sets.c.state == "quarantined", 1))),
                func.sum(sets.c.bytes_stored),
            )
            .select_from(wanted.join(sets, sets.c.schedule_id == wanted.c.id))
            .where(sets.c.state != "deleting")
            .group_by(sets.c.schedule_id)
        )
        return {name: tuple(map(int, row)) for name, *row in connection.execute(query)}

    def _verified(self, connection: Connection, ids: list[str]) -> dict[str, Verified]:
        query = newest(
            verifications,
            key="id",
            order="id",
            ids=ids,
            is_sqlite=self._database.is_sqlite,
            condition=lambda table: table.c.outcome == VerificationOutcome.PASSED,
        )
        table = verifications.c
        columns = table.schedule_id, table.finished_at, table.level
        rows = connection.execute(query.with_only_columns(*columns, maintain_column_froms=True))
        return {
            row.schedule_id: Verified(row.finished_at, VerificationLevel(row.level)) for row in rows
        }
