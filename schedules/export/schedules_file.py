"""Definitions as one schedules file that `airflow-backup validate` accepts, and that loses nothing of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_backup.schedules.export.yaml_text import block, comment

_WHOLE = (
    "Each schedule is whole: what defaults, groups and templates gave it is written out. Keep the file apart from "
    "files with `defaults` or `groups`, or look at `airflow-backup diff` before you deploy: what is not written here "
    "would be taken from there."
)


def schedules_file(definitions: Iterable[Mapping[str, Any]], *, notes: Sequence[str] = ()) -> str:
    """
    Write a schedules file; ``notes`` stand in its head.

    >>> print(schedules_file([{"id": "wiki", "cron": "0 2 * * *"}]).partition("version: 1")[2].strip())
    schedules:
      - id: wiki
        cron: "0 2 * * *"
    """
    given = list(definitions)
    return "\n".join(_lines(given, [*notes, *_upstreams_elsewhere(given)])) + "\n"


def _lines(definitions: Sequence[Mapping[str, Any]], notes: Sequence[str]) -> Iterator[str]:
    yield from comment(_WHOLE)
    for each in notes:
        yield from comment(each, bullet="- ")
    yield "version: 1"
    if not definitions:
        yield "schedules: []"
        return
    yield "schedules:"
    for definition in definitions:
        yield from block([definition], indent=2)


def _upstreams_elsewhere(definitions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say which schedules wait for others that are not in the file: alone it would be refused."""
    here = {definition.get("id") for definition in definitions}
    for definition in definitions:
        missing = [f"`{name}`" for name in definition.get("after", ()) if name not in here]
        if missing:
            yield f"`{definition['id']}` runs after {', '.join(missing)}, which this file does not have"
