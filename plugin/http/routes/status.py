"""
How everything is: Airflow's processes, counts, the next runs, what could not be loaded; for people and for
Prometheus.
"""

from __future__ import annotations

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter
from starlette.responses import PlainTextResponse

from airflow_backup.core.clock import utc_now
from airflow_backup.plugin.access import AccessDep
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.http.permissions import may_maintain, may_read_connections
from airflow_backup.plugin.schemas.coverage import CoverageList
from airflow_backup.plugin.schemas.requests import MaintenanceRequest
from airflow_backup.plugin.schemas.status import MaintenanceState, Status
from airflow_backup.plugin.services import coverage, queries, verbs
from airflow_backup.plugin.services.catalog_access import CatalogDep
from airflow_backup.plugin.views.metrics import MEDIA_TYPE, metrics
from airflow_backup.plugin.views.overview import (
    component_of,
    file_problems,
    maintenance_info,
    overview,
)
from airflow_backup.schedules.times.holds import EVERY_SCHEDULE, maintenance_of

router = APIRouter(tags=["status"])


@router.get("/status")
def show_status(catalog: CatalogDep, session: SessionDep, access: AccessDep) -> Status:
    """Say how everything is that you may read."""
    rows, look = queries.all_visible(catalog, session, access)
    problems = file_problems(
        catalog.load_errors.all(),
        readable=access.readable,
        all_files=access.sees_load_errors(),
    )
    return overview(
        queries.listed(catalog, session, rows, look),
        problems,
        airflow_reads.components(),
        now=look.now,
        local=queries.local_places(rows),
        maintenance=maintenance_of(look.holds.get(EVERY_SCHEDULE, ())),
        may_maintain=access.may_maintain(),
        covered=coverage.counts(catalog, session, access),
    )


@router.get("/coverage", dependencies=may_read_connections())
def show_coverage(catalog: CatalogDep, session: SessionDep, access: AccessDep) -> CoverageList:
    """Say of each connection that you may read, and that an engine can back up, which schedules protect it."""
    return coverage.listed(catalog, session, access)


@router.post("/maintenance", dependencies=may_maintain())
def switch_maintenance(
    body: MaintenanceRequest, catalog: CatalogDep, access: AccessDep
) -> MaintenanceState:
    """Let nothing start, whatever is scheduled or asked for, and let it start again. What runs goes on to its end."""
    now = utc_now()
    if not body.enabled:
        verbs.end_maintenance(catalog, now=now)
        return MaintenanceState(maintenance=None)
    by = access.user.get_name()
    hold = verbs.begin_maintenance(catalog, until=body.until, by=by, reason=body.reason, now=now)
    return MaintenanceState(maintenance=maintenance_info(hold))


@router.get("/metrics", response_class=PlainTextResponse)
def show_metrics(catalog: CatalogDep, session: SessionDep, access: AccessDep) -> PlainTextResponse:
    """Give Prometheus what is known of every schedule that you may read."""
    rows, look = queries.all_visible(catalog, session, access)
    text = metrics(
        queries.listed(catalog, session, rows, look),
        {name: each.judged for name, each in look.answers.items()},
        queries.sums(catalog, look),
        [component_of(process) for process in airflow_reads.components()],
        now=look.now,
        in_maintenance=EVERY_SCHEDULE in look.holds,
        covered=coverage.counts(catalog, session, access),
    )
    return PlainTextResponse(text, media_type=MEDIA_TYPE)
