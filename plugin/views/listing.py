"""Filter, sort and count schedules; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import Field

from airflow_backup.core.words import ProtectionState
from airflow_backup.plugin.schemas.base import ApiModel, AskedId
from airflow_backup.plugin.schemas.schedules import State
from airflow_backup.plugin.views.briefs import Ended, Listed, Written

SortKey = Literal[
    "id",
    "-id",
    "protection",
    "-protection",
    "next_run",
    "-next_run",
    "last_run",
    "-last_run",
    "last_good",
    "-last_good",
    "bytes",
    "-bytes",
]

W = TypeVar("W", bound=Written)

_WRITTEN = (State.LOADED, State.REJECTED, State.LAST_KNOWN_GOOD)
_LATEST = datetime.max.replace(tzinfo=UTC)
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_WORST_FIRST = {state: place for place, state in enumerate(ProtectionState)}


class Choice(ApiModel):
    """Which schedules are wanted."""

    q: Annotated[str, Field(max_length=200)] = ""
    """Part of the id, description, group, source or a tag, whatever the case."""
    group: Annotated[str, Field(max_length=90)] | None = None
    tag: Annotated[str, Field(max_length=90)] | None = None
    state: (
        Literal[
            "loaded",
            "rejected",
            "last_known_good",
            "enabled",
            "disabled",
            "running",
            "attention",
            "broken",
            "lost",
            "late",
            "at_risk",
            "never",
            "good",
        ]
        | None
    ) = None
    source: Annotated[str, Field(max_length=90)] | None = None
    """The engine that reads it, for example `files`."""


class Ordered(Choice):
    """Which schedules are wanted, in what order."""

    sort: SortKey = "id"
    by_group: bool = False
    """The schedules of a group together, those without one last."""


class Filters(Ordered):
    """Which schedules are wanted, in what order, and which page of them."""

    limit: Annotated[int, Field(ge=1, le=500)] = 100
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class ExportChoice(Choice):
    """Which schedules are exported."""

    schedule: Annotated[list[AskedId], Field(default_factory=list, max_length=500)]
    """Only these; may be given several times."""
    made: bool | None = None
    """Only those that were made here (`true`), or that files make (`false`)."""


def is_written(filters: Ordered) -> bool:
    """Whether nothing but definitions has to be read to know which schedules are wanted, and in what order."""
    return filters.sort in ("id", "-id") and (filters.state is None or filters.state in _WRITTEN)


def select_written(schedules: Iterable[W], filters: Choice) -> list[W]:
    """Keep the schedules that match every filter of what is written."""
    state = filters.state if filters.state in _WRITTEN else None
    return [
        schedule
        for schedule in schedules
        if (filters.group is None or schedule.group == filters.group)
        and (filters.tag is None or filters.tag in schedule.tags)
        and (filters.source is None or schedule.engine == filters.source)
        and (state is None or schedule.state == state)
        and _mentions(schedule, filters.q)
    ]


def select(schedules: Iterable[Listed], filters: Choice) -> list[Listed]:
    """Keep the schedules that match every filter."""
    return [
        schedule
        for schedule in select_written(schedules, filters)
        if filters.state is None or _is(schedule, filters.state)
    ]


def sort_written(schedules: Iterable[W], filters: Ordered) -> list[W]:
    """Put schedules in order of their ids."""
    key = filters.sort
    found = sorted(schedules, key=lambda schedule: schedule.id, reverse=key.startswith("-"))
    return _grouped(found) if filters.by_group else found


def sort(schedules: Iterable[Listed], filters: Ordered) -> list[Listed]:
    """Put schedules in order; equal ones by id."""
    key = filters.sort
    by_id = sorted(schedules, key=lambda schedule: schedule.id)
    found = sorted(by_id, key=_KEYS[key.lstrip("-")], reverse=key.startswith("-"))
    return _grouped(found) if filters.by_group else found


def _grouped(schedules: list[W]) -> list[W]:
    return sorted(schedules, key=lambda schedule: (schedule.group is None, schedule.group or ""))


class Facets(NamedTuple):
    """What lists can be narrowed by: how many schedules each group, tag and engine has, in order of their names."""

    groups: dict[str, int]
    tags: dict[str, int]
    engines: dict[str, int]


def facets(schedules: Iterable[Written]) -> Facets:
    """Count the schedules of each group, tag and engine."""
    groups, tags, engines = Counter[str](), Counter[str](), Counter[str]()
    for schedule in schedules:
        tags.update(set(schedule.tags))
        if schedule.group is not None:
            groups[schedule.group] += 1
        if schedule.engine is not None:
            engines[schedule.engine] += 1
    return Facets(*(dict(sorted(each.items())) for each in (groups, tags, engines)))


def _is(schedule: Listed, state: str) -> bool:
    if state == "enabled":
        return schedule.enabled is True
    if state == "disabled":
        return schedule.enabled is False
    if state == "running":
        return schedule.active_run is not None
    if state == "attention":
        return schedule.protection.needs_attention
    return state in (schedule.state, schedule.protection.state)


def _mentions(schedule: Written, text: str) -> bool:
    words = text.lower().split()
    if not words:
        return True
    told = (schedule.id, schedule.description, schedule.group, schedule.engine, schedule.source)
    hay = " ".join([*(part for part in told if part), *schedule.tags]).lower()
    return all(word in hay for word in words)


def _moment(run: Ended | None) -> datetime:
    if run is None:
        return _EARLIEST
    return run.finished_at or run.started_at or run.queued_at or _EARLIEST


_KEYS: dict[str, Callable[[Listed], Any]] = {
    "id": lambda schedule: schedule.id,
    "protection": lambda schedule: (
        not schedule.protection.needs_attention,
        _WORST_FIRST[schedule.protection.state],
        schedule.protection.since,
    ),
    "next_run": lambda schedule: schedule.next_run.at if schedule.next_run is not None else _LATEST,
    "last_run": lambda schedule: _moment(schedule.last_run),
    "last_good": lambda schedule: _moment(schedule.last_good),
    "bytes": lambda schedule: (
        schedule.last_good.bytes_stored or 0 if schedule.last_good is not None else -1
    ),
}
