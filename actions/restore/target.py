"""
Where a restore goes, looked at before anything is written.

A target is a folder or a database of a server. A folder must be empty, unless it holds what an
earlier attempt at the same plan left; that one is then continued. To put a restore in the place of
something, it is made beside it and swapped in when it is whole (`actions/restore/swap.py`); what was
there is kept.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as Folder
from typing import Any

from airflow_backup.actions.restore.marking import ANOTHER, told_in
from airflow_backup.actions.restore.replaceable import what_keeps_from_swapping
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.text.durations import format_size
from airflow_backup.engines.shared.restore_marker import MARKER

_SERVER = re.compile(r"connection:([A-Za-z0-9_.-]+)(?:/(.+))?")


@dataclass(frozen=True, slots=True)
class ServerTarget:
    """A database of the server that a connection names."""

    connection: str
    database: str | None = None

    def __str__(self) -> str:
        return f"connection:{self.connection}" + (f"/{self.database}" if self.database else "")


Target = Folder | ServerTarget


def target_of(text: str) -> Target:
    """
    Read where a restore goes: a folder, or ``connection:ID[/database]``.

    >>> target_of("connection:orders_db/copy")
    ServerTarget(connection='orders_db', database='copy')
    >>> target_of("/srv/back")
    PosixPath('/srv/back')
    """
    if not text:
        raise ConfigError("the target has no name", hint="is the variable set? this folder is `.`")
    if not text.startswith("connection:"):
        return Folder(text)
    found = _SERVER.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"'{text}' names no connection", hint="write for example connection:orders_db/copy"
        )
    return ServerTarget(found[1], found[2])


@dataclass(frozen=True, slots=True)
class TargetState:
    """What is in a target, and what may be done with it."""

    holds: str
    resumes: bool = False
    replaces: bool = False
    refused: str | None = None
    hint: str | None = None
    warnings: tuple[str, ...] = ()


def look_at(
    target: Target,
    marker: Mapping[str, Any],
    *,
    needed: int,
    replace: bool,
    precious: Mapping[str, Folder] | None = None,
) -> TargetState:
    """
    Look at a target without changing it.

    ``precious`` are folders that backups need, by what they are: nothing is restored into or over them.
    """
    if isinstance(target, ServerTarget):
        return TargetState("what the server says when the restore begins", replaces=replace)
    inside = _what_it_would_hit(target, precious)
    if inside is not None:
        return TargetState("what backups need", refused=inside, hint=ANOTHER)
    try:
        return _look_into(target, marker, needed=needed, replace=replace)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        return TargetState("unknown", refused=f"cannot look at '{target}': {why}", hint=ANOTHER)


def _look_into(
    target: Folder, marker: Mapping[str, Any], *, needed: int, replace: bool
) -> TargetState:
    warnings = _room(target, needed)
    if not os.path.lexists(target):
        return _missing(target, warnings)
    if not target.is_dir():
        return TargetState("a file", refused=f"'{target}' is not a folder", hint=ANOTHER)
    try:
        names = os.listdir(target)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        return TargetState("unknown", refused=f"cannot read '{target}': {why}", hint=ANOTHER)
    if not names:
        return _writable(target, TargetState("nothing", warnings=warnings))
    found = _unfinished(target, marker) if MARKER in names else None
    if found is not None and (found.resumes or not replace):
        return _writable(target, found) if found.resumes else found
    holds = found.holds if found is not None else f"{len(names)} entries"
    if not replace:
        return TargetState(holds, refused=f"'{target}' is not empty", hint=ANOTHER)
    in_the_way, hint = what_keeps_from_swapping(target)
    return TargetState(holds, replaces=True, refused=in_the_way, hint=hint, warnings=warnings)


def _missing(target: Folder, warnings: tuple[str, ...]) -> TargetState:
    holds = "nothing: it is made"
    parent = target.absolute().parent
    if not parent.is_dir():
        why = f"there is no folder '{parent}' to make '{target.name}' in"
        return TargetState(holds, refused=why, hint=f"mkdir -p {parent}")
    if not os.access(parent, os.W_OK | os.X_OK):
        why = f"may not make '{target.name}' in '{parent}'"
        return TargetState(holds, refused=why, hint=f"ls -ld {parent}")
    return TargetState(holds, warnings=warnings)


def _what_it_would_hit(target: Folder, precious: Mapping[str, Folder] | None) -> str | None:
    real = Folder(os.path.realpath(target))
    for what, folder in (precious or {}).items():
        place = Folder(os.path.realpath(folder))
        if real == place or real.is_relative_to(place):
            return f"'{target}' lies in {what}"
        if place.is_relative_to(real):
            return f"{what} lies in '{target}'"
    return None


def _writable(target: Folder, found: TargetState) -> TargetState:
    if os.access(target, os.R_OK | os.W_OK | os.X_OK) or os.stat(target).st_uid == os.geteuid():
        return found
    return TargetState(found.holds, refused=f"may not write to '{target}'", hint=f"ls -ld {target}")


def _unfinished(target: Folder, marker: Mapping[str, Any]) -> TargetState:
    holds = "an unfinished restore"
    if told_in(target, of_anybody=False) == marker:
        return TargetState(f"{holds} of the same sets", resumes=True)
    return TargetState(
        holds,
        refused=f"'{target}' holds an unfinished restore of something else",
        hint="--replace keeps it beside and restores in its place, or restore to another folder",
    )


def _room(target: Folder, needed: int) -> tuple[str, ...]:
    there = next((each for each in (target, *target.parents) if each.exists()), None)
    free = None if there is None else shutil.disk_usage(there).free
    if free is None or free >= needed:
        return ()
    return (f"the target has {format_size(free)} free, and needs about {format_size(needed)}",)
