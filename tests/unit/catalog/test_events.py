"""What happened is told in the transaction in which it became true: once, in order, whoever is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import Event
from airflow_backup.catalog.run_records import AttemptRow, Failure, Outcome
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import (
    EventKind,
    ExecutionStatus,
    Trigger,
    VerificationLevel,
    VerificationOutcome,
)

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)
KILLS = int(os.environ.get("EVENT_KILLS", "8"))
FAILURE = Failure(error="no room", hint="df", failure_class=FailureClass.SPACE)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        yield catalog


def begin(catalog: Catalog, run: str = "r1", minutes: int = 0, attempt: int = 1) -> AttemptRow:
    at = NOW + timedelta(minutes=minutes)
    return catalog.executions.begin(
        "wiki", run, run_at=NOW, trigger=Trigger.SCHEDULE, at=at, attempt=attempt
    )


def end(
    catalog: Catalog, attempt: AttemptRow, status: str, *, again: bool = False, minutes: int = 1
) -> None:
    word = ExecutionStatus(status)
    failure = None if word is ExecutionStatus.COMPLETED else FAILURE
    outcome = Outcome(status=word, failure=failure, is_tried_again=again)
    catalog.executions.finish(attempt, outcome, at=NOW + timedelta(minutes=minutes))


def told(catalog: Catalog) -> list[str]:
    return [event.action for event in catalog.events.after(0)]


def test_a_run_that_succeeds_at_the_second_attempt_tells_each_step(catalog: Catalog) -> None:
    end(catalog, begin(catalog), "failed", again=True)
    end(catalog, begin(catalog, minutes=2, attempt=2), "completed", minutes=3)
    assert told(catalog) == ["started", "failed", "retry", "completed"]
    failed = catalog.events.after(1)[0]
    assert failed.subject == "wiki"
    assert failed.detail["error"] == "no room"
    assert failed.detail["failure_class"] == "space"
    assert catalog.events.first_broken() is None


def test_the_last_failure_is_final(catalog: Catalog) -> None:
    end(catalog, begin(catalog), "failed")
    assert told(catalog) == ["started", "failed_final"]


def test_an_attempt_that_ended_without_a_word_is_told_with_the_next_one(catalog: Catalog) -> None:
    first = begin(catalog)
    end(catalog, begin(catalog, minutes=5), "cancelled", minutes=6)
    assert told(catalog) == ["started", "failed", "retry", "cancelled"]
    assert catalog.events.after(1)[0].detail["error"] == "the attempt ended without a word"
    end(catalog, first, "failed", minutes=7)  # it was only slow, and nobody waits for its word
    assert told(catalog) == ["started", "failed", "retry", "cancelled"]


def test_an_end_that_is_told_again_because_the_answer_was_lost_is_one_event(
    catalog: Catalog,
) -> None:
    attempt = begin(catalog)
    end(catalog, attempt, "completed")
    end(catalog, attempt, "completed")
    assert told(catalog) == ["started", "completed"]


def test_a_skipped_run_is_a_row_and_one_event(catalog: Catalog) -> None:
    for _ in range(2):
        catalog.executions.skip(
            "wiki", "r1", run_at=NOW, trigger=Trigger.SCHEDULE, at=NOW, reason="on calendar freeze"
        )
    assert told(catalog) == ["skipped"]
    row = catalog.executions.get("wiki", "r1")
    assert row is not None
    assert (row.status, row.reason, row.attempts) == ("skipped", "on calendar freeze", 0)
    end(catalog, begin(catalog, minutes=9), "completed", minutes=10)  # a person cleared its tasks
    assert told(catalog) == ["skipped", "started", "completed"]
    again = catalog.executions.get("wiki", "r1")
    assert again is not None
    assert (again.status, again.started_at) == ("completed", NOW + timedelta(minutes=9))


def test_verifications_that_people_should_know_of_are_told(catalog: Catalog) -> None:
    for level, outcome in [
        ("standard", "passed"),
        ("restore_test", "passed"),
        ("restore_test", "inconclusive"),
        ("full", "failed"),
    ]:
        catalog.verifications.record(
            "s1",
            "wiki",
            level=VerificationLevel(level),
            outcome=VerificationOutcome(outcome),
            started_at=NOW,
            finished_at=NOW,
            reason="2 rows are missing" if outcome == "failed" else None,
        )
    assert told(catalog) == ["restore_tested", "verification_failed"]
    assert catalog.events.after(1)[0].detail == {
        "set_id": "s1", "level": "full", "reason": "2 rows are missing", "is_newest": True,
    }  # fmt: skip


def test_what_people_did_to_sets_is_in_the_chain_and_not_in_the_feed(catalog: Catalog) -> None:
    catalog.events.append(at=NOW, actor="ann", action="prune", subject="s1")
    begin(catalog)
    assert [event.id for event in catalog.events.after(0)] == [2]
    assert catalog.events.last_id() == 2


WRITER = """
import random, sys
from datetime import UTC, datetime
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import Failure, Outcome
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import ExecutionStatus, Trigger
url, name, seed = sys.argv[1:]
chance = random.Random(int(seed))
failure = Failure(error="x", hint=None, failure_class=FailureClass.NETWORK)
with Catalog.open(url) as catalog:
    print("ready", flush=True)
    for number in range(10_000):
        now = datetime.now(UTC)
        row = catalog.executions.begin(name, f"{seed}-{number}", run_at=now, trigger=Trigger.SCHEDULE, at=now)
        while chance.random() < 0.3:
            outcome = Outcome(status=ExecutionStatus.FAILED, failure=failure, is_tried_again=True)
            catalog.executions.finish(row, outcome, at=datetime.now(UTC))
            row = catalog.executions.begin(
                name, row.run_id, run_at=now, trigger=Trigger.SCHEDULE, at=datetime.now(UTC), attempt=row.number + 1
            )
        status = chance.choice([ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED])
        told = None if status is ExecutionStatus.COMPLETED else failure
        catalog.executions.finish(row, Outcome(status=status, failure=told), at=datetime.now(UTC))
