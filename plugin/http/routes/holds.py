"""Holds: skip the next run, pause until a moment, lift; and the same verbs on many schedules at once."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Body, status
from starlette.exceptions import HTTPException

from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import NotFound
from airflow_backup.plugin.access import AccessDep
from airflow_backup.plugin.http.permissions import FromPage, logged, may_hold
from airflow_backup.plugin.http.routes.schedules import ScheduleId
from airflow_backup.plugin.schemas.edits import BulkResults, Lifted
from airflow_backup.plugin.schemas.requests import BulkRequest, Nothing, PauseRequest, SkipRequest
from airflow_backup.plugin.schemas.schedules import HoldInfo
from airflow_backup.plugin.services import bulk, queries, verbs
from airflow_backup.plugin.services.catalog_access import CatalogDep
from airflow_backup.plugin.views import schedules as schedule_views
from airflow_backup.plugin.views.rhythms import schedule_of

router = APIRouter(prefix="/schedules", tags=["schedules"])


@router.post(
    "/{schedule_id}/skip-next", status_code=status.HTTP_201_CREATED, dependencies=may_hold()
)
def skip_next_run(
    schedule_id: ScheduleId, body: SkipRequest, catalog: CatalogDep, access: AccessDep
) -> HoldInfo:
    """Skip the next run of a schedule; what a person starts runs nevertheless."""
    row = queries.one(catalog, access, schedule_id)
    by = access.user.get_name()
    hold = verbs.skip_next(catalog, row, by=by, reason=body.reason, now=utc_now())
    return schedule_views.hold_info(hold, schedule_of(row.definition))


@router.post("/{schedule_id}/pause", status_code=status.HTTP_201_CREATED, dependencies=may_hold())
def pause_schedule(
    schedule_id: ScheduleId, body: PauseRequest, catalog: CatalogDep, access: AccessDep
) -> HoldInfo:
    """Start nothing until a moment; it goes on by itself after that."""
    row = queries.one(catalog, access, schedule_id)
    by, now = access.user.get_name(), utc_now()
    hold = verbs.pause(catalog, row, until=body.until, by=by, reason=body.reason, now=now)
    return schedule_views.hold_info(hold, schedule_of(row.definition))


@router.delete("/{schedule_id}/holds/{hold_id}", dependencies=may_hold())
def lift_hold(
    schedule_id: ScheduleId,
    hold_id: int,
    body: Annotated[Nothing, Body()],
    catalog: CatalogDep,
    access: AccessDep,
) -> Lifted:
    """End a hold before its time."""
    queries.one(catalog, access, schedule_id)
    now = utc_now()
    holds = catalog.holds.active(schedule_id, now=now)
    if hold_id not in {hold.id for hold in holds if hold.schedule_id == schedule_id}:
        raise NotFound(f"no hold {hold_id} on {schedule_id!r}", hint="is it over already?")
    catalog.holds.end(hold_id, at=now)
    return Lifted(schedule_id=schedule_id, hold_id=hold_id)


@router.post("/bulk", dependencies=logged("backup_bulk"))
def act_on_many(
    body: BulkRequest,
    from_page: FromPage,
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
) -> BulkResults:
    """Enable, disable, run or hold several schedules; one that refuses does not keep the others."""
    rows = bulk.choose(queries.visible(catalog, access), body)
    may = access.permissions(row.id for row in rows)
    if rows and not any(bulk.allowed(body.action, may[row.id]) for row in rows):
        raise HTTPException(403)
    if not rows and not access.may_edit():
        raise HTTPException(403)
    one_by_one = bulk.Bulk(catalog, session, access, body, now=utc_now(), from_page=from_page)
    return bulk.summed([one_by_one.act(row, may[row.id]) for row in rows])
