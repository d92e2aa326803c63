"""What Airflow knows about our DAGs and their runs, as plain values: the seam that tests fake."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

BACKUP_TASK = "backup"
"""The task of a run that reads its source."""

ACTIVE = ("queued", "running")
"""The states of a DAG run that is not over."""


@dataclass(frozen=True, slots=True)
class AirflowDag:
    """One of our DAGs as Airflow has it."""

    dag_id: str
    paused: bool
    stale: bool
    """No longer in its file."""


@dataclass(frozen=True, slots=True)
class AirflowTask:
    """One task of a run."""

    state: str | None
    attempts: int
    started_at: datetime | None = None
    retry_reason: str | None = None
    retry_at: datetime | None = None
    """When it is tried again."""

    max_attempts: int = 1


@dataclass(frozen=True, slots=True)
class AirflowRun:
    """One run of a DAG, with what its tasks are at."""

    dag_id: str
    run_id: str
    run_type: str
    state: str
    run_after: datetime
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    slot: datetime | None = None
    """The slot of a scheduled run."""
    user: str | None = None
    note: str | None = None
    conf: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, AirflowTask] = field(default_factory=dict)

    @property
    def is_working(self) -> bool:
        """Whether its backup is at work at this moment."""
        backup = self.tasks.get(BACKUP_TASK)
        return self.active and backup is not None and backup.state == "running"

    @property
    def active(self) -> bool:
        """Whether it is not over."""
        return self.state in ACTIVE

    @property
    def since(self) -> datetime:
        """When it came into being; what history is sorted by."""
        return self.queued_at or self.run_after


@dataclass(frozen=True, slots=True)
class AirflowProcess:
    """One process of Airflow, by its heartbeat."""

    name: str
    healthy: bool | None
    """None where this Airflow never had one."""

    heartbeat: datetime | None
