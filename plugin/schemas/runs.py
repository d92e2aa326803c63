"""Runs, and what of them is told."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict

from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import ExecutionStatus, Kind, Trigger, VerificationLevel
from airflow_backup.plugin.schemas.base import ApiModel


class Progress(ApiModel):
    """How far a running backup has come; what cannot be known is null."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    stage: str
    percent: float | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None
    files_done: int | None = None
    files_total: int | None = None
    rate: float | None = None
    """Bytes a second."""
    eta: float | None = None
    """Seconds left."""


class RunSummary(ApiModel):
    """One execution of a schedule."""

    schedule_id: str
    dag_id: str
    run_id: str
    status: ExecutionStatus
    reason: str | None = None
    """Why it is so: why it was skipped, what it waits for, who cancelled it."""
    trigger: Trigger
    kind: Kind | None = None
    user: str | None = None
    """Who started it, when a person did."""
    note: str | None = None
    since: datetime
    """When it came into being; history is sorted by it."""
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration: float | None = None
    """Seconds from start to finish, or until now."""
    attempts: int = 0
    max_attempts: int | None = None
    """How many there may be; known while the run goes on."""
    retry_at: datetime | None = None
    """When the next attempt begins, where one has failed."""
    host: str | None = None
    """The machine that took it: of several attempts, the last one."""
    queue: str | None = None
    """The queue by which Airflow sent it there."""
    executor: str | None = None
    definition: str | None = None
    """A digest of the schedule as it was carried out."""
    definition_version: int | None = None
    """The number of that version, of a schedule made here."""
    bytes_read: int | None = None
    bytes_stored: int | None = None
    files: int | None = None
    set_id: str | None = None
    """The set it stored."""
    error: str | None = None
    hint: str | None = None
    failure_class: FailureClass | None = None
    progress: Progress | None = None
    """Only while it runs."""


class RunList(ApiModel):
    """Executions, the newest first."""

    now: datetime
    next_before: datetime | None = None
    """Send it as `before` for the page after this one; null at the end."""
    runs: list[RunSummary]


class RunPage(ApiModel):
    """Executions of many schedules, the newest first."""

    now: datetime
    next_cursor: str | None = None
    """Send it as `cursor` for the page after this one; null at the end."""
    runs: list[RunSummary]


class RunAttempt(ApiModel):
    """One try of an execution."""

    number: int
    status: ExecutionStatus
    started_at: datetime
    finished_at: datetime | None = None
    error: str | None = None
    hint: str | None = None
    failure_class: FailureClass | None = None
    host: str | None = None
    """The machine that took it."""
    queue: str | None = None
    """The queue by which Airflow sent it there."""
    executor: str | None = None
    definition: str | None = None
    """A digest of the schedule as it was carried out."""
    definition_version: int | None = None
    """The number of that version, of a schedule made here."""


class RunOrder(ApiModel):
    """What a person told a run."""

    action: Literal["pause", "resume", "cancel"]
    by: str
    at: datetime
    reason: str | None = None


class RunDetail(ApiModel):
    """One execution, with all of its attempts and what people told it, in order."""

    run: RunSummary
    attempts: list[RunAttempt]
    orders: list[RunOrder]


class CancelledRun(ApiModel):
    """The run that was told to stop."""

    dag_id: str
    run_id: str


class RestoreOutcome(ApiModel):
    """What a restore brought back, and where to."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    target: str | None
    """Null for those who may not restore, as are all names of files."""
    host: str | None = None
    """The machine that wrote it."""
    consistent_at: datetime
    """The moment that came back."""
    files: int
    bytes_written: int
    seconds: float
    kept: str | None = None
    """Where that is which was in the target before."""
    passed_over: list[str] = []
    """Newer sets, or later logs, that were not good enough, and why."""
    warnings: list[str] = []


class RequestedRun(ApiModel):
    """A restore, or a verification, that a person asked for: where it stands, and what came of it."""

    verb: Literal["restore", "verify"]
    dag_id: str
    run_id: str
    person: str
    asked_at: datetime
    set_id: str | None
    """The set that is meant; null where a moment is."""
    at: datetime | None
    """The moment that a restore is of."""
    target: str | None
    """Null for those who may not restore."""
    paths: list[str]
    """Which files and folders; empty where it is everything, and for those who may not restore."""
    level: VerificationLevel | None
    status: ExecutionStatus
    reason: str | None
    """What it waits for."""
    started_at: datetime | None
    finished_at: datetime | None
    progress: Progress | None
    """Only while it runs."""
    result: RestoreOutcome | None
    """Of a restore that is over."""
    error: str | None
    """Of an attempt that failed, also where it is tried again."""
    hint: str | None


class RequestedRunList(ApiModel):
    """What people asked for lately, the newest first; runs that Airflow has forgotten are left out."""

    now: datetime
    runs: list[RequestedRun]
