"""What the API answers; the attribute docstrings are its description in OpenAPI."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from airflow_backup.core.words import Kind, ProtectionState, VerificationLevel
from airflow_backup.plugin.schemas.base import ApiModel
from airflow_backup.plugin.schemas.runs import RunSummary


class State(StrEnum):
    """Whether what the user wrote is what runs."""

    LOADED = "loaded"
    REJECTED = "rejected"
    """It is wrong, and nothing runs."""
    LAST_KNOWN_GOOD = "last_known_good"
    """It is wrong, and the version before it keeps running."""
    PENDING = "pending"
    """It was saved a moment ago, and is not deployed yet."""


class ProtectionInfo(ApiModel):
    """How safe is what a schedule protects: the same word and reason as `airflow-backup status`, report and metrics."""

    state: ProtectionState
    reason: str
    """Why, in words."""
    hint: str | None = None
    """What to try, where somebody has to do something."""
    since: datetime
    """Since when it is so."""
    late_at: datetime
    """When it is late, or became so, if nothing is stored until then."""
    deadline: float
    """The age in seconds at which the newest good set is late."""
    failures_in_row: int = 0
    needs_attention: bool
    """Whether a person should look."""


class LoadProblem(ApiModel):
    """One mistake in a schedules file: where it is, and what would be right."""

    file: str
    """The file, as the loader names it."""
    line: int | None = None
    column: int | None = None
    path: str | None = None
    """Where in the document, for example `schedules.0.cron`."""
    message: str
    hint: str | None = None


class FileProblem(LoadProblem):
    """A problem, and the schedule that it costs, if it is one schedule's."""

    schedule_id: str | None = None


class Permissions(ApiModel):
    """What the user who asks may do with a schedule."""

    toggle: bool
    run: bool
    cancel: bool
    edit: bool
    """Change what is backed up, when and how; only of schedules that were made here."""
    reason: str | None = None
    """Why not all of it."""


class NextRun(ApiModel):
    """A coming run."""

    at: datetime
    kind: Kind
    opens_at: datetime | None = None
    """When the window lets it start; null when it is skipped."""
    skipped: str | None = None
    """Why it will not run."""


class UpcomingRun(NextRun):
    """A coming run, and whose it is."""

    schedule_id: str
    timezone: str


class Rhythm(ApiModel):
    """When one kind of backup is taken."""

    kind: Kind
    when: str
    """As the user wrote it: a cron expression, `every 45m` or `after users`."""
    text: str
    """In words."""


class SavedBy(ApiModel):
    """Who saved a schedule that was made here, not deployed as a file."""

    version: int
    author: str
    saved_at: datetime


class HoldInfo(ApiModel):
    """Why a schedule does not run now although it is enabled."""

    id: int
    kind: str
    """`skip_next` or `pause_until`."""
    until: datetime | None = None
    reason: str | None = None
    author: str
    since: datetime
    text: str
    """All of it in words."""


class LastVerified(ApiModel):
    """The newest verification of one of its sets that passed."""

    at: datetime
    level: VerificationLevel


class ScheduleSummary(ApiModel):
    """One schedule, as the list shows it."""

    id: str
    dag_id: str
    description: str | None = None
    group: str | None = None
    tags: list[str] = []
    engine: str | None = None
    source: str | None = None
    """What is backed up, in a few words."""
    rhythms: list[Rhythm] = []
    timezone: str = "UTC"
    origin: str
    """The file and line it comes from; `catalog` when it was made here."""
    made: SavedBy | None = None
    """The version that was saved here; null for a schedule from a file."""
    clash: str | None = None
    """That somebody made a schedule of the same id here, which the file hides."""
    holds: list[HoldInfo] = []
    """What keeps it from running although it is enabled."""
    state: State
    protection: ProtectionInfo
    enabled: bool | None = None
    """Null while there is no DAG."""
    problems: list[LoadProblem] = []
    next_run: NextRun | None = None
    waits: str | None = None
    """Why it waits for the schedules that it runs after; null where it does not."""
    active_run: RunSummary | None = None
    last_run: RunSummary | None = None
    """The newest one that is over."""
    last_good: RunSummary | None = None
    """The newest completed one."""
    last_verified: LastVerified | None = None
    """The newest verification that passed, of whichever of its sets."""
    alert_after: float | None = None
    """
    Seconds after which it is late without a good set, where that is written; `protection.deadline` is what counts.
    """
    permissions: Permissions


class ScheduleDetail(ScheduleSummary):
    """One schedule with everything that was written about it."""

    definition: dict[str, Any]
    """What is in effect, defaults and templates applied."""
    repository: str | None = None


class ScheduleList(ApiModel):
    """A page of schedules."""

    now: datetime
    """The server's clock, for countdowns."""
    total: int
    """How many there are with these filters."""
    limit: int
    offset: int
    groups: list[str]
    """All groups, whatever the filters."""
    tags: list[str]
    engines: list[str]
    group_sizes: dict[str, int]
    """How many schedules of each group you may read, whatever the filters."""
    may_create: bool
    """Whether you may make schedules."""
    schedules: list[ScheduleSummary]


class ScheduleIds(ApiModel):
    """The schedules that match, by their ids."""

    total: int
    """How many there are."""
    ids: list[str]
    """All of them, or the first 2,000: as many as `POST /schedules/bulk` takes."""


class NextRunList(ApiModel):
    """Coming runs, the soonest first."""

    timezone: str
    runs: list[NextRun]


class Toggled(ApiModel):
    """What the switch stands at."""

    schedule_id: str
    enabled: bool


class Started(ApiModel):
    """The run that was started."""

    schedule_id: str
    dag_id: str
    run_id: str
