"""
Many backups at once in a whole Airflow: places, priorities, clicks, a downtime, a triggerer that dies.

How many worked at once is proven twice: from the catalog's moments, and from what the programs themselves wrote.
``DUE=20 OVERDUE=100 WAITING=50 pytest tests/integration/test_queue.py`` asks with more than the daily run does.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.catalog import Catalog
from support.airflow import tasks
from support.airflow.databases import Databases
from support.airflow.home import AirflowHome
from support.airflow.runs import API, Runs
from support.servers import postgres as servers

pytestmark = [pytest.mark.service, pytest.mark.slow(minutes=14)]

SLOTS = 3
DUE = int(os.environ.get("DUE", "8"))
OVERDUE = int(os.environ.get("OVERDUE", "8"))
WAITING = int(os.environ.get("WAITING", "5"))
CLICKS = 50
FOR_EACH = 25.0
"""Seconds that a run may take on a busy machine, with all of its tasks."""

PROGRAM = """#!/bin/sh
# LOG NAME [FILE]: notes when it begins and ends; works until the file is there, or a moment.
echo "begin $2 $(date +%s.%N)" >> "$1"
if [ -n "$3" ]; then while [ ! -e "$3" ]; do sleep 0.2; done; else sleep 1; fi
echo "what $2 is" > "$BACKUP_OUTPUT/copy"
echo "end $2 $(date +%s.%N)" >> "$1"
"""
HEAD = """version: 1
defaults: {repository: "file://FOLDER/repository", retry: {max_retries: 2, delay: 1s, jitter: 0}}
schedules:
"""


@dataclass(frozen=True)
class Span:
    """From when to when something worked."""

    name: str
    begin: float
    end: float


def most_at_once(spans: list[Span]) -> int:
    """Return how many overlapped; an end at the moment of a beginning does not."""
    moves = sorted([(span.begin, 1) for span in spans] + [(span.end, -1) for span in spans])
    now = most = 0
    for _, move in moves:
        now += move
        most = max(most, now)
    return most


class Place:
    """A whole Airflow, the programs of its schedules, and what they note."""

    def __init__(self, folder: Path, runs: Runs, catalog_url: str) -> None:
        self.folder, self.runs, self.catalog_url = folder, runs, catalog_url
        self.airflow = runs.airflow
        self._text = HEAD
        self.log = folder / "programs.log"
        self.go = folder / "go"

    def deploy(self, name: str, when: str, *, shares: str | None = None, more: str = "") -> None:
        """Write a schedule whose program notes when it works; ``shares`` is its source's name, if not its own."""
        words = f"[FOLDER/program, FOLDER/programs.log, {shares or name}]"
        self._text += f"  - {{id: {name}, {when}, {more}source: {{engine: command, workflow: {{command: {words}}}}}}}\n"

    def deploy_holder(self, name: str) -> None:
        """Write a schedule whose program works until it is let go; what a test before let go holds no place."""
        self.go.unlink(missing_ok=True)
        words = f"[FOLDER/program, FOLDER/programs.log, {name}, {self.go}]"
        self._text += f"  - {{id: {name}, every: 365d, source: {{engine: command, workflow: {{command: {words}}}}}}}\n"

    def deploy_slots(
        self, prefix: str, count: int, tell: Callable[[int, datetime], Mapping[str, str]]
    ) -> tuple[datetime, list[str]]:
        """
        Deploy schedules with one slot in a moment, and return it with their names.

        Where a busy machine has them later than that, they are replaced by others, whose slot is further ahead.
        """
        before, minutes = self._text, 1.5
        for turn in "abcd":
            at = in_minutes(minutes)
            names = [f"{prefix}-{turn}{number}" for number in range(count)]
            for number, name in enumerate(names):
                self.deploy(name, cron(at), **dict(tell(number, at)))
            self.publish(*names)
            if datetime.now(UTC) < at - timedelta(seconds=2):
                return at, names
            self._text, minutes = before, minutes * 2
        raise AssertionError(f"{count} schedules are not deployed within {minutes:.0f} minutes")

    def let_go(self) -> None:
        """Let the programs of the holders end."""
        self.go.touch()

    def publish(self, *names: str) -> None:
        """Deploy what was written, and wait until Airflow has it."""
        partial = self.airflow.schedules.with_suffix(".new")
        partial.write_text(self._text.replace("FOLDER", str(self.folder)))
        partial.rename(self.airflow.schedules)
        self.runs.wait_until_known(*names)

    def noted(self) -> list[Span]:
        """Return what the programs themselves have written."""
        open_since: dict[str, list[float]] = {}
        spans = []
        for line in self.log.read_text().splitlines() if self.log.exists() else []:
            word, name, moment = line.split()
            if word == "begin":
                open_since.setdefault(name, []).append(float(moment))
            else:
                spans.append(Span(name, open_since[name].pop(), float(moment)))
        spans += [Span(name, at, time.time()) for name, left in open_since.items() for at in left]
        return sorted(spans, key=lambda span: span.begin)

    def count_begun(self, names: list[str]) -> int:
        """Return how many programs of these have begun; the log also holds those of other tests."""
        return sum(span.name in names for span in self.noted())

    def states(self, names: list[str], task: str) -> Counter[str]:
        """Return how Airflow's tasks stand, of the newest run of each schedule."""
        found: Counter[str] = Counter()
        body = {"dag_ids": [f"backup__{name}" for name in names], "page_limit": 1000}
        answer = self.runs.api.post("api/v2/dags/~/dagRuns/~/taskInstances/list", json=body)
        for each in answer.json()["task_instances"]:
            if each["task_id"] == task:
                found[f"{each['state']}"] += 1
        return found

    def wait_for_tasks(self, names: list[str], task: str, state: str) -> None:
        """Wait until such a task of each is in a state; say in which they are where it takes too long."""
        seen: Counter[str] = Counter()

        def all_are() -> bool:
            seen.clear()
            seen.update(self.states(names, task))
            return seen[state] == len(names)

        patience = 300 + 2 * FOR_EACH * len(names)
        try:
            self.airflow.wait_for(all_are, what=f"all to be {state}", patience=patience)
        except AssertionError as error:
            raise AssertionError(f"{task} of {len(names)} runs: {dict(seen)}; {error}") from error

    def wait_for_ends(self, names: list[str]) -> dict[str, dict[str, Any]]:
        """Wait until each has a run that is over, and none works; return that run."""

        def over() -> bool:
            body = {"dag_ids": [f"backup__{name}" for name in names], "page_limit": 1000}
            answer = self.runs.api.post("api/v2/dags/~/dagRuns/list", json=body)
            ended = [
                run["dag_id"]
                for run in answer.json()["dag_runs"]
                if run["state"] in ("success", "failed")
            ]
            return set(ended) >= {f"backup__{name}" for name in names}

        patience = 200 + FOR_EACH * len(names)
        self.airflow.wait_for(over, what=f"the ends of {len(names)} runs", patience=patience)
        found = {}
        for name in names:
            shown = self.runs.shown(name)
            assert len(shown) == 1, f"{name} ran {len(shown)} times: {shown}"
            found[name] = shown[0]
        return found

    def check(self, names: list[str]) -> None:
        """Check that each completed with one set, and that never more worked than there are places."""
        with Catalog.open(self.catalog_url) as catalog:
            rows = {name: catalog.executions.last([name])[name] for name in names}
            sets = {name: catalog.sets.of(name) for name in names}
        assert {row.status for row in rows.values()} == {"completed"}, rows
        assert all(len(found) == 1 for found in sets.values()), sets
        by_catalog = [
            Span(name, row.started_at.timestamp(), row.finished_at.timestamp())
            for name, row in rows.items()
            if row.started_at is not None and row.finished_at is not None
        ]
        assert len(by_catalog) == len(names)
        assert most_at_once(by_catalog) <= SLOTS, by_catalog
        assert most_at_once(self.noted()) <= SLOTS, self.noted()


