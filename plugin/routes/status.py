"""How everything is: Airflow's processes, counts, the next runs, what could not be loaded; for people and for Prometheus."""

from __future__ import annotations

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter
from starlette.responses import PlainTextResponse

from airflow_backup.actions.report import report
from airflow_backup.plugin import airflow_db, board, gather
from airflow_backup.plugin.catalog_access import CatalogDep
from airflow_backup.plugin.metrics import MEDIA_TYPE, metrics
from airflow_backup.plugin.overview import component_of, file_problems, overview
from airflow_backup.plugin.rhythms import schedule_of
from airflow_backup.plugin.security import AccessDep
from airflow_backup.plugin.status_models import Status

router = APIRouter(tags=["status"])


@router.get("/status")
def show_status(catalog: CatalogDep, session: SessionDep, access: AccessDep) -> Status:
    """Say how everything is that you may read."""
    rows = gather.visible(catalog, access)
    found = gather.material(catalog, session, rows)
    may = access.permissions(row.id for row in rows)
    schedules = [board.summary(row, found, permissions=may[row.id]) for row in rows]
    problems = file_problems(
        catalog.load_errors.all(),
        readable=access.readable,
        all_files=access.sees_load_errors(),
    )
    return overview(schedules, problems, airflow_db.components(), now=found.now)


@router.get("/metrics", response_class=PlainTextResponse)
def show_metrics(catalog: CatalogDep, session: SessionDep, access: AccessDep) -> PlainTextResponse:
    """Give Prometheus what is known of every schedule that you may read."""
    rows = gather.visible(catalog, access)
    found = gather.material(catalog, session, rows)
    may = access.permissions(row.id for row in rows)
    schedules = [board.summary(row, found, permissions=may[row.id]) for row in rows]
    known = [given for row in rows if (given := schedule_of(row.definition)) is not None]
    reports = report(known, catalog, now=found.now)
    components = [component_of(facts) for facts in airflow_db.components()]
    return PlainTextResponse(metrics(schedules, reports, components), media_type=MEDIA_TYPE)
