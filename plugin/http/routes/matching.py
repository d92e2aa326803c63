"""The schedules that match, by their ids alone: what a verb on many of them is told."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Query

from airflow_backup.plugin.access import AccessDep
from airflow_backup.plugin.schemas.requests import MOST_AT_ONCE
from airflow_backup.plugin.schemas.schedules import ScheduleIds
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.services.catalog_access import CatalogDep
from airflow_backup.plugin.views.listing import Ordered

router = APIRouter(tags=["schedules"])


@router.get("/schedule-ids")
def list_schedule_ids(
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
    choice: Annotated[Ordered, Query()],
) -> ScheduleIds:
    """Name the schedules that match and that you may read, to act on all of them with `POST /schedules/bulk`."""
    _, ids, _ = queries.wanted(catalog, session, access, choice)
    return ScheduleIds(total=len(ids), ids=ids[:MOST_AT_ONCE])
