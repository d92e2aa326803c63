"""Executions: the history of a schedule, what runs now, cancel."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Body, Depends, HTTPException, Path, Query, Response, status

from airflow_backup.core.clock import utc_now
from airflow_backup.core.ids import schedule_id_of
from airflow_backup.plugin.access import AccessDep
from airflow_backup.plugin.http.permissions import logged, may_cancel, may_control
from airflow_backup.plugin.http.routes.schedules import ScheduleId
from airflow_backup.plugin.schemas.base import Moment
from airflow_backup.plugin.schemas.edits import BulkResults, Controlled
from airflow_backup.plugin.schemas.requests import Nothing, OrderRequest
from airflow_backup.plugin.schemas.runs import CancelledRun, RunDetail, RunList, RunPage
from airflow_backup.plugin.services import bulk, queries, run_details, run_history
from airflow_backup.plugin.services.catalog_access import CatalogDep
from airflow_backup.plugin.services.run_orders import Teller
from airflow_backup.plugin.views.rows import Row
from airflow_backup.plugin.views.run_filters import RunChoice, RunFilters
from airflow_backup.plugin.views.run_table import as_csv

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


@router.get("/runs")
def list_all_runs(
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
    filters: Annotated[RunFilters, Query()],
) -> RunPage:
    """
    List the executions of all schedules that you may read, the newest first.

    A page may be shorter than `limit` and still not be the last one; `next_cursor` says where to go on.
    """
    return run_history.run_page(catalog, session, access, filters)


@router.get(
    "/runs/csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "a table, with a line of names"}},
)
def export_runs(
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
    choice: Annotated[RunChoice, Query()],
) -> Response:
    """
    Export the executions of all schedules as CSV, the newest first, at most 10,000.

    Where there are more, or may be, the header `X-More` is `true`: ask again with the `X-Next-Cursor` as `cursor`.
    """
    runs, cursor = run_history.run_export(catalog, session, access, choice)
    headers = {
        "Content-Disposition": 'attachment; filename="runs.csv"',
        "X-More": str(cursor is not None).lower(),
    }
    if cursor is not None:
        headers["X-Next-Cursor"] = cursor
    return Response(as_csv(runs), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/runs/active")
def list_active_runs(catalog: CatalogDep, session: SessionDep, access: AccessDep) -> RunList:
    """List what is queued or running now, with live progress."""
    return queries.active(catalog, session, access)


def _teller(catalog: CatalogDep, session: SessionDep, access: AccessDep) -> Teller:
    return Teller(catalog, session, by=access.user.get_name(), now=utc_now())


TellerDep = Annotated[Teller, Depends(_teller)]


def _teller_of_one(dag_id: DagId, teller: TellerDep, access: AccessDep) -> Teller:
    """Give an answer about a run only to those who see its schedule."""
    queries.one(teller.catalog, access, schedule_id_of(dag_id) or "")
    return teller


def _rows_to_tell(catalog: CatalogDep, access: AccessDep) -> list[Row]:
    """Return the schedules that are seen, where something may be told to the runs of one at least."""
    rows = queries.visible(catalog, access)
    if not any(each.cancel for each in access.permissions(row.id for row in rows).values()):
        raise HTTPException(403)
    return rows


TellerOfOneDep = Annotated[Teller, Depends(_teller_of_one)]
RowsDep = Annotated[list[Row], Depends(_rows_to_tell)]


@router.post("/runs/active/pause", dependencies=logged("backup_control_all"))
def pause_active_runs(
    teller: TellerDep, rows: RowsDep, access: AccessDep, body: Annotated[OrderRequest, Body()]
) -> BulkResults:
    """Let every backup that runs wait where it is; one answer for each that does not wait yet."""
    return bulk.summed(teller.pause_all(access, rows, body.reason))


@router.post("/runs/active/resume", dependencies=logged("backup_control_all"))
def resume_active_runs(
    teller: TellerDep, rows: RowsDep, access: AccessDep, body: Annotated[Nothing, Body()]
) -> BulkResults:
    """Let every backup that waits go on; one answer for each."""
    return bulk.summed(teller.resume_all(access, rows))


@router.get("/runs/{dag_id}/{run_id}")
def show_run(
    dag_id: DagId, run_id: RunId, catalog: CatalogDep, session: SessionDep, access: AccessDep
) -> RunDetail:
    """Show one execution with each of its attempts, and what people told it."""
    row = queries.one(catalog, access, schedule_id_of(dag_id) or "")
    return run_details.run_detail(catalog, session, row, run_id)


@router.post(
    "/runs/{dag_id}/{run_id}/cancel",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=may_cancel(),
)
def cancel_run(
    dag_id: DagId, run_id: RunId, teller: TellerOfOneDep, body: Annotated[OrderRequest, Body()]
) -> CancelledRun:
    """Stop a run: its backup ends within seconds and leaves no set; who and why stay in its history."""
    teller.cancel(dag_id, run_id, body.reason)
    return CancelledRun(dag_id=dag_id, run_id=run_id)


@router.post(
    "/runs/{dag_id}/{run_id}/pause",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=may_control(),
)
def pause_run(
    dag_id: DagId, run_id: RunId, teller: TellerOfOneDep, body: Annotated[OrderRequest, Body()]
) -> Controlled:
    """Let a running backup, and its programs, wait where they are; it keeps its place in the pool."""
    teller.pause(dag_id, run_id, body.reason)
    return Controlled(dag_id=dag_id, run_id=run_id, paused=True)


@router.post(
    "/runs/{dag_id}/{run_id}/resume",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=may_control(),
)
def resume_run(
    dag_id: DagId, run_id: RunId, teller: TellerOfOneDep, body: Annotated[Nothing, Body()]
) -> Controlled:
    """Let a backup that waits go on."""
    teller.resume(dag_id, run_id)
    return Controlled(dag_id=dag_id, run_id=run_id, paused=False)
