"""
Every schedule as far as lists are filtered, sorted and counted by it; the whole is made of those alone that are shown.

Pure. What a brief says is what the summary of the same schedule says, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

from airflow_backup.catalog.rules.protection import Protection
from airflow_backup.catalog.run_records import Execution, Order
from airflow_backup.core.words import ExecutionStatus, ProtectionState
from airflow_backup.plugin.airflow.records import AirflowRun
from airflow_backup.plugin.schemas.runs import RunSummary
from airflow_backup.plugin.schemas.schedules import NextRun, State
from airflow_backup.plugin.views.rhythms import next_run, schedule_of
from airflow_backup.plugin.views.rows import Row
from airflow_backup.plugin.views.runs import history
from airflow_backup.plugin.views.schedules import CONCLUSIVE
from airflow_backup.schedules.times.holds import Hold

LOOK_BACK = 20
"""How many executions are looked at for the last one that says something."""


class Ended(Protocol):
    """A run, or what the catalog knows of it."""

    @property
    def status(self) -> ExecutionStatus: ...
    @property
    def queued_at(self) -> datetime | None: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def finished_at(self) -> datetime | None: ...
    @property
    def bytes_read(self) -> int | None: ...
    @property
    def bytes_stored(self) -> int | None: ...


class Safety(Protocol):
    """The protection of a schedule."""

    @property
    def state(self) -> ProtectionState: ...
    @property
    def since(self) -> datetime: ...
    @property
    def deadline(self) -> float: ...
    @property
    def needs_attention(self) -> bool: ...


class Written(Protocol):
    """What is known of a schedule when only its definition was read."""

    @property
    def id(self) -> str: ...
    @property
    def state(self) -> State: ...
    @property
    def description(self) -> str | None: ...
    @property
    def group(self) -> str | None: ...
    @property
    def tags(self) -> Sequence[str]: ...
    @property
    def engine(self) -> str | None: ...
    @property
    def source(self) -> str | None: ...


class Listed(Written, Protocol):
    """What schedules are filtered, sorted and counted by: a summary is one."""

    @property
    def timezone(self) -> str: ...
    @property
    def enabled(self) -> bool | None: ...
    @property
    def protection(self) -> Safety: ...
    @property
    def next_run(self) -> NextRun | None: ...
    @property
    def active_run(self) -> object | None: ...
    @property
    def last_run(self) -> Ended | None: ...
    @property
    def last_good(self) -> Ended | None: ...


@dataclass(frozen=True, slots=True)
class WrittenBrief:
    """A schedule by its definition."""

    id: str
    state: State
    description: str | None = None
    group: str | None = None
    tags: Sequence[str] = ()
    engine: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class BriefSafety:
    """The word, since when, the limit in seconds, and whether a person should look."""

    state: ProtectionState
    since: datetime
    deadline: float
    needs_attention: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """A schedule of whose past nothing is unclear."""

    id: str
    state: State
    description: str | None
    group: str | None
    tags: Sequence[str]
    engine: str | None
    source: str | None
    timezone: str
    enabled: bool | None
    protection: BriefSafety
    next_run: NextRun | None
    last_run: Ended | None
    last_good: Ended | None
    active_run: RunSummary | None = None


def written(row: Row) -> WrittenBrief:
    """Say what is written about a schedule; one that cannot be read or shown says nothing, as in its summary."""
    try:
        return _written(row)
    except Exception:  # noqa: BLE001  # it costs its own row, never the list; its summary logs what is wrong
        return WrittenBrief(row.id, row.state)


def _written(row: Row) -> WrittenBrief:
    schedule = schedule_of(row.definition)
    if schedule is None:
        return WrittenBrief(row.id, row.state)
    return WrittenBrief(
        row.id,
        row.state,
        schedule.description,
        schedule.group,
        schedule.tags,
        schedule.source.engine,
        schedule.source.summary(),
    )


@dataclass(frozen=True, slots=True)
class Settled:
    """What the past of a schedule says, where catalog and Airflow agree about it."""

    last: Ended | None
    conclusive: Ended | None
    """The newest that completed or failed."""

    good: Execution | None
    active: RunSummary | None = None

    @classmethod
    def of(
        cls, past: Sequence[Execution], good: Execution | None, *, newest_run: str | None
    ) -> Self | None:
        """
        Sum up a past without a run that goes on, the newest first; None where it is not settled.

        ``newest_run`` is the newest that Airflow says is over: one that the catalog does not know is another story.
        """
        if any(not each.status.is_final for each in past) or not _knows(past, newest_run):
            return None
        conclusive = next((each for each in past if each.is_conclusive), None)
        return cls(next(iter(past), None), conclusive, good)

    @classmethod
    def going(
        cls,
        past: Sequence[Execution],
        good: Execution | None,
        *,
        newest_run: str | None,
        runs: Sequence[AirflowRun],
        orders: Mapping[tuple[str, str], Order],
        now: datetime,
    ) -> Self | None:
        """Sum up a past with runs that go on, which are ``runs``; None where more has to be known."""
        names = {run.run_id for run in runs}
        if any(each.run_id not in names and not each.status.is_final for each in past):
            return None
        ends = (n for n, each in enumerate(past) if each.run_id not in names and each.is_conclusive)
        end = next(ends, None)
        # Without one, the runs before these may say how it stands, and are not all read.
        is_all = not past or (not past[0].is_conclusive and len(past) < LOOK_BACK)
        if (end is None and not is_all) or not _knows(past, newest_run):
            return None
        told = history(past[: None if end is None else end + 1], runs, now=now, orders=orders)
        active = [run for run in told if run.run_id in names and not run.status.is_final]
        return cls(
            next((run for run in told if run.status.is_final), None),
            next((run for run in told if run.status in CONCLUSIVE), None),
            good,
            active[-1] if active else None,
        )


def _knows(past: Sequence[Execution], run_id: str | None) -> bool:
    return run_id is None or any(each.run_id == run_id for each in past)


def brief(
    row: Row,
    past: Settled | None,
    judged: Protection,
    *,
    enabled: bool | None,
    holds: Sequence[Hold],
    now: datetime,
) -> Brief | None:
    """Say how a schedule is whose past is settled; None where more has to be read, or it cannot be shown."""
    schedule = schedule_of(row.definition)
    if schedule is None or past is None:
        return None
    try:
        return Brief(
            id=row.id,
            state=row.state,
            description=schedule.description,
            group=schedule.group,
            tags=schedule.tags,
            engine=schedule.source.engine,
            source=schedule.source.summary(),
            timezone=schedule.timezone,
            enabled=enabled,
            protection=_safety(judged, past.conclusive),
            next_run=next_run(schedule, row.definition, now=now, holds=holds) if enabled else None,
            last_run=past.last,
            last_good=past.good,
            active_run=past.active,
        )
    except Exception:  # noqa: BLE001  # its summary is made next, which says and logs what is wrong with it
        return None


def _safety(judged: Protection, last: Ended | None) -> BriefSafety:
    has_failed = last is not None and last.status is ExecutionStatus.FAILED
    return BriefSafety(
        judged.state,
        judged.since,
        judged.deadline.total_seconds(),
        judged.needs_attention or has_failed,
    )
