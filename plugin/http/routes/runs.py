"""Executions: the history of a schedule, what runs now, cancel."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Body, Path, Query, status

from airflow_backup.core.ids import schedule_id_of
from airflow_backup.plugin.access import AccessDep, may_cancel, may_control
from airflow_backup.plugin.airflow import changes as airflow_changes
from airflow_backup.plugin.http.routes.schedules import ScheduleId
from airflow_backup.plugin.schemas.base import Moment
from airflow_backup.plugin.schemas.edits import Controlled
from airflow_backup.plugin.schemas.requests import Nothing
from airflow_backup.plugin.schemas.schedules import CancelledRun, RunList
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.services.catalog_access import CatalogDep

router = APIRouter(tags=["runs"])

DagId = Annotated[str, Path(description="the id of a schedule's DAG", max_length=80)]
RunId = Annotated[str, Path(description="the id of a run", max_length=250)]


@router.get("/schedules/{schedule_id}/runs")
def list_runs(
    schedule_id: ScheduleId,
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 25,
    before: Annotated[Moment | None, Query(description="only older ones")] = None,
) -> RunList:
    """List the executions of a schedule, the newest first, with the reason for what became of each."""
    row = queries.one(catalog, access, schedule_id)
    return queries.runs(catalog, session, row, limit=limit, before=before)


@router.get("/runs/active")
def list_active_runs(catalog: CatalogDep, session: SessionDep, access: AccessDep) -> RunList:
    """List what is queued or running now, with live progress."""
    return queries.active(catalog, session, queries.visible(catalog, access))


@router.post(
    "/runs/{dag_id}/{run_id}/cancel",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=may_cancel(),
)
def cancel_run(
    dag_id: DagId,
    run_id: RunId,
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
    body: Annotated[Nothing, Body()],
) -> CancelledRun:
    """Stop a run: its backup ends within seconds and leaves no set."""
    queries.one(catalog, access, schedule_id_of(dag_id) or "")
    airflow_changes.cancel_run(session, dag_id, run_id)
    return CancelledRun(dag_id=dag_id, run_id=run_id)


@router.post(
    "/runs/{dag_id}/{run_id}/pause",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=may_control(),
)
def pause_run(
    dag_id: DagId,
    run_id: RunId,
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
    body: Annotated[Nothing, Body()],
) -> Controlled:
    """Let a running backup wait where it is; it keeps its place in the pool."""
    queries.one(catalog, access, schedule_id_of(dag_id) or "")
    airflow_changes.control_run(session, dag_id, run_id, pause=True)
    return Controlled(dag_id=dag_id, run_id=run_id, paused=True)


@router.post(
    "/runs/{dag_id}/{run_id}/resume",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=may_control(),
)
def resume_run(
    dag_id: DagId,
    run_id: RunId,
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
    body: Annotated[Nothing, Body()],
) -> Controlled:
    """Let a backup that waits go on."""
    queries.one(catalog, access, schedule_id_of(dag_id) or "")
    airflow_changes.control_run(session, dag_id, run_id, pause=False)
    return Controlled(dag_id=dag_id, run_id=run_id, paused=False)
