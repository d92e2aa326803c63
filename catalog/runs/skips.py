"""Runs that never came to be, and that the history shows all the same: a slot that passed, an upstream that failed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.stores.events import add_event
from airflow_backup.catalog.tables import executions
from airflow_backup.core.words import EventKind, ExecutionStatus, Trigger


class Skips:
    """What is noted of runs that never came to be."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(
        self,
        schedule_id: str,
        run_id: str,
        *,
        run_at: datetime,
        trigger: Trigger,
        at: datetime,
        reason: str,
        since: datetime | None = None,
    ) -> bool:
        """
        Note that a run did not come to be, and why; return whether that is news. History sorts it by ``since``.

        What is known by this ``run_id`` stays one row: it has the newest reason, and is told only once.
        """
        key = and_(executions.c.schedule_id == schedule_id, executions.c.run_id == run_id)
        with self._database.reading() as connection:
            known = connection.execute(select(executions.c.reason).where(key)).first()
        if known is not None and known.reason == reason:
            return False
        with self._database.writing(alone=f"run {schedule_id} {run_id}") as connection:
            changed = connection.execute(
                executions.update()
                .where(key, executions.c.attempts == 0)
                .values(reason=reason, finished_at=at)
            )
            if changed.rowcount or connection.execute(select(executions).where(key)).first():
                return False
            connection.execute(
                executions.insert().values(
                    schedule_id=schedule_id,
                    run_id=run_id,
                    status=ExecutionStatus.SKIPPED,
                    reason=reason,
                    trigger=trigger,
                    run_at=run_at,
                    since=since or run_at,
                    finished_at=at,
                    attempts=0,
                    warnings=0,
                )
            )
            add_event(
                connection,
                at=at,
                action=EventKind.SKIPPED,
                subject=schedule_id,
                detail={"run_id": run_id, "reason": reason},
            )
        return True
