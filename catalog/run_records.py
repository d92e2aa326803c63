"""What the catalog remembers of runs: executions, attempts, orders, leases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import (
    ExecutionStatus,
    Kind,
    Trigger,
)

PASSED = "passed__"
"""Begins the run id of a slot that passed while the run before it went on; Airflow has no such run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run of a schedule; ``attempts`` counts the tries, ``since`` is what history sorts by."""

    schedule_id: str
    run_id: str
    status: ExecutionStatus
    trigger: Trigger
    run_at: datetime
    since: datetime
    kind: Kind | None = None
    reason: str | None = None
    note: str | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 0
    bytes_read: int | None = None
    bytes_stored: int | None = None
    files: int | None = None
    set_id: str | None = None
    warnings: int = 0
    error: str | None = None
    hint: str | None = None
    failure_class: FailureClass | None = None
    definition: str | None = None
    """The version of the schedule by which it went: its digest."""

    definition_version: int | None = None
    """The number of that version in the catalog, of a schedule made there."""

    host: str | None = None
    """The machine that took it, the last one; with the queue and the executor by which Airflow sent it there."""

    queue: str | None = None
    executor: str | None = None

    @property
    def is_conclusive(self) -> bool:
        """Whether it says how the schedule stands: it completed or failed."""
        return self.status in (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One try of an execution."""

    schedule_id: str
    run_id: str
    number: int
    status: ExecutionStatus
    started_at: datetime
    finished_at: datetime | None = None
    error: str | None = None
    hint: str | None = None
    failure_class: FailureClass | None = None
    definition: str | None = None
    """The version of the schedule by which it went: its digest."""

    definition_version: int | None = None
    """The number of that version in the catalog, of a schedule made there."""

    host: str | None = None
    """The machine that took it, the last one; with the queue and the executor by which Airflow sent it there."""

    queue: str | None = None
    executor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person told a run."""

    schedule_id: str
    run_id: str
    action: Literal["pause", "resume", "cancel"]
    by: str
    at: datetime
    reason: str | None = None
    id: int = 0
    """Counts up over all orders."""

    @property
    def text(self) -> str:
        """
        Who told the run what, and why.

        >>> at = datetime(2026, 11, 28)
        >>> Order(schedule_id="a", run_id="r", action="cancel", by="ann", at=at, reason="too slow").text
        'cancelled by ann: too slow'
        """
        done = {"pause": "paused", "resume": "resumed", "cancel": "cancelled"}[self.action]
        return f"{done} by {self.by}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who has something for himself, such as a source, and until when if he is heard of no more."""

    name: str
    schedule_id: str
    run_id: str
    host: str
    taken_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt did not make it."""

    error: str
    hint: str | None
    failure_class: FailureClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an attempt; figures only when it completed."""

    status: ExecutionStatus
    reason: str | None = None
    kind: Kind | None = None
    set_id: str | None = None
    files: int | None = None
    bytes_read: int | None = None
    bytes_stored: int | None = None
    warnings: int = 0
    failure: Failure | None = None
    is_tried_again: bool = False
    """Whether a further attempt of the run follows."""
