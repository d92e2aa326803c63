"""Reads the templates: each a schedules file of one schedule, with its title and a sentence in the comment above."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from airflow_backup.core.errors import ConfigError
from airflow_backup.schedules.loading.loader import parse

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Template:
    """A whole schedule to begin with; names of connections, hosts and paths are examples."""

    name: str
    title: str
    summary: str
    text: str
    """The schedules file."""
    definition: dict[str, Any]
    """What it says, as it is in effect."""


@cache
def templates() -> tuple[Template, ...]:
    """
    Return all templates, in order of their titles.

    >>> templates()[0].title
    'A folder, by restic'
    """
    found = [read_template(path) for path in _FOLDER.glob("*.yaml")]
    return tuple(sorted(found, key=lambda template: template.title))


def read_template(path: Path) -> Template:
    """Read one; ConfigError with every problem of it."""
    text = path.read_text(encoding="utf-8")
    loaded = parse(text, file=path.name, environ={})
    title, summary, *_ = (line.removeprefix("# ") for line in text.splitlines())
    if loaded.problems or len(loaded.schedules) != 1:
        raise ConfigError(
            "\n".join(map(str, loaded.problems)) or f"{path.name} is not one schedule"
        )
    return Template(path.stem, title, summary, text, loaded.schedules[0].schedule.definition())
