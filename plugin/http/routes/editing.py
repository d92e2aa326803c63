"""Schedules that are made here: create, change, clone, delete, versions, validate."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Body, Depends, Header, Response, status

from airflow_backup.catalog import Catalog
from airflow_backup.core.clock import utc_now
from airflow_backup.plugin.access import Access, AccessDep
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.http.permissions import may_change, may_edit
from airflow_backup.plugin.http.routes.schedules import ScheduleId
from airflow_backup.plugin.schemas.edits import Deleted, Validation, VersionList
from airflow_backup.plugin.schemas.requests import (
    CloneRequest,
    Definition,
    DefinitionOrText,
    DefinitionText,
    Nothing,
)
from airflow_backup.plugin.schemas.schedules import ScheduleDetail
from airflow_backup.plugin.services import edits, queries
from airflow_backup.plugin.services.catalog_access import CatalogDep, TrendsDep
from airflow_backup.plugin.services.editor import Editor
from airflow_backup.plugin.services.preview import validate

router = APIRouter(prefix="/schedules", tags=["schedules"])

IfMatch = Annotated[str | None, Header(description="the ETag of the version that is changed")]


def _editor(catalog: CatalogDep, session: SessionDep, access: AccessDep) -> Editor:
    return Editor(catalog, session, access, now=utc_now())


EditorDep = Annotated[Editor, Depends(_editor)]


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=may_edit("POST"))
def create_schedule(body: Definition, editor: EditorDep, response: Response) -> ScheduleDetail:
    """Make a schedule, written as in a schedules file. It becomes a DAG within seconds."""
    return _shown(editor, editor.create(body), response)


@router.post("/validate", dependencies=may_edit("POST"))
def validate_schedule(
    body: DefinitionOrText,
    catalog: CatalogDep,
    trends: TrendsDep,
    session: SessionDep,
    access: AccessDep,
) -> Validation:
    """Check a definition, given as JSON or as `yaml`, and preview its runs; nothing is saved."""
    rows = queries.visible(catalog, access)
    return validate(
        body.yaml if isinstance(body, DefinitionText) else body,
        rows=rows,
        elsewhere=queries.elsewhere(catalog, rows),
        slots=airflow_reads.pool_slots(session, airflow_reads.POOL),
        durations=trends.medians(now=utc_now()),
        now=utc_now(),
    )


@router.put("/{schedule_id}", dependencies=may_change("PUT"))
def replace_schedule(
    schedule_id: ScheduleId,
    body: Definition,
    editor: EditorDep,
    response: Response,
    if_match: IfMatch = None,
) -> ScheduleDetail:
    """Replace the definition of a schedule that was made here."""
    return _shown(editor, editor.replace(schedule_id, body, if_match), response)


@router.patch("/{schedule_id}", dependencies=may_change("PUT"))
def change_schedule(
    schedule_id: ScheduleId,
    body: Definition,
    editor: EditorDep,
    response: Response,
    if_match: IfMatch = None,
) -> ScheduleDetail:
    """Change some keys of a schedule that was made here (JSON merge patch: null removes a key)."""
    return _shown(editor, editor.patch(schedule_id, body, if_match), response)


@router.delete("/{schedule_id}", dependencies=may_change("DELETE"))
def delete_schedule(
    schedule_id: ScheduleId,
    body: Annotated[Nothing, Body()],
    editor: EditorDep,
    if_match: IfMatch = None,
) -> Deleted:
    """Delete a schedule that was made here. Its sets stay, and so does its history."""
    return Deleted(schedule_id=schedule_id, version=editor.delete(schedule_id, if_match))


@router.post(
    "/{schedule_id}/clone", status_code=status.HTTP_201_CREATED, dependencies=may_edit("POST")
)
def clone_schedule(
    schedule_id: ScheduleId, body: CloneRequest, editor: EditorDep, response: Response
) -> ScheduleDetail:
    """Copy a schedule, also one from a file, under another id; the copy is disabled."""
    return _shown(editor, editor.clone(schedule_id, body.id), response)


@router.get("/{schedule_id}/versions")
def list_versions(schedule_id: ScheduleId, catalog: CatalogDep, access: AccessDep) -> VersionList:
    """List who changed a schedule that was made here, when, and what."""
    row = queries.one(catalog, access, schedule_id)
    return VersionList(schedule_id=schedule_id, versions=_versions(catalog, row.id))


def _versions(catalog: Catalog, schedule_id: str) -> list[Any]:
    return edits.entries(catalog.schedules.versions(schedule_id))


def _shown(editor: Editor, schedule_id: str, response: Response) -> ScheduleDetail:
    access: Access = editor.access
    row = queries.one(editor.catalog, access, schedule_id)
    if row.made is not None:
        response.headers["ETag"] = edits.etag(row.made)
    response.headers["Location"] = f"/backup/api/v1/schedules/{schedule_id}"
    return queries.detail(editor.catalog, editor.session, access, row)