@pytest.fixture(autouse=True)
def nobody_is_held_longer(place: Place) -> Iterator[None]:
    """What holds a place for a test that failed would hold it for the next."""
    yield
    place.let_go()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("queue")
    program = folder / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    with servers.postgres(found=servers.require()) as server:
        databases = Databases(server)
        environment = {
            **databases.environment(),
            "AIRFLOW__CORE__PARALLELISM": "6",
            "AIRFLOW__BACKUP__ALLOWED_COMMANDS": str(program),
            "AIRFLOW__BACKUP__MAX_CONCURRENT": str(SLOTS),
        }
        with AirflowHome(folder / "airflow", environment=environment) as home:
            home.start()
            with home.client("admin") as api:
                yield Place(folder, Runs(home, api), databases.catalog)


def in_minutes(count: float) -> datetime:
    """Return the beginning of a minute, at least so far ahead."""
    at = datetime.now(UTC) + timedelta(minutes=count, seconds=59)
    return at.replace(second=0, microsecond=0)


def cron(at: datetime) -> str:
    """Write a slot that comes once in the time of a test."""
    return f'cron: "{at.minute} {at.hour} * * *"'


def sleep_until(at: datetime) -> None:
    time.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()))


@pytest.mark.timeout(900 + 90 * DUE)
def test_what_is_due_at_once_waits_for_a_place_in_the_order_of_its_priority(place: Place) -> None:
    holders = [f"holder-{number}" for number in range(SLOTS)]
    for name in holders:
        place.deploy_holder(name)
    place.publish(*holders)
    for name in holders:
        place.runs.start(name)
    place.airflow.wait_for(
        lambda: place.count_begun(holders) == SLOTS, what="all places to be taken"
    )

    def tell(number: int, at: datetime) -> dict[str, str]:
        # priorities that are in no order of names; of the last four, two each read the same
        shared = {"shares": f"source-{number % 2}"} if number >= DUE - 4 else {}
        return {"more": f"priority: {number * 7 % DUE + 1}, ", **shared}

    _, names = place.deploy_slots("due", DUE, tell)
    place.wait_for_tasks(names, "backup", "scheduled")
    assert place.count_begun([*names, "source-0", "source-1"]) == 0, "one began without a place"
    place.let_go()
    place.wait_for_ends(names)
    place.check(names)
    priority = {name: number * 7 % DUE + 1 for number, name in enumerate(names)}
    begun = [span.name for span in place.noted() if span.name in priority]
    for index, name in enumerate(begun):
        passed = [other for other in begun[index + 1 :] if priority[other] > priority[name]]
        # what is given its place in the same moment may begin in any order
        assert len(passed) < SLOTS, f"{name} began before {passed}: {begun}"
    for source in ("source-0", "source-1"):
        spans = [span for span in place.noted() if span.name == source]
        assert len(spans) == 2
        assert most_at_once(spans) == 1, "two schedules read one source at once"


