"""How everything is: Airflow's processes, counts, the next runs, what could not be loaded."""

from __future__ import annotations

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter

from airflow_backup.plugin import airflow_db, board, gather
from airflow_backup.plugin.catalog_access import CatalogDep
from airflow_backup.plugin.overview import file_problems, overview
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
