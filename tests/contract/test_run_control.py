"""Every engine, paused for longer than it may take, or cancelled, at moments that chance chooses."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_backup.actions.backup.backup import BackupResult, Run, backup
from airflow_backup.actions.backup.control import Control, Limits
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.actions.verify.inspect import Inspection, inspect_set
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import Cancelled
from airflow_backup.core.process.containment import descendants
from airflow_backup.core.words import ExecutionStatus, VerificationLevel, VerificationOutcome
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.storage.open import open_storage
from support.sources.makings import MAKINGS, Making
from support.stored.sets import PlainJob

pytestmark = pytest.mark.service

TURNS = int(os.environ.get("TURNS", "3"))
SEED = 20261128


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Stage:
    """An engine's source, a catalog, and chance."""

    making: Making
    catalog: Catalog
    rng: random.Random
    runs: int = 0

    @property
    def job(self) -> PlainJob:
        return self.making.job

    def take(self, act: Callable[[str], None], *, max_duration: timedelta | None) -> BackupResult:
        """Take a backup, while ``act`` does something to the run of this id."""
        self.runs += 1
        run = Run(f"run-{self.runs}", now())
        control = Control(
            limits=Limits(max_duration=max_duration),
            clock=now,
            orders=lambda: self.catalog.impatient().orders.last(self.job.id, run.id),
            interval=0.01,
        )
        acting = threading.Thread(target=act, args=(run.id,), daemon=True)
        acting.start()
        try:
            return backup(
                self.job,
                run,
                catalog=self.catalog,
                connections=from_environment,
                clock=now,
                control=control,
                allowed_commands=[self.job.source.own_program or ""],
            )
        finally:
            acting.join()

    def pausing(self, *, after: float, seconds: float) -> Callable[[str], None]:
        """Return what pauses a run for a while."""

        def act(run_id: str) -> None:
            time.sleep(after)
            self.catalog.orders.add(self.job.id, run_id, "pause", by="ann", at=now())
            time.sleep(seconds)
            self.catalog.orders.add(self.job.id, run_id, "resume", by="ann", at=now())

        return act

    def cancelling(self, *, after: float, moments: list[float]) -> Callable[[str], None]:
        """Return what cancels a run, and notes when."""

        def act(run_id: str) -> None:
            time.sleep(after)
            moments.append(time.monotonic())
            self.catalog.orders.add(
                self.job.id, run_id, "cancel", by="ann", at=now(), reason="too slow"
            )

        return act

    def was_cancelled(self, act: Callable[[str], None]) -> bool:
        """Take a backup, and say whether it was cancelled before it was complete."""
        try:
            self.take(act, max_duration=None)
        except Cancelled:
            return True
        return False


@pytest.fixture(params=MAKINGS, scope="module")
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp(request.param.replace(" ", "-"))
    with Catalog.open(f"sqlite:///{folder}/catalog.db") as catalog:
        for making in MAKINGS[request.param](folder):
            yield Stage(making, catalog, random.Random(f"{SEED} {request.param}"))


def test_a_run_that_was_paused_completes_and_its_set_comes_back(stage: Stage) -> None:
    begun = time.monotonic()
    stage.take(lambda run: None, max_duration=None)
    usual = time.monotonic() - begun
    for _ in range(TURNS):
        act = stage.pausing(after=stage.rng.uniform(0, usual), seconds=1.0 + stage.rng.random())
        result = stage.take(act, max_duration=timedelta(seconds=60 + 10 * usual))
        assert result.status is ExecutionStatus.COMPLETED
        context = EngineContext(connections=from_environment, source=stage.job.source)
        how = Inspection(level=VerificationLevel.FULL, context=context)
        storage = open_storage(stage.job.repository)
        verdict = inspect_set(storage, Trust.of(stage.job), result.set_id, how)[0]
        assert verdict.outcome is VerificationOutcome.PASSED, verdict


def test_a_cancelled_run_ends_at_once_with_who_and_why_and_leaves_no_set(stage: Stage) -> None:
    stage.take(lambda run: None, max_duration=None)  # the first one takes longer than usual
    begun = time.monotonic()
    stage.take(lambda run: None, max_duration=None)
    usual, cancelled = time.monotonic() - begun, 0
    servers = descendants(os.getpid())
    for turn in range(20 * TURNS):
        if turn >= TURNS and cancelled:
            break  # what is done in a moment is rarely met
        moments: list[float] = []
        known = len(stage.catalog.sets.of(stage.job.id))
        act = stage.cancelling(after=stage.rng.uniform(0, 0.8 * usual), moments=moments)
        if stage.was_cancelled(act):
            cancelled += 1
            assert time.monotonic() - moments[0] < 30, "five seconds where nothing else runs"
            assert len(stage.catalog.sets.of(stage.job.id)) == known
            found = stage.catalog.executions.get(stage.job.id, f"run-{stage.runs}")
            assert found is not None
            assert (found.status, found.reason) == (
                ExecutionStatus.CANCELLED,
                "cancelled by ann: too slow",
            )
        left = started_besides(servers)
        assert left == [], [Path(f"/proc/{number}/cmdline").read_bytes() for number in left]
    assert cancelled > 0


def started_besides(servers: list[int]) -> list[int]:
    """Return the processes below us that none of the test's servers, or of its children, started; a zombie is gone."""
    return [number for number in descendants(os.getpid()) if not from_any(number, servers)]


def from_any(number: int, servers: list[int]) -> bool:
    """Whether a process is one of these or below one; so is one that ended meanwhile, of which nothing can be asked."""
    while number not in servers:
        if number in {os.getpid(), 0, 1}:
            return False
        try:
            number = int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return True
    return True
