"""The API and the files of the page, as one application that Airflow mounts under /backup."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from airflow.api_fastapi.core_api.security import get_user
from airflow.utils.session import create_session
from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from airflow_backup import __version__
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import BackupError
from airflow_backup.operators.shared.airflow_settings import catalog_url, option
from airflow_backup.plugin.airflow import changes as airflow_changes
from airflow_backup.plugin.http.guard import Guard, SafeAnswers
from airflow_backup.plugin.http.problems import MEDIA_TYPE, CatchUnforeseen, add_handlers
from airflow_backup.plugin.http.routes import (
    calendar,
    editing,
    engines,
    events,
    exchange,
    holds,
    looks,
    matching,
    receivers,
    runs,
    schedules,
    sets,
    status,
)
from airflow_backup.plugin.schemas.problems import ProblemDocument
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.services.catalog_access import catalog_handle
from airflow_backup.plugin.views.rows import join

log = logging.getLogger(__name__)

API = "/api/v1"
STATIC = Path(__file__).parents[1] / "static"

_PROBLEM = ProblemDocument.__name__
_ERRORS: dict[int | str, dict[str, Any]] = {
    code: {
        "description": text,
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{_PROBLEM}"}}},
    }
    for code, text in {
        401: "not logged in",
        403: "not allowed",
        404: "no such thing, or not yours to see",
        409: "it makes no sense now",
        412: "somebody changed it meanwhile",
        413: "the body is too large",
        415: "the body is not JSON",
        422: "the request is wrong",
        428: "the version that is meant is missing",
        429: "too much at once; Retry-After says when to ask again",
        503: "a database does not answer now; Retry-After says when to ask again",
    }.items()
}


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    await run_in_threadpool(prepare)
    await run_in_threadpool(warn_of_local_places)
    yield
    catalog_handle.close()


def prepare() -> None:
    """
    Make the pool in which backups run: without it Airflow would never start one.

    The API server does it because nobody else of us may open Airflow's database.
    """
    from airflow_backup.dags.factory import (
        POOL,  # brings in the DAG authoring side, only needed here
    )

    try:
        with create_session(scoped=False) as session:
            airflow_changes.ensure_pool(
                session, name=POOL, slots=int(option("max_concurrent") or 2)
            )
    except (SQLAlchemyError, ValueError):
        log.exception("the pool %r could not be made; make it by hand, or no backup starts", POOL)


def warn_of_local_places() -> None:
    """Log what lies on one machine although Airflow sends tasks to several; the page shows it, too."""
    try:
        with Catalog.open(catalog_url()) as catalog:
            rows = join(catalog.deployed.all(), catalog.schedules.all())
        for each in queries.local_places(rows):
            log.warning("%s; %s", each.message, each.hint)
    except BackupError as error:
        log.error("what lies on one machine only cannot be told: %s", error)


def create_app() -> FastAPI:
    """Build the application."""
    app = FastAPI(
        title="airflow-backup",
        version=__version__,
        summary="Backups as code on Apache Airflow.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # offered below, to those who are logged in
        lifespan=_life,
    )
    add_handlers(app)
    app.include_router(_api(app))
    app.mount("/static", PageFiles(directory=STATIC, check_dir=False), name="static")
    app.add_middleware(Guard)
    app.add_middleware(CatchUnforeseen)
    app.add_middleware(SafeAnswers)
    return app


def _api(app: FastAPI) -> APIRouter:
    api = APIRouter(prefix=API, dependencies=[Depends(get_user)], responses=_ERRORS)
    for part in (
        status,
        schedules,
        matching,
        editing,
        engines,
        exchange,
        holds,
        runs,
        calendar,
        sets,
        looks,
        events,
        receivers,
    ):
        api.include_router(part.router)

    @api.get("/openapi.json", include_in_schema=False)
    def describe() -> dict[str, Any]:
        """Describe the API."""
        return described(app)

    return api


def described(app: FastAPI) -> dict[str, Any]:
    """Return the description of the API (OpenAPI 3.1), that of its errors among the others."""
    whole = app.openapi()
    schemas: dict[str, Any] = whole["components"]["schemas"]
    schemas[_PROBLEM] = ProblemDocument.model_json_schema()
    return whole


class PageFiles(StaticFiles):
    """The built page. The browser asks each time whether it is still current, so an upgrade shows at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve one file."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
