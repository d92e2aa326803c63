"""The feed: a page of it and a stream of it, as far as its reader may read."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import httpx
import pytest

from airflow_backup.catalog import Catalog
from airflow_backup.core.words import Trigger
from support.airflow.home import AirflowHome

EVENTS = "backup/api/v1/events"


@pytest.fixture
def catalog(airflow: AirflowHome) -> Iterator[Catalog]:
    with Catalog.open(airflow.catalog_url) as catalog:
        yield catalog


def begin(catalog: Catalog, run_id: str, schedule: str = "raced") -> None:
    now = datetime.now(UTC)
    catalog.executions.begin(schedule, run_id, run_at=now, trigger=Trigger.SCHEDULE, at=now)


def test_the_feed_is_read_page_by_page_each_event_once(admin: httpx.Client) -> None:
    seen, cursor, more = [], 0, True
    while more:
        page = admin.get(EVENTS, params={"after": cursor, "limit": 3}).json()
        assert len(page["events"]) <= 3
        seen += page["events"]
        cursor, more = page["cursor"], page["more"]
    ids = [event["id"] for event in seen]
    assert ids == sorted(set(ids))
    assert {event["event"] for event in seen} >= {"started", "completed", "failed_final"}
    # whatever other tests let fail meanwhile
    failed = next(
        each for each in seen if (each["event"], each["schedule_id"]) == ("failed_final", "crm")
    )
    assert failed["detail"]["hint"] == "is the disk full?"
    last = admin.get(EVENTS, params={"after": cursor}).json()
    # other tests write events of schedules that there are not, which count as the newest and are told to nobody
    assert last["newest"] >= cursor
    assert (last["events"], last["cursor"], last["more"]) == ([], cursor, False)


def test_nobody_reads_the_feed(nobody: httpx.Client) -> None:
    assert nobody.get(EVENTS).status_code == 401
    assert nobody.get(f"{EVENTS}/stream").status_code == 401


def test_what_concerns_a_schedule_that_there_is_not_is_not_told_and_is_passed_over(
    viewer: httpx.Client, catalog: Catalog
) -> None:
    before = catalog.events.last_id()
    begin(catalog, "feed-1")
    page = viewer.get(EVENTS, params={"after": before}).json()
    assert [event["schedule_id"] for event in page["events"]] == ["raced"]
    assert page["cursor"] == before + 1


def test_a_stream_tells_what_happens_and_goes_on_at_the_last_id(
    admin: httpx.Client, catalog: Catalog
) -> None:
    begin(catalog, "stream-0")
    before = catalog.events.last_id()
    with admin.stream("GET", f"{EVENTS}/stream", params={"after": before}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(lines) == "retry: 3000"
        threading.Timer(0.5, begin, [catalog, "stream-1"]).start()
        told = dict(line.split(": ", 1) for line in take_event(lines))
    assert (told["id"], told["event"]) == (str(before + 1), "started")
    assert json.loads(told["data"])["detail"]["run_id"] == "stream-1"

    last = {"Last-Event-ID": str(before)}
    with admin.stream("GET", f"{EVENTS}/stream", headers=last) as stream:
        told = dict(line.split(": ", 1) for line in take_event(stream.iter_lines()))
    assert told["id"] == str(before + 1)


def take_event(lines: Iterator[str]) -> list[str]:
    """Read to the first event that says something."""
    found: list[str] = []
    for line in lines:
        if line:
            found.append(line)
        elif any(each.startswith("data: ") for each in found):
            return found
        else:
            found = []
    raise AssertionError("the stream ended")


def test_one_user_cannot_take_all_the_streams(admin: httpx.Client, viewer: httpx.Client) -> None:
    with ExitStack() as streams:
        for _ in range(6):
            one = streams.enter_context(admin.stream("GET", f"{EVENTS}/stream"))
            assert one.status_code == 200
        refused = admin.get(f"{EVENTS}/stream")
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "30"
        with viewer.stream("GET", f"{EVENTS}/stream") as other:
            assert other.status_code == 200
    with admin.stream("GET", f"{EVENTS}/stream") as again:
        # The places of those that have gone come back when the server notices.
        assert again.status_code in (200, 429)
