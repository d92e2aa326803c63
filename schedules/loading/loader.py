"""
Reads schedules files: every problem at once, and a wrong schedule never costs the others theirs.

A folder of ``*.yaml`` works like one file. ``defaults`` are under everything, then the templates a schedule
``extends``, then the schedule itself: a key given higher up replaces the one below, except that ``source``,
``retry`` and ``verify`` are joined key by key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_backup.core.collecting import collection_paused
from airflow_backup.schedules.loading.assembly import assemble
from airflow_backup.schedules.loading.dependencies import Elsewhere
from airflow_backup.schedules.loading.loaded import CATALOG, Loaded, Located, Rejected
from airflow_backup.schedules.loading.placeholders import fill
from airflow_backup.schedules.loading.problems import Problem
from airflow_backup.schedules.loading.yaml_reader import Document, read

__all__ = [
    "Loaded",
    "Located",
    "Rejected",
    "check_definition",
    "load",
    "load_from_catalog",
    "parse",
    "schedule_files",
]


def load(
    path: Path,
    *,
    from_catalog: Sequence[Mapping[str, Any]] = (),
    elsewhere: Elsewhere | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Loaded:
    """
    Read a schedules file, or every ``*.yaml`` and ``*.yml`` of a folder; never raises for what they say.

    ``from_catalog`` are definitions from the catalog; a file wins where an id is in both. ``elsewhere`` has further
    schedules that may be waited for. Placeholders in files are filled from ``environ``.
    """
    files = schedule_files(path)
    if not files:
        missing = "is an empty folder" if path.is_dir() else "does not exist"
        hint = "is `[backup] schedules_path` right?"
        return Loaded(
            problems=[Problem(str(path), 1, 1, "", f"the schedules file {missing}", hint)]
        )
    with collection_paused():
        documents = []
        for file in files:
            name = str(file.relative_to(path)) if path.is_dir() else file.name
            documents.append(_read_file(file, name))
        filled = [fill(document, environ) for document in documents]
        made = [_made_document(from_catalog)] if from_catalog else []
        return assemble([*filled, *made], elsewhere=elsewhere)


def check_definition(
    definition: Mapping[str, Any], *, elsewhere: Elsewhere | None = None
) -> Loaded:
    """Check one schedule that is not from a file; it is whole by itself."""
    return assemble([_made_document([definition])], elsewhere=elsewhere)


def load_from_catalog(from_catalog: Sequence[Mapping[str, Any]]) -> Loaded:
    """Check the schedules of the catalog where there is no file."""
    return assemble([_made_document(from_catalog)])


def _made_document(from_catalog: Sequence[Mapping[str, Any]]) -> Document:
    data = {"version": 1, "schedules": [dict(definition) for definition in from_catalog]}
    return Document(CATALOG, data, None, [], inherits=False)


def schedule_files(path: Path) -> list[Path]:
    """List the files that make up ``path``, in the order of their names."""
    if path.is_dir():
        return sorted(item for item in path.iterdir() if item.suffix in (".yaml", ".yml"))
    return [path] if path.is_file() else []


def parse(
    text: str, *, file: str = "schedules.yaml", environ: Mapping[str, str] = os.environ
) -> Loaded:
    """Read the text of one schedules file."""
    return assemble([fill(read(text, file=file), environ)])


def _read_file(path: Path, name: str) -> Document:
    try:
        document = read(path.read_text(encoding="utf-8"), file=name)
        return replace(document, folder=path.parent)
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8: {error.reason} at byte {error.start}"
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
    return Document(name, None, None, [Problem(name, 1, 1, "", message)])
