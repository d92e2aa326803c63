"""What the schedules files say: the schedules that are right, those that are not, every problem."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_backup.schedules.loading.problems import Problem
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.sources import Unprotected

CATALOG = "catalog"
"""Stands in place of the file of a schedule that was made on the page or through the API."""


@dataclass(frozen=True)
class Located:
    """A schedule that is right, and where it stands."""

    schedule: Schedule
    file: str
    line: int


@dataclass(frozen=True)
class Rejected:
    """A schedule that is wrong, where it stands and why; its id may be wrong too."""

    id: str | None
    file: str
    line: int
    problems: list[Problem]


@dataclass(frozen=True)
class Exempt:
    """An exception: what no schedule protects, and where that is written."""

    unprotected: Unprotected
    file: str
    line: int


@dataclass
class Loaded:
    """What a file or folder says: the schedules that are right, those that are not, every problem."""

    files: list[str] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    """Other files that were read, by their paths: calendars."""
    schedules: list[Located] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    exempt: list[Exempt] = field(default_factory=list)

    def by_id(self) -> dict[str, Schedule]:
        """Return the right schedules by their ids."""
        return {item.schedule.id: item.schedule for item in self.schedules}
