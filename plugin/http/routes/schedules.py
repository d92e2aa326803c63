"""Schedules: list, one, switch, run now, coming runs."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Header, Path, Query, Response, status

from airflow_backup.core.clock import utc_now
from airflow_backup.core.ids import SCHEDULE_ID, dag_id
from airflow_backup.plugin.access import AccessDep
from airflow_backup.plugin.http.permissions import FromPage, may_run, may_toggle
from airflow_backup.plugin.schemas.requests import RunRequest, ToggleRequest
from airflow_backup.plugin.schemas.schedules import (
    NextRunList,
    ScheduleDetail,
    ScheduleList,
    Started,
    Toggled,
)
from airflow_backup.plugin.services import queries, verbs
from airflow_backup.plugin.services.catalog_access import CatalogDep
from airflow_backup.plugin.services.edits import etag
from airflow_backup.plugin.views import rhythms
from airflow_backup.plugin.views import schedules as schedule_views
from airflow_backup.plugin.views.listing import Filters, facets

router = APIRouter(prefix="/schedules", tags=["schedules"])

ScheduleId = Annotated[
    str,
    Path(
        description="the id of a schedule",
        max_length=63,
        json_schema_extra={
            "pattern": f"^{SCHEDULE_ID.pattern}$"
        },  # others are not found, not wrong
    ),
]


RunKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="any text that is new for each run that is wanted",
    ),
]


@router.get("")
def list_schedules(
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
    filters: Annotated[Filters, Query()],
) -> ScheduleList:
    """List the schedules that you may read, with how each of them is."""
    rows, ids, written = queries.wanted(catalog, session, access, filters)
    found = facets(written[row.id] for row in rows)
    by_id = {row.id: row for row in rows}
    shown = [by_id[name] for name in ids[filters.offset : filters.offset + filters.limit]]
    data = queries.schedule_data(catalog, session, shown)
    may = access.permissions(row.id for row in shown)
    return ScheduleList(
        now=data.now,
        total=len(ids),
        limit=filters.limit,
        offset=filters.offset,
        groups=list(found.groups),
        tags=list(found.tags),
        engines=list(found.engines),
        group_sizes=found.groups,
        may_create=access.may_edit("POST"),
        schedules=schedule_views.summaries(shown, data, permissions=may),
    )


@router.get("/{schedule_id}")
def show_schedule(
    schedule_id: ScheduleId,
    response: Response,
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
) -> ScheduleDetail:
    """Show one schedule, with what is in effect for it; `ETag` is the version of one that was made here."""
    row = queries.one(catalog, access, schedule_id)
    if row.made is not None:
        response.headers["ETag"] = etag(row.made)
    return queries.detail(catalog, session, access, row)


@router.get("/{schedule_id}/next")
def list_next_runs(
    schedule_id: ScheduleId,
    catalog: CatalogDep,
    access: AccessDep,
    count: Annotated[int, Query(ge=1, le=rhythms.MOST)] = 10,
) -> NextRunList:
    """Preview the coming runs, with windows, calendars and holds applied, enabled or not."""
    row = queries.one(catalog, access, schedule_id)
    schedule = rhythms.schedule_of(row.definition)
    if schedule is None:
        return NextRunList(timezone="UTC", runs=[])
    now = utc_now()
    holds = catalog.holds.active(schedule_id, now=now)
    runs = rhythms.coming(schedule, after=now, count=count, holds=holds)
    return NextRunList(timezone=schedule.timezone, runs=runs)


@router.post("/{schedule_id}/toggle", dependencies=may_toggle())
def toggle_schedule(
    schedule_id: ScheduleId,
    body: ToggleRequest,
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
) -> Toggled:
    """Enable or disable a schedule: Airflow's own pause. Enabling starts nothing from the past."""
    row = queries.one(catalog, access, schedule_id)
    by, now = access.user.get_name(), utc_now()
    verbs.switch(catalog, session, row, enabled=body.enabled, by=by, now=now)
    return Toggled(schedule_id=schedule_id, enabled=body.enabled)


@router.post("/{schedule_id}/run", status_code=status.HTTP_202_ACCEPTED, dependencies=may_run())
def run_schedule(
    schedule_id: ScheduleId,
    body: RunRequest,
    from_page: FromPage,
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
    key: RunKey = None,
) -> Started:
    """
    Run a schedule now. Refused while one of its runs is queued or running, or it is disabled.

    Who asks again with the same `Idempotency-Key`, because the answer was lost, gets the run of the first request.
    """
    row = queries.one(catalog, access, schedule_id)
    run_id = verbs.run(
        catalog, session, access, row, body, now=utc_now(), from_page=from_page, key=key
    )
    return Started(schedule_id=schedule_id, dag_id=dag_id(schedule_id), run_id=run_id)
