"""The mappings that a schedule is made of, the strongest first: itself, its templates, the defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_backup.schedules.loading.problems import Finding, PathPart, Problem
from airflow_backup.schedules.loading.yaml_reader import Document

MOST_VALUES = 40_000
"""
Of texts, numbers, lists and mappings, in what comes through a server: a body of 256 KiB has fewer without aliases.
"""

JOINED = ("source", "retry", "verify", "limits", "throttle")
"""Keys whose mappings are joined key by key; all others are replaced as a whole."""

_WHEN = ("cron", "every", "preset", "levels", "after")


@dataclass(frozen=True)
class Layer:
    """A mapping that a schedule is made of, and where it stands: defaults, a template or the schedule itself."""

    document: Document
    path: tuple[PathPart, ...]
    data: Mapping[str, Any]

    def problem(self, found: Finding) -> Problem:
        """Give the finding its place in the file."""
        return self.document.problem(
            (*self.path, *found.path), found.message, found.hint, at_key=found.at_key
        )


def merge(layers: list[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Join mappings, the first one strongest; some keys are joined key by key.

    >>> merge([{"cron": "0 2 * * *", "retry": {"delay": "1m"}}, {"cron": "0 3 * * *", "retry": {"max_retries": 5}}])
    {'cron': '0 2 * * *', 'retry': {'max_retries': 5, 'delay': '1m'}}
    """
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        for key, value in layer.items():
            below = merged.get(key)
            joined = key in JOINED and isinstance(below, dict) and isinstance(value, dict)
            merged[key] = {**below, **value} if joined and below is not None else value
    when = _answers_to_when(layers)
    return {key: value for key, value in merged.items() if key not in _WHEN or key in when}


def _answers_to_when(layers: list[Mapping[str, Any]]) -> set[str]:
    """Return the keys of the strongest layer that says when; what is below is replaced as a whole."""
    for layer in layers:
        found = {key for key in _WHEN if key in layer}
        if found:
            return found
    return set()


def place(found: Finding, layers: list[Layer]) -> Problem:
    """Put the finding into the layer that has most of its path; the strongest of equals."""
    best = max(
        layers,
        key=lambda layer: layer.document.depth_of((*layer.path, *found.path)) - len(layer.path),
    )
    return best.problem(found)


def too_large(document: Document) -> Problem | None:
    """Refuse what would keep a server busy for long: a few lines can come to millions of values."""
    data = document.data
    known: dict[int, int] = {}
    count = _values(data, known)
    for layer in _inherited(data):
        if count > MOST_VALUES:
            break
        count += _values(layer, known)
    if count <= MOST_VALUES:
        return None
    return document.problem(
        (),
        f"this comes to more than {MOST_VALUES:,} values, with what aliases repeat and schedules inherit",
        "split it, or write it into a file of its own",
    )


def _inherited(data: Any) -> Iterator[Any]:
    """Yield what each schedule takes its values from: the defaults, its group, its templates."""
    entries = data.get("schedules") if isinstance(data, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        yield data.get("defaults")
        yield _at(data, "groups", entry.get("group"))
        seen: set[str] = set()
        name = entry.get("extends")
        while isinstance(name, str) and name not in seen:
            seen.add(name)
            template = _at(data, "templates", name)
            yield template
            name = template.get("extends") if isinstance(template, dict) else None


def _at(data: Mapping[str, Any], key: str, name: Any) -> Any:
    found = data.get(key)
    return found.get(name) if isinstance(found, dict) and isinstance(name, str) else None


def _values(data: Any, known: dict[int, int]) -> int:
    """Count the values; what an alias repeats is one object, and counted once for each time."""
    if not isinstance(data, (dict, list)):
        return 1
    if id(data) not in known:
        items = data.values() if isinstance(data, dict) else data
        known[id(data)] = 1 + sum(_values(item, known) for item in items)
    return known[id(data)]
