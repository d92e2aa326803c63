"""Reads Airflow's connections, from a file that it exported or as they are known here, as schedules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from airflow_backup.core.connections import Connection, parse
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.text.names import quoted
from airflow_backup.schedules.setup.draft import Draft, Reading
from airflow_backup.schedules.setup.foreign import yaml_files


def read(text: str, *, origin: str, path: Path) -> Reading:
    """Read what `airflow connections export` wrote: JSON, YAML, or lines of an `.env` file."""
    found: list[Connection] = []
    notes = []
    for name, given in _entries(text, origin, path):
        try:
            written = given if isinstance(given, str) else json.dumps(given, default=str)
            if not _WRITTEN.match(written):
                # The name of a type is shown, and of other text that would be its beginning.
                raise ConfigError(f"{origin}: this is no connection")
            found.append(parse(name, written, origin=origin))
        except (ConfigError, TypeError, ValueError):
            notes.append(f"{origin}: the connection {quoted(name)} cannot be read")
    made = of_connections(found, origin)
    if made.drafts:
        notes.append(f"{origin}: {_NOT_COPIED}")
    return Reading(made.drafts, (*notes, *made.notes))


_NOT_COPIED = (
    "the connections themselves were not copied; where Airflow does not have them yet: "
    "airflow connections import FILE"
)


def _entries(text: str, origin: str, path: Path) -> Iterator[tuple[str, Any]]:
    if path.suffix == ".env" or (not text.lstrip().startswith(("{", "[")) and _is_env(text)):
        for line in text.splitlines():
            name, equals, value = line.strip().partition("=")
            if equals and not name.startswith("#"):
                yield _id_of(name), value.strip().strip("\"'")
        return
    data = _data(text, origin)
    if not isinstance(data, dict):
        raise ConfigError(f"{origin}: these are no connections of Airflow")
    for name, given in data.items():
        for each in given if isinstance(given, list) else [given]:
            yield str(name), each


_WRITTEN = re.compile(r"\s*(\{|[a-zA-Z][a-zA-Z0-9_+.-]*://)")


def _id_of(name: str) -> str:
    """
    Return the id for which a line of an `.env` file stands.

    >>> _id_of("export AIRFLOW_CONN_SHOP"), _id_of("shop_DB ")
    ('shop', 'shop_DB')
    """
    name = name.strip().removeprefix("export ").strip()
    inside = name.removeprefix("AIRFLOW_CONN_")
    return name if inside == name else inside.lower()


def _data(text: str, origin: str) -> Any:
    """Read JSON as JSON, whose escapes YAML reads otherwise; all else as YAML."""
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass  # YAML may begin so, too
    return yaml_files.read(text, origin=origin, folder=None)


def _is_env(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return bool(lines) and all("=" in line.partition(":")[0] for line in lines)


def of_connections(connections: Iterable[Connection], origin: str) -> Reading:
    """Make a schedule for each connection that leads to what an engine can back up."""
    from airflow_backup.schedules.model.sources import ways_by_type

    ways = ways_by_type()
    drafts, others = [], []
    for each in connections:
        way = ways.get(each.type)
        if way is None:
            others.append(f"{each.id} ({each.type or 'no type'})")
            continue
        source = dict(way.source(each))
        if source.get("path") == "":
            others.append(f"{each.id} (names no folder)")
            continue
        drafts.append(Draft(each.id, source, f"{origin}, {each.id}"))
    notes = []
    if others:
        notes.append(f"{origin}: no engine backs up what these lead to: {', '.join(others)}")
    return Reading(tuple(drafts), tuple(notes))
