"""Verifications of sets; the newest one that says something shows on the set itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.records import Verification
from airflow_backup.catalog.stores.events import add_event
from airflow_backup.catalog.tables import executions, sets, verifications
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import (
    EventKind,
    ExecutionStatus,
    VerificationLevel,
    VerificationOutcome,
)

_CONCLUSIVE = (VerificationOutcome.PASSED, VerificationOutcome.FAILED)


class Verifications:
    """The verifications of all sets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        set_id: str,
        schedule_id: str,
        *,
        level: VerificationLevel,
        outcome: VerificationOutcome,
        started_at: datetime,
        finished_at: datetime,
        bytes_read: int = 0,
        reason: str | None = None,
        details: Mapping[str, Any] | None = None,
        proven: VerificationLevel | None = None,
    ) -> None:
        """
        Add a verification. A failed one quarantines the set; one that passes what failed before releases it.

        An inconclusive one shows on the set only as far as it proved something (``proven``).
        """
        with self._database.writing() as connection:
            shown = self._shown(connection, set_id, level, outcome, proven)
            if shown:
                shown["verified_at"] = finished_at
                connection.execute(sets.update().where(sets.c.set_id == set_id).values(**shown))
                _tell_history(connection, set_id, shown.get("state"), reason)
            connection.execute(
                verifications.insert().values(
                    set_id=set_id,
                    schedule_id=schedule_id,
                    level=level,
                    outcome=outcome,
                    reason=reason,
                    started_at=started_at,
                    finished_at=finished_at,
                    bytes_read=bytes_read,
                    details=dict(details or {}),
                )
            )
            told = _told(level, outcome)
            if told is not None:
                detail: dict[str, Any] = {"set_id": set_id, "level": level}
                detail["is_newest"] = _is_newest(connection, set_id, schedule_id)
                if reason is not None:
                    detail["reason"] = reason
                add_event(
                    connection, at=finished_at, action=told, subject=schedule_id, detail=detail
                )

    def of(self, set_id: str) -> list[Verification]:
        """Return the verifications of a set, the newest first."""
        with self._database.reading() as connection:
            return list(_read(connection, _newest().where(verifications.c.set_id == set_id)))

    def of_schedule(
        self,
        schedule_id: str,
        *,
        level: VerificationLevel | None = None,
        outcome: VerificationOutcome | None = None,
        limit: int = 100,
    ) -> list[Verification]:
        """Return the verifications of a schedule's sets, the newest first."""
        query = _newest().where(verifications.c.schedule_id == schedule_id).limit(limit)
        if level is not None:
            query = query.where(verifications.c.level == level)
        if outcome is not None:
            query = query.where(verifications.c.outcome == outcome)
        with self._database.reading() as connection:
            return list(_read(connection, query))

    def last_restore_test(self, schedule_id: str) -> Verification | None:
        """Return the newest restore test that came to an answer, or None."""
        query = _newest().where(
            verifications.c.schedule_id == schedule_id,
            verifications.c.level == VerificationLevel.RESTORE_TEST,
            verifications.c.outcome.in_(_CONCLUSIVE),
        )
        with self._database.reading() as connection:
            return next(_read(connection, query.limit(1)), None)

    def _shown(
        self,
        connection: Connection,
        set_id: str,
        level: VerificationLevel,
        outcome: VerificationOutcome,
        proven: VerificationLevel | None,
    ) -> dict[str, Any]:
        if outcome is VerificationOutcome.INCONCLUSIVE:
            if proven is None:
                return {}
            return {"verified_level": proven, "verified_outcome": VerificationOutcome.PASSED}
        shown: dict[str, Any] = {"verified_level": level, "verified_outcome": outcome}
        state = connection.scalar(select(sets.c.state).where(sets.c.set_id == set_id))
        if state == "deleting":
            return shown  # it goes, whatever is found
        if outcome is VerificationOutcome.FAILED:
            return shown | {"state": "quarantined"}
        if state == "quarantined" and self._is_released(connection, set_id, level):
            return shown | {"state": "good"}
        return shown

    def _is_released(self, connection: Connection, set_id: str, level: VerificationLevel) -> bool:
        failed = connection.scalars(
            select(verifications.c.level).where(
                verifications.c.set_id == set_id,
                verifications.c.outcome == VerificationOutcome.FAILED,
            )
        )
        return all(VerificationLevel(each).rank <= level.rank for each in failed)


def _is_newest(connection: Connection, set_id: str, schedule_id: str) -> bool:
    """Whether it is the newest set of its schedule: then what it shows is how the schedule stands."""
    newest = connection.scalar(
        select(sets.c.set_id)
        .where(sets.c.schedule_id == schedule_id, sets.c.state != "deleting")
        .order_by(sets.c.consistent_at.desc(), sets.c.set_id.desc())
        .limit(1)
    )
    return newest is None or newest == set_id


def _told(level: VerificationLevel, outcome: VerificationOutcome) -> EventKind | None:
    """Return what of a verification is an event."""
    if outcome is VerificationOutcome.FAILED:
        return EventKind.VERIFICATION_FAILED
    passed = outcome is VerificationOutcome.PASSED
    is_restored = passed and level is VerificationLevel.RESTORE_TEST
    return EventKind.RESTORE_TESTED if is_restored else None


def _tell_history(
    connection: Connection, set_id: str, state: str | None, reason: str | None
) -> None:
    """An execution whose set is damaged has not completed: whoever looks for the last good one must not find it."""
    values: dict[str, Any]
    if state == "quarantined":
        values = {
            "status": ExecutionStatus.FAILED,
            "error": f"set '{set_id}' failed its verification: {reason}",
            "failure_class": FailureClass.CORRUPT,
        }
    elif state == "good":
        values = {"status": ExecutionStatus.COMPLETED, "error": None, "failure_class": None}
    else:
        return
    connection.execute(executions.update().where(executions.c.set_id == set_id).values(**values))


def _newest() -> Select[Any]:
    return select(verifications).order_by(verifications.c.id.desc())


def _read(connection: Connection, query: Select[Any]) -> Iterator[Verification]:
    for row in connection.execute(query).mappings():
        yield verification_of(row)


def verification_of(row: RowMapping) -> Verification:
    return replace(
        Verification(**row),
        level=VerificationLevel(row["level"]),
        outcome=VerificationOutcome(row["outcome"]),
    )
