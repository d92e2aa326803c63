"""
Every error of the API as a problem document (RFC 9457): what, why, and what to try.

No stack trace and no path of the server leaves it; what we did not foresee goes to the log under a
number that the answer names.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_backup.core.errors import BackupError, CatalogError, ConfigError, NotFound, Refused
from airflow_backup.core.text.texts import storable
from airflow_backup.plugin.airflow.transactions import DatabaseBusy, busy, is_locked
from airflow_backup.plugin.errors import (
    ImportRefused,
    ImportWrong,
    InvalidDefinition,
    VersionConflict,
    VersionMissing,
)

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


_STATUS_OF: dict[type[BackupError], int] = {
    NotFound: 404,
    Refused: 409,
    ConfigError: 422,
    InvalidDefinition: 422,
    ImportWrong: 422,
    ImportRefused: 409,
    VersionConflict: 412,
    VersionMissing: 428,
    CatalogError: 503,
    DatabaseBusy: 503,
}

RETRY_AFTER = {"Retry-After": "2"}
"""Seconds after which a busy or absent database may be asked again."""

_DETAILS = {
    401: (
        "you are not logged in",
        "log in to Airflow, or send a token as 'Authorization: Bearer ...'",
    ),
    403: ("your role does not allow this", "which role do you have? ask whoever runs this Airflow"),
    404: ("there is nothing here", None),
    405: ("this address does not take that method", None),
}


def problem(
    status: int,
    detail: str,
    *,
    hint: str | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> JSONResponse:
    """Build the answer; ``members`` are added to the document as they are."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "hint": hint,
    }
    # What is told may repeat what was sent, halves of characters among it.
    whole = storable(document | members)
    return JSONResponse(
        whole, status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE
    )


def not_logged_in() -> JSONResponse:
    """Answer somebody whom nobody vouches for."""
    detail, hint = _DETAILS[401]
    return problem(401, detail, hint=hint, headers={"WWW-Authenticate": "Bearer"})


def add_handlers(app: FastAPI) -> None:
    """Answer all errors of ``app`` with problem documents."""
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(BackupError, _of_backup)


async def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 401:
        return not_logged_in()
    if error.status_code == 400:  # FastAPI says so of a body that is no JSON
        return problem(422, "the body is not JSON", hint="is it cut, or in another encoding?")
    detail, hint = _DETAILS.get(error.status_code, (str(error.detail), None))
    return problem(error.status_code, detail, hint=hint, headers=error.headers)


async def _of_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"in": str(item["loc"][0]), "field": _field(item["loc"]), "message": item["msg"]}
        for item in error.errors()
    ]
    first = errors[0]
    return problem(
        422,
        f"{first['field'] or first['in']}: {first['message'][:1].lower()}{first['message'][1:]}",
        hint="the API is described at /backup/api/v1/openapi.json",
        errors=errors,
    )


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location[1:])


async def _of_backup(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BackupError)
    status = next((code for kind, code in _STATUS_OF.items() if isinstance(error, kind)), None)
    if status is None:
        return unforeseen(request.scope, error)
    if isinstance(error, CatalogError):
        log.error("the catalog does not answer", exc_info=error)
        return problem(
            503,
            "the catalog does not answer",
            hint="is the database of the catalog up? see the log",
            headers=RETRY_AFTER,
        )
    if status == 503:
        return problem(503, error.message, hint=error.hint, headers=RETRY_AFTER)
    if isinstance(error, InvalidDefinition):
        return problem(status, error.message, hint=error.hint, errors=error.errors)
    if isinstance(error, ImportRefused):
        return problem(status, error.message, hint=error.hint, results=error.results)
    return problem(status, error.message, hint=error.hint)


def unforeseen(scope: Scope, error: Exception) -> JSONResponse:
    """Log what nobody foresaw, and answer with the number under which it is logged."""
    number = secrets.token_hex(4)
    log.error("%s %s failed [%s]", scope["method"], scope["path"], number, exc_info=error)
    return problem(
        500,
        f"something went wrong on the server; its log says more under {number}",
        hint="please report it with the lines of the log",
        number=number,
    )


def _of_busy(error: Exception) -> JSONResponse | None:
    """Answer what a locked database of Airflow's raised outside of our own changes: its audit log, its login."""
    if not (isinstance(error, OperationalError) and is_locked(error)):
        return None
    told = busy()
    return problem(503, told.message, hint=told.hint, headers=RETRY_AFTER)


class CatchUnforeseen:
    """
    Turn any other exception into a problem document.

    Starlette's own handler answers and then raises again, and the application that mounts us would
    close the connection; so this is done inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            answer = _of_busy(error) or unforeseen(scope, error)
            await answer(scope, receive, send)
