"""What the API says of everything at once."""

from __future__ import annotations

from datetime import datetime

from airflow_backup.core.words import ProtectionState
from airflow_backup.plugin.schemas.base import ApiModel
from airflow_backup.plugin.schemas.schedules import FileProblem, UpcomingRun


class Component(ApiModel):
    """One of Airflow's processes."""

    name: str
    healthy: bool | None
    """Null where this Airflow has none."""
    heartbeat: datetime | None = None
    hint: str | None = None


class Maintenance(ApiModel):
    """Nothing starts, whatever is scheduled; what runs goes on to its end."""

    since: datetime
    until: datetime | None = None
    """When it ends by itself."""
    author: str
    reason: str | None = None


class MaintenanceState(ApiModel):
    """Whether there is maintenance."""

    maintenance: Maintenance | None


class LocalPlace(ApiModel):
    """Something that lies on one machine although Airflow sends tasks to several."""

    message: str
    hint: str


class Age(ApiModel):
    """How old the last good set of a schedule is."""

    schedule_id: str
    at: datetime
    seconds: float
    limit: float | None = None


class CoverageCounts(ApiModel):
    """How many of the connections that an engine can back up are protected; exceptions are left out."""

    unprotected: int
    total: int


class Status(ApiModel):
    """How safe all schedules are, what runs, what comes next, and whether Airflow itself is well."""

    now: datetime
    version: str
    healthy: bool
    """Whether backups can start at all."""
    components: list[Component]
    local_places: list[LocalPlace]
    """What other machines do not see, where Airflow sends tasks to several."""
    total: int
    protection: dict[ProtectionState, int]
    """How many schedules there are in each state of protection."""
    disabled: int
    """How many schedules are switched off."""
    running: int
    maintenance: Maintenance | None = None
    may_maintain: bool = False
    """Whether you may begin and end it."""
    attention: int
    """How many things need a person: schedules, file problems, dead processes and what lies on one machine only."""
    troubled: int
    """How many of these are schedules."""
    oldest_good: Age | None = None
    """The schedule whose last good set is closest to, or furthest over, its limit."""
    next_runs: list[UpcomingRun]
    load_problems: list[FileProblem]
    coverage: CoverageCounts | None = None
    """How many connections a schedule protects; null where you may not read connections."""
