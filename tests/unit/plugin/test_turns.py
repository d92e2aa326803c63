"""Whoever asks for much waits for their own requests, and nobody else does."""

from __future__ import annotations

import asyncio
import sys

import pytest
from starlette.types import Message, Receive, Scope, Send

from airflow_backup.plugin.http.turns import AT_ONCE, BRISK, Turns


def test_a_user_has_a_few_requests_at_work_and_others_do_not_wait() -> None:
    async def scene() -> None:
        turns, go_on = Turns(), asyncio.Event()
        at_work = 0

        async def ask(user: str) -> None:
            nonlocal at_work
            async with turns.of(user):
                at_work += 1
                await go_on.wait()

        many = [asyncio.create_task(ask("ann")) for _ in range(50)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert at_work == AT_ONCE
        other = asyncio.create_task(ask("bob"))
        await asyncio.sleep(0)
        assert at_work == AT_ONCE + 1
        go_on.set()
        await asyncio.wait_for(asyncio.gather(*many, other), 30)
        assert at_work == 51

    asyncio.run(scene())


def test_a_request_that_is_given_up_gives_its_turn_back_and_nothing_is_kept() -> None:
    async def scene() -> None:
        turns = Turns()

        async def ask() -> None:
            async with turns.of("ann"):
                await asyncio.sleep(3600)

        tasks = [asyncio.create_task(ask()) for _ in range(AT_ONCE + 3)]
        await asyncio.sleep(0)
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(30), turns.of("ann"):
            pass
        assert turns._lines == {}

    asyncio.run(scene())


def test_a_stream_that_goes_on_keeps_no_turn() -> None:
    async def scene() -> None:
        turns = Turns()
        begun = 0

        async def stream(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start"})
            await asyncio.sleep(3600)

        async def send(message: Message) -> None:
            nonlocal begun
            begun += message["type"] == "http.response.start"

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        streams = [
            asyncio.create_task(turns.serve(stream, {}, receive, send, user="ann"))
            for _ in range(AT_ONCE + 3)
        ]
        async with asyncio.timeout(30):
            while begun < len(streams):
                await asyncio.sleep(0)
        assert turns._lines == {}
        for each in streams:
            each.cancel()
        await asyncio.gather(*streams, return_exceptions=True)

    asyncio.run(scene())


def test_threads_change_places_more_often_until_the_last_change_is_done() -> None:
    calm = sys.getswitchinterval()
    turns = Turns()
    with turns.brisk():
        with turns.brisk():
            assert sys.getswitchinterval() == pytest.approx(BRISK)
        assert sys.getswitchinterval() == pytest.approx(BRISK)
    assert sys.getswitchinterval() == pytest.approx(calm)
