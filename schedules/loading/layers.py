"""The mappings that a schedule is made of, the strongest first: itself, its templates, the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_backup.schedules.loading.problems import Finding, PathPart, Problem
from airflow_backup.schedules.loading.yaml_reader import Document

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
