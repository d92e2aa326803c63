"""
What stands before every route: no answer without a user or to what is no text, no change without JSON, no body
without limits.

It stands before routing and parsing, so an address that nobody wrote a rule for is closed too.
"""

from __future__ import annotations

from typing import Final

from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_backup.plugin.http.problems import not_logged_in, problem
from airflow_backup.plugin.http.turns import Turns

OPEN: Final = "/static/"
"""The page's files: they hold no data, and the browser loads them before it can tell who asks."""

MOST_BYTES: Final = 256 * 1024
"""
Of a body: a definition of a schedule is a hundredth of it, and one with a thousand windows and ten thousand dates
fits.
"""

MOST_BYTES_OF_A_FILE: Final = 1024 * 1024
"""Of an import, whose text has at most 200,000 characters: of up to four bytes each, and quotes take one more."""

MOST_LEVELS: Final = 64
"""Of mappings and lists within each other in a body."""

_READS = {"GET", "HEAD", "OPTIONS"}
_OF_DATA = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_OF_FILES = {
    "content-security-policy": "frame-ancestors 'self'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


class SafeAnswers:
    """Tell browsers to guess nothing, frame nothing and, of data, keep nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = _OF_FILES if is_open(scope) else _OF_DATA

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in headers.items():
                    answer.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, add)


class Guard:
    """
    Let nothing through without a user, and no change without a JSON body of a sensible size.

    A browser sends JSON to another origin only after asking, which Airflow does not answer: that is
    what keeps a foreign page from acting with the user's cookie.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._turns = Turns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or is_open(scope):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            user = await get_user(request, None, await bearer_scheme(request))
        except HTTPException:
            await not_logged_in()(scope, receive, send)
            return
        refused = _refused_address(scope)
        if refused is not None:
            await refused(scope, receive, send)
            return
        if request.method in _READS:
            await self._turns.serve(self.app, scope, receive, send, user=user.get_id())
            return
        if not _is_json(request):
            answer = problem(
                415,
                "the body must be JSON",
                hint="send 'Content-Type: application/json' and an object",
            )
            await answer(scope, receive, send)
            return
        await self._change(request, scope, receive, send, user=user.get_id())

    async def _change(
        self, request: Request, scope: Scope, receive: Receive, send: Send, *, user: str
    ) -> None:
        is_file = scope["path"].endswith("/import")
        most = MOST_BYTES_OF_A_FILE if is_file else MOST_BYTES
        body = await _read(request, most=most)
        if body is None:
            answer = problem(
                413,
                f"the body is larger than {most // 1024} KiB",
                hint="split the file" if is_file else "is this one schedule, or one request?",
            )
            await answer(scope, receive, send)
            return
        if depth_of(body) > MOST_LEVELS:
            answer = problem(422, f"the body is nested more than {MOST_LEVELS} levels deep")
            await answer(scope, receive, send)
            return
        # Not while the body comes: that may be slow.
        with self._turns.brisk():
            await self._turns.serve(self.app, scope, _giving(body, receive), send, user=user)


def is_open(scope: Scope) -> bool:
    """Whether a request is for one of the page's files."""
    path: str = scope.get("path", "")
    return path.removeprefix(scope.get("root_path", "")).startswith(OPEN)


def depth_of(body: bytes) -> int:
    """
    Return how deep mappings and lists lie within each other in JSON, in one pass.

    >>> depth_of(b'{"a": [1, {"b": "]]]"}]}'), depth_of(b'1')
    (3, 0)
    """
    depth = most = 0
    in_text = escaped = False
    for byte in body:
        if in_text:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_text = False
        elif byte == 0x22:
            in_text = True
        elif byte in b"[{":
            depth += 1
            most = max(most, depth)
        elif byte in b"]}":
            depth -= 1
    return most


def _refused_address(scope: Scope) -> Response | None:
    """Answer an address that names what no text is: PostgreSQL can neither keep nor compare a NUL."""
    if "\0" in scope["path"]:
        return problem(404, "there is nothing here")
    if b"%00" in scope["query_string"]:
        return problem(422, "the address holds a NUL", hint="is it a binary value?")
    return None


async def _read(request: Request, *, most: int) -> bytes | None:
    """Return the body; None when it is too large, however it was announced."""
    announced = request.headers.get("content-length", "0")
    if not announced.isdigit() or int(announced) > most:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)


def _giving(body: bytes, receive: Receive) -> Receive:
    """Give the body once, and then what really comes: that the client has gone."""
    given = False

    async def give() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


def _is_json(request: Request) -> bool:
    return (
        request.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json"
    )
