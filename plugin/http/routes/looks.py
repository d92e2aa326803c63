"""Looks that a worker takes for a person: what is in a set, what a run would do; and what came of them."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Depends, Path, status

from airflow_backup.core.clock import utc_now
from airflow_backup.plugin.access import AccessDep
from airflow_backup.plugin.http.permissions import FromPage, may_edit, may_look_into, may_run
from airflow_backup.plugin.http.routes.schedules import ScheduleId
from airflow_backup.plugin.http.routes.sets import SetId, visible_set
from airflow_backup.plugin.schemas.answers import Answer, ContentsRequest, DryRunRequest
from airflow_backup.plugin.schemas.requests import Definition
from airflow_backup.plugin.schemas.schedules import Started
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.services.catalog_access import CatalogDep
from airflow_backup.plugin.services.preview import to_try
from airflow_backup.plugin.services.requests import Requests

router = APIRouter(tags=["looks"])


def _requests(
    catalog: CatalogDep, session: SessionDep, access: AccessDep, from_page: FromPage
) -> Requests:
    return Requests(catalog, session, access, utc_now(), from_page)


RequestsDep = Annotated[Requests, Depends(_requests)]


@router.post(
    "/sets/{set_id}/contents", status_code=status.HTTP_202_ACCEPTED, dependencies=may_look_into()
)
def look_into_set(set_id: SetId, body: ContentsRequest, asked: RequestsDep) -> Started:
    """Ask a worker what is in a set; `GET /answers/{run_id}` has the answer, after some seconds."""
    return asked.contents(visible_set(asked.catalog, asked.access, set_id), body)


@router.post(
    "/schedules/dry-run", status_code=status.HTTP_202_ACCEPTED, dependencies=may_edit("POST")
)
def try_definition(body: Definition, asked: RequestsDep) -> Started:
    """Ask a worker what a definition would do that is not saved; `GET /answers/{run_id}` has the answer."""
    return asked.try_definition(to_try(asked.catalog, asked.access, body))


@router.post(
    "/schedules/{schedule_id}/dry-run",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=may_run(),
)
def dry_run_schedule(schedule_id: ScheduleId, body: DryRunRequest, asked: RequestsDep) -> Started:
    """Ask a worker what a run of a schedule would do; `GET /answers/{run_id}` has the answer."""
    queries.one(asked.catalog, asked.access, schedule_id)
    return asked.dry_run(schedule_id, body)


@router.get("/answers/{run_id}")
def show_answer(run_id: Annotated[str, Path(max_length=250)], asked: RequestsDep) -> Answer:
    """Show what became of a question that you asked; nobody else sees it."""
    return asked.answer(run_id)
