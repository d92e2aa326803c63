"""What goes into a backup and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from airflow_backup.actions.sets.trust import Described
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.core.words import ExecutionStatus, Kind, Trigger
from airflow_backup.core.worker import Worker
from airflow_backup.schedules.model.limits import Throttle
from airflow_backup.schedules.model.policies import Compression, Encryption, Retention


def _never(error: BaseException) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Run:
    """Which run of a schedule this is; a retry is the same run with a higher attempt."""

    id: str
    at: datetime
    """The moment the run was due (UTC); the set id derives from it."""

    trigger: Trigger = Trigger.MANUAL
    attempt: int = 1
    note: str | None = None
    queued_at: datetime | None = None
    definition: str | None = None
    """The digest of the schedule as it is carried out."""

    definition_version: int | None = None
    """Its number in the catalog, where it was made there."""

    worker: Worker | None = None
    """Who carries it out; nobody asks where missing."""

    is_tried_again: Callable[[BaseException], bool] = _never
    """Whether another attempt follows one that failed so; whoever starts the attempts knows."""


class Job(Described, Protocol):
    """The parts of a schedule that a backup reads: source, repository, format and limits."""

    @property
    def repository(self) -> str: ...
    @property
    def connection(self) -> str | None: ...
    @property
    def host(self) -> str | None: ...
    @property
    def timezone(self) -> str: ...
    @property
    def throttle(self) -> Throttle: ...
    @property
    def kind(self) -> Kind | None: ...
    @property
    def compression(self) -> Compression | Literal["none"]: ...
    @property
    def encryption(self) -> Encryption | None: ...
    @property
    def retention(self) -> Retention | None: ...
    @property
    def checksum(self) -> Literal["sha256", "sha512", "sha1", "md5", "blake3"]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupResult:
    """The set that a run stored; ``duration`` in seconds, of this attempt."""

    schedule_id: str
    set_id: str
    run_id: str
    status: ExecutionStatus
    kind: Kind
    engine: str
    repository: str
    consistent_at: datetime
    files: int
    bytes_read: int
    bytes_stored: int
    pieces: int
    duration: float
    warnings: Sequence[str]
    adopted: bool = False
    """Whether an earlier attempt had stored it, and only the catalog did not know."""

    parent: str | None = None
    """The set that this one is a change of."""

    reason: str | None = None
    """Why another kind was taken than was asked for."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "schedule_id": self.schedule_id,
            "set_id": self.set_id,
            "run_id": self.run_id,
            "status": str(self.status),
            "kind": str(self.kind),
            "engine": self.engine,
            "repository": self.repository,
            "consistent_at": self.consistent_at.isoformat(),
            "files": self.files,
            "bytes_read": self.bytes_read,
            "bytes_stored": self.bytes_stored,
            "pieces": self.pieces,
            "duration": round(self.duration, 3),
            "warnings": list(self.warnings),
            "adopted": self.adopted,
            "parent": self.parent,
            "reason": self.reason,
        }


def result_of(
    manifest: Manifest,
    *,
    repository: str,
    duration: float,
    adopted: bool,
    reason: str | None = None,
) -> BackupResult:
    """Describe a set that is stored and in the catalog."""
    return BackupResult(
        schedule_id=manifest.schedule_id,
        set_id=manifest.set_id,
        run_id=manifest.run_id,
        status=ExecutionStatus.COMPLETED,
        kind=manifest.kind,
        engine=manifest.engine,
        repository=repository,
        consistent_at=manifest.consistent_at,
        files=manifest.totals.files,
        bytes_read=manifest.totals.bytes_read,
        bytes_stored=manifest.totals.bytes_stored,
        pieces=len(manifest.pieces),
        duration=duration,
        warnings=manifest.warnings,
        adopted=adopted,
        parent=manifest.parent,
        reason=reason,
    )
