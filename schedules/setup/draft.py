"""What is known of a schedule before it is written, and what could not be carried over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class NeededConnection:
    """An Airflow connection that must be made by hand, because its password is not copied."""

    type: str
    host: str | None = None
    port: str | None = None
    login: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    """Given when all connections are known, unless whoever asks for it knows it."""
    is_named: bool = False
    """Whether somebody named it, and it may be there already."""

    @property
    def key(self) -> tuple[Any, ...]:
        """What two mentions of the same server and user share."""
        named = self.id if self.is_named else ""
        return (self.type, self.host, self.port, self.login, tuple(self.extra.items()), named)


@dataclass(frozen=True)
class Draft:
    """A schedule, as far as it is known."""

    name: str
    """What its id is made of."""
    source: Mapping[str, Any]
    origin: str
    """Where it was found, for people: `crontab, line 5`."""
    when: Mapping[str, Any] = field(default_factory=dict)
    """`cron`, `preset`, `levels`, `jitter`; nothing where nobody said."""
    timezone: str | None = None
    """Only where it is not that of all others."""
    retention: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    """What is said beside the schedule, most of it what was not carried over."""
    connection: NeededConnection | None = None
    job: str = ""
    """By which name a line of a crontab starts it."""
    target: str = ""
    """Where the other tool wrote its copies; they stay there."""


@dataclass(frozen=True)
class Start:
    """A line of a crontab that starts what another file says."""

    job: str
    when: Mapping[str, Any]
    origin: str
    kind: str = "full"
    timezone: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What one file of another tool says."""

    drafts: tuple[Draft, ...] = ()
    notes: tuple[str, ...] = ()
    """What belongs to no single schedule."""
    starts: tuple[Start, ...] = ()


@dataclass(frozen=True)
class SetupPlan:
    """What is to be written."""

    drafts: tuple[Draft, ...]
    notes: tuple[str, ...]
    origins: tuple[str, ...]
    repository: str
    repository_connection: str | None
    timezone: str
