"""
Lets each user have a few requests at work at once; the next ones of the same user wait for their turn.

Python reckons one thing at a time in a process. Whoever asks for much from many connections would get most of it, and
everybody else the rest. So what is waited for is one's own requests.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

AT_ONCE: Final = 2
"""Requests of one user that are at work in one process of the API server."""


BRISK: Final = 0.0005
"""Seconds that a thread may reckon while another one waits; Python's own 0.005 is for when nobody reckons for long."""


class _Line:
    """The turns of one user, and how many wait or work."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(AT_ONCE)
        self.length = 0


class Turns:
    """The turns of all users."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        self._brisk = 0
        self._calm = sys.getswitchinterval()

    async def serve(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, user: str
    ) -> None:
        """
        Serve one request of ``user`` in its turn, which ends where its answer begins: a stream of events has no end.
        """
        async with AsyncExitStack() as turn:
            await turn.enter_async_context(self.of(user))

            async def told(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await turn.aclose()
                await send(message)

            await app(scope, receive, told)

    @asynccontextmanager
    async def of(self, user: str) -> AsyncIterator[None]:
        """Wait for a turn of ``user``, and have it until the block ends."""
        line = self._lines.setdefault(user, _Line())
        line.length += 1
        try:
            async with line.turns:
                yield
        finally:
            line.length -= 1
            if not line.length:  # users who come once leave nothing behind
                del self._lines[user]

    @contextmanager
    def brisk(self) -> Iterator[None]:
        """
        Let threads change places more often until the block ends: an answer waits for its place at each statement.
        """
        if not self._brisk:
            self._calm = sys.getswitchinterval()
            sys.setswitchinterval(min(BRISK, self._calm))
        self._brisk += 1
        try:
            yield
        finally:
            self._brisk -= 1
            if not self._brisk:
                sys.setswitchinterval(self._calm)
