"""Folders as sources, and what is left out of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow_backup.schedules.setup.draft import Draft
from airflow_backup.schedules.setup.foreign.shell.arguments import Arguments
from airflow_backup.schedules.setup.foreign.shell.value import Value
from airflow_backup.schedules.setup.names import of_path
from airflow_backup.schedules.setup.patterns import (
    for_root,
    from_names,
    glob_root,
    is_absolute,
    without_nested,
)

_LARGEST_LIST = 2**20


def folders(
    roots: Sequence[str], excluded: Sequence[str], origin: str, *, notes: Sequence[str] = ()
) -> list[Draft]:
    """Make a schedule for folders; one for each where a pattern, or a star, is about a place."""
    kept, inner = without_nested([re.sub(r"/{2,}", "/", each) for each in roots])
    said = [*notes]
    if inner:
        said.append(f"inside of another source, and stored with it: {', '.join(inner)}")
    has_star = any(glob_root(each)[1] is not None for each in kept)
    if len(kept) == 1 or has_star or is_absolute(excluded):
        return [_folder(root, excluded, origin, said) for root in kept]
    patterns, left = for_root(excluded, "/")
    source: dict[str, Any] = {"engine": "files", "paths": kept}
    if patterns:
        source["exclude"] = patterns
    return [Draft(of_path(kept[0]), source, origin, notes=(*said, *_unwritten(left)))]


def _folder(path: str, excluded: Sequence[str], origin: str, notes: Sequence[str]) -> Draft:
    root, taken = glob_root(path)
    patterns, left = for_root(excluded, root)
    source: dict[str, Any] = {"engine": "files", "path": root}
    if taken is not None:
        source["include"] = [taken]
    if patterns:
        source["exclude"] = patterns
    return Draft(of_path(root), source, origin, notes=(*notes, *_unwritten(left)))


def _unwritten(count: int) -> list[str]:
    if not count:
        return []
    return [f"patterns of what was left out that mean nothing here: {count}; not carried over"]


def without_star(path: str) -> str:
    """Return a path that was quoted; ValueError for one whose name could be taken for a pattern."""
    if re.search(r"[*?\[]", path):
        raise ValueError("a path has a star or a bracket in its name")
    return path


def excludes(given: Arguments, direct: str, of_file: str) -> tuple[list[str], list[str]]:
    """Return the patterns of what is left out, and what could not be read of them."""
    found, notes = [], []
    for each in given.all(direct):
        if each.is_known:
            found.append(each.text)
        else:
            notes.append("a pattern of what was left out is made by a shell; not carried over")
    for each in given.all(of_file):
        lines = patterns_of_file(each)
        if lines is None:
            notes.append(unread(each))
        else:
            found += lines
    return found, notes


def with_names(patterns: Sequence[str], root: str, name: str) -> list[str]:
    """Return what else relative patterns leave out, where the source itself is stored as ``name``."""
    names = [part for part in name.split("/") if part not in ("", ".")]
    found = (from_names(each, root, names) for each in patterns)
    return [each for each in found if each is not None]


def unread(name: Value) -> str:
    """Say that a list of patterns was not read."""
    what = name.text if name.is_known else "a shell makes its name"
    return f"the list of what was left out was not read, so all of that is stored: {what}"


def patterns_of_file(name: Value) -> list[str] | None:
    """Read a list of patterns, where it lies on this machine."""
    path = Path(name.text)
    try:
        if not name.is_known or not path.is_absolute() or not path.is_file():
            return None
        if path.stat().st_size > _LARGEST_LIST:
            return None
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    return [each.strip() for each in lines if each.strip() and not each.lstrip().startswith("#")]