def test_of_fifty_clicks_one_starts_a_run(place: Place) -> None:
    place.deploy("clicked", "every: 365d")
    place.publish("clicked")
    with place.airflow.client("admin") as api, ThreadPoolExecutor(CLICKS) as threads:
        asked = [
            threads.submit(api.post, f"{API}/schedules/clicked/run", json={}) for _ in range(CLICKS)
        ]
        answers = [each.result() for each in asked]
    codes = Counter(answer.status_code for answer in answers)
    assert codes == {202: 1, 409: CLICKS - 1}, [a.text for a in answers if a.status_code >= 500]
    place.wait_for_ends(["clicked"])
    place.check(["clicked"])


@pytest.mark.timeout(900 + 60 * OVERDUE)
def test_what_became_overdue_while_the_scheduler_was_away_runs_once_and_not_all_at_once(
    place: Place,
) -> None:
    place.airflow.stop("scheduler")
    more = {"more": "missed: run_once, "}
    at, names = place.deploy_slots("overdue", OVERDUE, lambda number, at: more)
    sleep_until(at + timedelta(seconds=75))  # only what is late by more than a minute is missed
    assert not any(place.runs.shown(name) for name in names)
    place.airflow.start("scheduler")
    found = place.wait_for_ends(names)
    assert {run["trigger"] for run in found.values()} == {"schedule"}
    place.check(names)


@pytest.mark.timeout(1200 + 90 * WAITING)
def test_runs_that_wait_for_their_windows_outlive_the_triggerer(place: Place) -> None:
    wait = timedelta(minutes=3 + WAITING // 6)

    def tell(number: int, at: datetime) -> dict[str, str]:
        opens, closes = at + wait, at + wait + timedelta(hours=4)
        window = f'[{{from: "{opens:%H:%M}", to: "{closes:%H:%M}"}}]'
        return {"more": f"window: {window}, outside_window: wait, "}

    at, names = place.deploy_slots("waiting", WAITING, tell)
    opens = at + wait
    place.wait_for_tasks(names, "window", "deferred")
    triggerer = place.airflow.pid("triggerer")
    tasks.send(signal.SIGKILL, triggerer, *tasks.below(triggerer))
    place.airflow.stop("triggerer")
    sleep_until(opens + timedelta(seconds=5))
    assert place.states(names, "window")["deferred"] == WAITING
    place.airflow.start("triggerer")
    place.wait_for_ends(names)
    place.check(names)
    begun = [span.begin for span in place.noted() if span.name in names]
    assert min(begun) >= opens.timestamp(), "a run began before its window opened"
