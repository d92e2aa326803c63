"""
What a restore will do, said before it does anything: which sets, how much, how long, and into what.

A target is a folder or a database of a server. A folder must be empty, unless it holds what an
earlier attempt at the same plan left; that one is then continued. To put a restore in the place of
something, it is made beside it and swapped in when it is whole; what was there is kept.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path as Folder
from typing import TYPE_CHECKING, Any

from airflow_backup.actions.stored_set import StoredSet
from airflow_backup.core.durations import format_size
from airflow_backup.core.errors import ConfigError, Refused
from airflow_backup.core.words import VerificationOutcome
from airflow_backup.engines.jail import MARKER

if TYPE_CHECKING:
    from airflow_backup.catalog import Catalog

ASSUMED_RATE = 50_000_000
"""Stored bytes a second, where nothing was ever measured: one busy disk."""

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
    if not text.startswith("connection:"):
        return Folder(text)
    found = _SERVER.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"'{text}' names no connection", hint="write for example connection:orders_db/copy"
        )
    return ServerTarget(found[1], found[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan:
    """What a restore will do."""

    schedule_id: str
    engine: str
    target: Target
    asked_at: datetime | None
    """The moment that was asked for; None for a set."""

    consistent_at: datetime
    """The moment that comes back."""

    until: datetime | None
    """Where to stop in archived logs; None when there are none."""

    path: Sequence[StoredSet]
    only: Sequence[str]
    bytes_to_read: int
    bytes_to_write: int
    seconds: float
    measured: bool
    """Whether `seconds` come from a restore that was measured, or from an assumed rate."""

    gaps: Sequence[str]
    """Why newer sets, or later logs, are not used."""

    warnings: Sequence[str] = ()
    holds: str = "nothing"
    """What is in the target."""

    resumes: bool = False
    """Whether an earlier attempt at the same plan is continued."""

    replaces: bool = False
    """Whether something is in the way, and is kept beside it."""

    refused: str | None = None
    """Why it cannot be done as it stands."""

    details: Mapping[str, Any] = field(default_factory=dict)

    def marker(self) -> dict[str, Any]:
        """Return what names the plan in an unfinished target."""
        return {
            "schedule_id": self.schedule_id,
            "sets": [{"id": each.manifest.set_id, "hash": each.hash} for each in self.path],
            "only": sorted(self.only),
            "until": None if self.until is None else self.until.isoformat(),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "schedule_id": self.schedule_id,
            "engine": self.engine,
            "target": str(self.target),
            "asked_at": None if self.asked_at is None else self.asked_at.isoformat(),
            "consistent_at": self.consistent_at.isoformat(),
            "sets": [
                {
                    "set_id": each.manifest.set_id,
                    "kind": str(each.manifest.kind),
                    "consistent_at": each.manifest.consistent_at.isoformat(),
                    "bytes_stored": each.manifest.totals.bytes_stored,
                }
                for each in self.path
            ],
            "only": list(self.only),
            "bytes_to_read": self.bytes_to_read,
            "bytes_to_write": self.bytes_to_write,
            "seconds": round(self.seconds, 1),
            "measured": self.measured,
            "gaps": list(self.gaps),
            "warnings": list(self.warnings),
            "target_holds": self.holds,
            "resumes": self.resumes,
            "replaces": self.replaces,
            "refused": self.refused,
        }


@dataclass(frozen=True, slots=True)
class TargetState:
    """What is in a target, and what may be done with it."""

    holds: str
    resumes: bool = False
    replaces: bool = False
    refused: str | None = None
    warnings: tuple[str, ...] = ()


def look_at(
    target: Target, marker: Mapping[str, Any], *, needed: int, replace: bool
) -> TargetState:
    """Look at a target without changing it."""
    if isinstance(target, ServerTarget):
        return TargetState("what the server says when the restore begins", replaces=replace)
    warnings = _room(target, needed)
    if not os.path.lexists(target):
        return TargetState("nothing: it is made", warnings=warnings)
    if not target.is_dir():
        return TargetState("a file", refused=f"'{target}' is not a folder")
    try:
        names = os.listdir(target)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        return TargetState("unknown", refused=f"cannot read '{target}': {why}")
    if not names:
        return TargetState("nothing", warnings=warnings)
    if MARKER in names:
        return _unfinished(target, marker, warnings)
    holds = f"{len(names)} entries"
    if replace:
        return TargetState(holds, replaces=True, warnings=warnings)
    return TargetState(holds, refused=f"'{target}' is not empty")


def begin_marker(target: Folder, marker: Mapping[str, Any]) -> None:
    """Say in a target that it is not finished; the engine then finds nothing else in it."""
    try:
        target.mkdir(mode=0o700, exist_ok=True)
        (target / MARKER).write_text(json.dumps(marker, indent=2) + "\n")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Refused(f"cannot restore to '{target}': {why}", hint=f"ls -ld {target}") from error


def end_marker(target: Folder) -> None:
    """Take the marker away; the folder's own time is one of the things that were restored."""
    found = target.stat()
    if not found.st_mode & stat.S_IWUSR:  # as it was backed up
        target.chmod(found.st_mode | stat.S_IWUSR)
    (target / MARKER).unlink(missing_ok=True)
    target.chmod(stat.S_IMODE(found.st_mode))
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _unfinished(
    target: Folder, marker: Mapping[str, Any], warnings: tuple[str, ...]
) -> TargetState:
    holds = "an unfinished restore"
    try:
        found = json.loads((target / MARKER).read_bytes())
    except (OSError, ValueError):
        found = None
    if found == marker:
        return TargetState(f"{holds} of the same sets", resumes=True, warnings=warnings)
    return TargetState(holds, refused=f"'{target}' holds an unfinished restore of something else")


def _room(target: Folder, needed: int) -> tuple[str, ...]:
    there = next((each for each in (target, *target.parents) if each.exists()), None)
    free = None if there is None else shutil.disk_usage(there).free
    if free is None or free >= needed:
        return ()
    return (f"the target has {format_size(free)} free, and needs about {format_size(needed)}",)


def bytes_written(path: Sequence[StoredSet]) -> int:
    """Return about how many bytes a restore of the path writes."""
    last = path[-1].manifest
    state = last.state
    if "bytes" in state:
        return int(state["bytes"])
    if {"pages", "page_size"} <= state.keys():
        return int(state["pages"]) * int(state["page_size"])
    return sum(piece.raw_size for each in path for piece in each.manifest.pieces)


def rate_of(schedule_id: str, catalog: Catalog | None) -> float | None:
    """Return how many stored bytes a second the last measured restore of the schedule read."""
    if catalog is None:
        return None
    for event in catalog.events.recent(20, subject=schedule_id):
        if event.action == "restore" and event.detail.get("seconds"):
            return float(event.detail["bytes_read"]) / float(event.detail["seconds"])
    test = catalog.verifications.last_restore_test(schedule_id)
    if test is None or test.outcome is not VerificationOutcome.PASSED:
        return None
    seconds = test.details.get("restore_seconds")
    return test.bytes_read / float(seconds) if seconds and test.bytes_read else None
