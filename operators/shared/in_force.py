"""A schedule as it is in force, for tasks that know only its id."""

from __future__ import annotations

from airflow_backup.actions.backup.in_force import in_force
from airflow_backup.catalog import Catalog
from airflow_backup.operators.shared.fence import roots_for
from airflow_backup.schedules.model.schedule import Schedule


def schedule_in_force(catalog: Catalog, schedule_id: str) -> Schedule:
    """Return a schedule as it is in force; NotFound when there is none, Refused when it is fenced in and leads out."""
    found = in_force(catalog, schedule_id)
    roots_for(found.schedule, fenced=found.fenced)
    return found.schedule
