"""Schedules as a file: export, import, and templates to begin with."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Body, Query, Response

from airflow_backup.core.clock import utc_now
from airflow_backup.plugin.access import AccessDep
from airflow_backup.plugin.http.permissions import may_edit
from airflow_backup.plugin.schemas.exchange import (
    ImportRequest,
    ImportResults,
    TemplateInfo,
    TemplateList,
)
from airflow_backup.plugin.services.catalog_access import CatalogDep
from airflow_backup.plugin.services.exchange.export import export
from airflow_backup.plugin.services.exchange.importing import Importer
from airflow_backup.plugin.views.listing import ExportChoice
from airflow_backup.schedules.templates.templates import templates

router = APIRouter(tags=["schedules"])

MEDIA_TYPE = "application/yaml"
FILE = {  # the model of a whole file is in docs/reference/schedules.schema.json
    "type": "object",
    "required": ["version", "schedules"],
    "properties": {
        "version": {"const": 1},
        "schedules": {"type": "array", "items": {"type": "object"}},
    },
    "additionalProperties": False,
}


@router.get(
    "/export",
    response_class=Response,
    responses={
        200: {
            "content": {MEDIA_TYPE: {"schema": FILE}},
            "description": "a schedules file",
        }
    },
)
def export_schedules(
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
    choice: Annotated[ExportChoice, Query()],
) -> Response:
    """
    Export schedules that you may read as one schedules file, each whole, as `airflow-backup validate` accepts it.

    The header `X-Left-Out` says how many are not in it because what is written of them is wrong; its head names them.
    """
    found = export(catalog, session, access, choice)
    headers = {
        "Content-Disposition": 'attachment; filename="schedules.yaml"',
        "X-Left-Out": str(found.left_out),
    }
    return Response(found.text, media_type=MEDIA_TYPE, headers=headers)


@router.post("/import", dependencies=may_edit("POST"))
def import_schedules(
    body: Annotated[ImportRequest, Body()],
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
) -> ImportResults:
    """
    Make the schedules of a schedules file here, all or none.

    All are checked first; where one is refused, nothing is saved, and the problem document has the `results`. With
    `dry_run` the results come in any case, and nothing is saved. A schedule that a file makes is never replaced.
    """
    return Importer(catalog, session, access, now=utc_now()).carry_out(body)


@router.get("/templates")
def list_templates() -> TemplateList:
    """List whole schedules to begin with."""
    return TemplateList(
        templates=[
            TemplateInfo(
                name=each.name,
                title=each.title,
                summary=each.summary,
                definition=each.definition,
                yaml=each.text,
            )
            for each in templates()
        ]
    )