"""


def over_kills(url: str) -> None:
    """Kill writers at any moment, while somebody reads the feed; then compare feed, rows and what was read."""
    chance = random.Random(20261121)
    read: list[Event] = []
    with Catalog.open(url) as catalog:
        for kill in range(KILLS):
            writers = [writer(url, f"s{kill % 3}", 2 * kill), writer(url, "other", 2 * kill + 1)]
            try:
                until = time.monotonic() + chance.uniform(0.02, 0.4)
                while time.monotonic() < until:
                    read += catalog.events.after(read[-1].id if read else 0, limit=7)
            finally:
                for process in writers:
                    os.kill(process.pid, signal.SIGKILL)
                    process.communicate()
        while more := catalog.events.after(read[-1].id if read else 0, limit=7):
            read += more
        compare(catalog, read)


def writer(url: str, name: str, seed: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, url, name, str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def compare(catalog: Catalog, read: list[Event]) -> None:
    every = catalog.events.after(0, limit=1_000_000)
    assert (
        [event.id for event in read]
        == [event.id for event in every]
        == list(range(1, len(every) + 1))
    )
    assert catalog.events.first_broken() is None
    expected: Counter[tuple[str, str, int, str]] = Counter()
    for schedule in ("s0", "s1", "s2", "other"):
        for row in catalog.executions.history(schedule, limit=1_000_000):
            attempts = catalog.executions.attempts(row)
            for each in attempts:
                key = (schedule, row.run_id, each.number)
                expected[(*key, EventKind.STARTED if each.number == 1 else EventKind.RETRY)] += 1
                if each.status is ExecutionStatus.FAILED and each is not attempts[-1]:
                    expected[(*key, EventKind.FAILED)] += 1
                elif each.status is ExecutionStatus.FAILED:
                    # It was killed before it began the next attempt, or this was the last.
                    later = [one.action for one in every if one.detail["run_id"] == row.run_id]
                    expected[(*key, later[-1])] += 1
                    assert later[-1] in (EventKind.FAILED, EventKind.FAILED_FINAL)
                elif each.status.is_final:
                    expected[(*key, each.status)] += 1
    found = Counter(
        (event.subject, event.detail["run_id"], event.detail["attempt"], event.action)
        for event in every
    )
    assert found == expected
    assert len(every) > KILLS


def test_events_are_there_exactly_once_and_in_order_over_kills(tmp_path: Path) -> None:
    over_kills(f"sqlite:///{tmp_path}/catalog.db")
