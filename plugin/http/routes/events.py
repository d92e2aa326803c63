"""What happened: a page of it, and a stream of it as it happens."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.utils.session import create_session
from fastapi import APIRouter, Header, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import BackupError
from airflow_backup.plugin.access import Access, AccessDep
from airflow_backup.plugin.http.problems import problem
from airflow_backup.plugin.schemas.events import EventList
from airflow_backup.plugin.services.catalog_access import CatalogDep
from airflow_backup.plugin.services.feed import open_streams, read_feed

router = APIRouter(prefix="/events", tags=["events"])

LONGEST = 600
"""Seconds after which a stream ends; whoever reads it goes on at the last id that they saw."""

LOOK_EVERY, SIGN_OF_LIFE_EVERY = 1.0, 15.0
AT_ONCE = 500

After = Annotated[int, Query(ge=0, le=2**53, description="the id of the last event that you know")]


@router.get("")
def list_events(
    catalog: CatalogDep,
    access: AccessDep,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=AT_ONCE)] = 100,
) -> EventList:
    """
    List what happened to the schedules that you may read, in order; each event once.

    Give the answer's `cursor` as `after` next time. The order is that in which things became true for everybody, so
    nothing appears later behind a cursor.
    """
    return read_feed(catalog, access, after=after, limit=limit)


@router.get(
    "/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "server-sent events"}},
)
async def stream_events(
    catalog: CatalogDep,
    user: GetUserDep,
    after: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    seconds: Annotated[int, Query(ge=1, le=LONGEST)] = LONGEST,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=20)] = None,
) -> Response:
    """
    Send what happens, as server-sent events: `id` is the cursor, `event` the word, `data` the event as JSON.

    It begins after `Last-Event-ID`, else after `after`, else now. It ends after `seconds`, at most ten
    minutes; browsers go on by themselves. Of one user six are open at once at most.
    """
    # FastAPI ends its own session before a stream begins, so each look has one of its own.
    places = ExitStack()
    if not places.enter_context(open_streams.one(user.get_id())):
        return problem(
            429,
            "too many streams are open",
            hint="close one, or ask GET /backup/api/v1/events?after= now and then",
            headers={"Retry-After": "30"},
        )
    try:
        cursor = _cursor(last_event_id) if last_event_id else after
        if cursor is None:
            cursor = await run_in_threadpool(catalog.events.last_id)
    except BaseException:
        places.close()
        raise
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return _Stream(_written(catalog, user, cursor, seconds=seconds), places, headers=headers)


def _cursor(given: str) -> int | None:
    """Read an id that a browser sends again; None, which is now, for what is none of ours."""
    return min(int(given), 2**53) if given.isascii() and given.isdigit() else None


class _Stream(StreamingResponse):
    """Gives its place back however it ends, also when it never begins because the reader has gone."""

    def __init__(
        self, content: AsyncIterator[str], places: ExitStack, *, headers: Mapping[str, str]
    ) -> None:
        super().__init__(content, media_type="text/event-stream", headers=headers)
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a reader that takes nothing does not keep its place for longer than others."""
        with self._places, contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST + SIGN_OF_LIFE_EVERY):
                await super().__call__(scope, receive, send)


async def _written(
    catalog: Catalog, user: BaseUser, cursor: int, *, seconds: float
) -> AsyncIterator[str]:
    ends_at = time.monotonic() + seconds
    yield f"retry: 3000\nid: {cursor}\n\n"
    spoke_at = time.monotonic()
    while time.monotonic() < ends_at:
        try:
            found = await run_in_threadpool(_look, catalog, user, cursor)
        except BackupError:
            return  # who reads comes again, at the same cursor
        if found.cursor != cursor:
            for event in found.events:
                yield f"id: {event.id}\nevent: {event.event}\ndata: {event.model_dump_json()}\n\n"
            cursor, spoke_at = found.cursor, time.monotonic()
            yield f"id: {cursor}\n\n"
        elif time.monotonic() - spoke_at > SIGN_OF_LIFE_EVERY:
            spoke_at = time.monotonic()
            yield ": still here\n\n"
        if not found.more:
            await asyncio.sleep(LOOK_EVERY)


def _look(catalog: Catalog, user: BaseUser, cursor: int) -> EventList:
    with create_session(scoped=False) as session:
        access = Access(user=user, session=session, manager=get_auth_manager())
        return read_feed(catalog, access, after=cursor, limit=AT_ONCE)
