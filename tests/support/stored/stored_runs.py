"""Executions in a catalog that nobody carried out."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import AttemptRow
from airflow_backup.core.words import Kind, Trigger


def begin(
    catalog: Catalog, schedule_id: str, at: datetime, *, waited: timedelta = timedelta(0)
) -> AttemptRow:
    """Note that the execution of the slot ``at`` began, after it ``waited``."""
    return catalog.executions.begin(
        schedule_id,
        f"scheduled__{at.isoformat()}",
        run_at=at,
        queued_at=at,
        at=at + waited,
        trigger=Trigger.SCHEDULE,
        kind=Kind.FULL,
    )
