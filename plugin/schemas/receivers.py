"""What the API says of those who are told."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from airflow_backup.plugin.schemas.base import ApiModel


class ReceiverState(ApiModel):
    """Somebody who is told of schedules, and whether messages arrive."""

    name: str
    """The name in the schedules file; one that was written in place has one of our making."""
    way: str
    """How messages get there, in words; never the address that holds a token."""
    digest: Literal["daily", "weekly"] | None
    """Null for who is told at once."""
    digest_at: str | None
    schedules: list[str]
    waiting: int
    """Messages that are not there yet."""
    delivered_at: datetime | None
    failures: int
    """How often in a row it could not be reached."""
    error: str | None
    next_try_at: datetime | None
    undeliverable: int
    """Messages that it refused for good, and that are not tried any more."""
    last_undeliverable: str | None
    """The newest of these, and why."""
    last_undeliverable_at: datetime | None


class ReceiverList(ApiModel):
    """Everybody who is told of a schedule that you may read."""

    receivers: list[ReceiverState]
    may_test: bool


class Tested(ApiModel):
    """What became of a test message."""

    name: str
    sent: bool
    error: str | None
    hint: str | None
