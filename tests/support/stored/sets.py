"""Taking and reading sets in tests, with the verbs' own parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from airflow_backup.actions.backup.backup import BackupResult, Run, backup
from airflow_backup.actions.sets.stored_set import StoredSet, open_chain, open_set
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.words import Kind, Trigger
from airflow_backup.schedules.model.limits import Throttle
from airflow_backup.schedules.model.policies import Compression, Encryption, Retention, Signing
from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.storage.open import open_storage

START = datetime(2026, 5, 4, 2, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that moves a second with every look."""

    now: datetime = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass(frozen=True)
class PlainJob:
    """The part of a schedule that a backup reads."""

    source: EngineOptions
    repository: str
    id: str = "wiki"
    connection: str | None = None
    host: str | None = None
    kind: Kind | None = None
    compression: Compression | Literal["none"] = field(default_factory=Compression)
    encryption: Encryption | None = None
    signing: Signing | None = None
    retention: Retention | None = None
    checksum: Literal["sha256", "sha512", "sha1", "md5", "blake3"] = "sha256"
    timezone: str = "UTC"
    throttle: Throttle = field(default_factory=Throttle)


def run_number(number: int, *, attempt: int = 1) -> Run:
    """Return the n-th run of a daily schedule."""
    return Run(f"run-{number}", START + timedelta(days=number), Trigger.SCHEDULE, attempt)


def take(
    job: PlainJob, catalog: Catalog, *, run: Run | None = None, kind: Kind | None = None
) -> BackupResult:
    """Take one set."""
    return backup(
        job,
        run or run_number(1),
        catalog=catalog,
        connections=from_environment,
        allowed_commands=_commands_of(job.source),
        clock=Clock((run or run_number(1)).at),
        kind=kind,
    )


def chain_of(job: PlainJob, result: BackupResult) -> list[StoredSet]:
    """Open the sets that restore one."""
    return open_chain(open_storage(job.repository), Trust(job.id), result.set_id)


def stored(job: PlainJob, result: BackupResult) -> StoredSet:
    """Open the set for reading."""
    return open_set(open_storage(job.repository), Trust(job.id), result.set_id)


def _commands_of(source: EngineOptions) -> list[str]:
    workflow = getattr(source, "workflow", None)
    return [] if workflow is None else [workflow.command[0]]
