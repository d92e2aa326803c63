"""What the API answers to those who make, change, hold and switch schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow_backup.plugin.schemas.base import ApiModel
from airflow_backup.plugin.schemas.schedules import NextRun, Rhythm


class FieldProblem(ApiModel):
    """One thing that is wrong with a definition, and the key it belongs to."""

    field: str
    """The path of the key, for example `source.path`; empty when it is about the whole."""
    message: str
    hint: str | None = None
    line: int | None = None
    """In the YAML that was sent."""


class CautionNote(ApiModel):
    """A warning about a definition: allowed, and likely a mistake."""

    message: str
    hint: str
    at: datetime | None = None
    """When it happens first."""
    schedules: list[str]


class Validation(ApiModel):
    """What a definition is worth."""

    valid: bool
    definition: dict[str, Any] | None = None
    """What would be in effect; null when it is wrong."""
    problems: list[FieldProblem]
    warnings: list[CautionNote]
    timezone: str = "UTC"
    rhythms: list[Rhythm] = []
    """When each kind is taken, in words."""
    next_runs: list[NextRun]
    """When it would run."""


class KeyChange(ApiModel):
    """One key that a version changed."""

    key: str
    before: Any
    after: Any


class VersionEntry(ApiModel):
    """One version of a schedule."""

    version: int
    author: str
    saved_at: datetime
    deleted: bool
    changes: list[KeyChange]
    """Against the version before it."""


class VersionList(ApiModel):
    """The versions of a schedule, the newest first; none of a schedule from a file."""

    schedule_id: str
    versions: list[VersionEntry]


class Deleted(ApiModel):
    """What is gone; its sets stay where they are."""

    schedule_id: str
    version: int


class Lifted(ApiModel):
    """The hold that was ended."""

    schedule_id: str
    hold_id: int


class BulkResult(ApiModel):
    """What became of one schedule."""

    schedule_id: str
    done: bool
    detail: str | None = None
    """Why not."""
    hint: str | None = None


class BulkResults(ApiModel):
    """What became of each schedule."""

    done: int
    refused: int
    results: list[BulkResult]


class Controlled(ApiModel):
    """The run that was told to wait or to go on."""

    dag_id: str
    run_id: str
    paused: bool
