"""Checks which schedules run after which."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from airflow_backup.schedules.loading.loaded import Loaded, Located, Rejected
from airflow_backup.schedules.loading.problems import (
    did_you_mean,
)
from airflow_backup.schedules.loading.yaml_reader import Document


@dataclass(frozen=True)
class Elsewhere:
    """The schedules that are not in what is read."""

    ids: Collection[str] = ()
    """Those that may be waited for."""

    follows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What each of them waits for, also where it may not be named."""

    stays: bool = False
    """Whether one of an id that is read too stays as it is; else what is read takes its place."""


def check_dependencies(loaded: Loaded, documents: list[Document], elsewhere: Elsewhere) -> None:
    """Reject what runs ``after`` an id that is nowhere, or after itself by a detour."""
    read = {item.schedule.id: item.schedule.after for item in loaded.schedules}
    follows = {**read, **elsewhere.follows} if elsewhere.stays else {**elsewhere.follows, **read}
    wrong = {each.id for each in loaded.rejected if each.id is not None}
    ids = [*read, *wrong, *elsewhere.ids]
    for item in list(loaded.schedules):
        problems = []
        for index, name in enumerate(item.schedule.after):
            if name not in ids:
                message, hint = f"no schedule `{name}`", did_you_mean(name, ids)
            elif item.schedule.id in _reachable(name, follows):
                message, hint = (
                    f"`{item.schedule.id}` would wait for itself, by way of `{name}`",
                    None,
                )
            else:
                continue
            document, position = _position(item, documents)
            problems.append(
                document.problem(("schedules", position, "after", index), message, hint)
            )
        if problems:
            loaded.problems += problems
            loaded.schedules.remove(item)
            loaded.rejected.append(Rejected(item.schedule.id, item.file, item.line, problems))


def _position(item: Located, documents: list[Document]) -> tuple[Document, int]:
    document = next(found for found in documents if found.file == item.file)
    for position, entry in enumerate(document.data["schedules"]):
        if isinstance(entry, dict) and entry.get("id") == item.schedule.id:
            return document, position
    raise LookupError(item.schedule.id)


def _reachable(start: str, follows: Mapping[str, Sequence[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting += follows.get(current, [])
    return seen
