"""Proofs of sets; the newest one shows on the set itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.records import Verification
from airflow_backup.catalog.tables import sets, verifications
from airflow_backup.core.words import VerificationLevel, VerificationOutcome


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
    ) -> None:
        """Add a proof; a failed one quarantines the set."""
        shown: dict[str, Any] = {
            "verified_at": finished_at,
            "verified_level": level,
            "verified_outcome": outcome,
        }
        if outcome is VerificationOutcome.FAILED:
            shown["state"] = "quarantined"
        with self._database.writing() as connection:
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
            connection.execute(sets.update().where(sets.c.set_id == set_id).values(**shown))

    def of(self, set_id: str) -> list[Verification]:
        """Return the proofs of a set, the newest first."""
        query = (
            select(verifications)
            .where(verifications.c.set_id == set_id)
            .order_by(verifications.c.id.desc())
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings()
            return [
                replace(
                    Verification(**row),
                    level=VerificationLevel(row["level"]),
                    outcome=VerificationOutcome(row["outcome"]),
                )
                for row in rows
            ]
