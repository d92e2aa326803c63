"""What the API says of connections: which schedules protect each."""

from __future__ import annotations

from typing import Any, Literal

from airflow_backup.core.words import ProtectionState
from airflow_backup.plugin.schemas.base import ApiModel


class ProtectedBy(ApiModel):
    """A schedule that protects a connection, and how safe its sets are."""

    schedule_id: str
    protection: ProtectionState


class ConnectionCoverage(ApiModel):
    """A connection that an engine can back up."""

    connection_id: str
    type: str
    engine: str
    state: Literal["protected", "unprotected", "exception"]
    schedules: list[ProtectedBy]
    """The enabled schedules that protect it, of those that you may read."""
    reason: str | None = None
    """Why it is an exception, as the file says it."""
    source: dict[str, Any]
    """What a schedule that protects it would have as its source."""


class CoverageList(ApiModel):
    """The connections that you may read and that an engine can back up. Those of secrets backends cannot be listed."""

    percent: float
    """The share of them that is protected, 0 to 100; exceptions are left out."""
    protected: int
    unprotected: int
    exceptions: int
    connections: list[ConnectionCoverage]
    unknown_exceptions: list[str]
    """Exceptions for what is not there, or is no connection that an engine can back up; where you may read them."""
