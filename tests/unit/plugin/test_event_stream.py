"""The stream of events: what readers may send, and what those cost that never read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import ExitStack
from typing import Any

import pytest

from airflow_backup.plugin.http.routes import events
from airflow_backup.plugin.services.feed import OpenStreams


@pytest.mark.parametrize(
    ("given", "cursor"),
    [("7", 7), ("\u00b2", None), ("\u0667", None), ("-1", None), ("9" * 20, 2**53), ("x", None)],
)
def test_an_id_that_is_none_of_ours_begins_now(given: str, cursor: int | None) -> None:
    assert events._cursor(given) == cursor


def test_a_reader_that_takes_nothing_keeps_its_place_for_no_longer_than_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "LONGEST", 0.2)
    monkeypatch.setattr(events, "SIGN_OF_LIFE_EVERY", 0.0)
    places, held = OpenStreams(), ExitStack()
    assert held.enter_context(places.one("ann"))

    async def much() -> AsyncIterator[str]:
        while True:
            yield "id: 1\n\n"

    async def send(message: MutableMapping[str, Any]) -> None:
        await asyncio.sleep(3600)  # the other end has no room

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(3600)
        return {}

    stream = events._Stream(much(), held, headers={})
    scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
    asyncio.run(asyncio.wait_for(stream(scope, receive, send), 30))
    assert places._of["ann"] == 0
