"""What the catalog gives: frozen rows, times in UTC, JSON already read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from airflow_backup.core.format.manifest import Manifest
from airflow_backup.core.words import (
    Kind,
    VerificationLevel,
    VerificationOutcome,
)

SetState = Literal["good", "quarantined", "deleting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LostSet:
    """A set that was stored, and that the repository does not hold any more although nobody removed it here."""

    set_id: str
    schedule_id: str
    repository: str
    consistent_at: datetime
    finished_at: datetime
    lost_at: datetime
    """When it was missed."""


class SetRow(NamedTuple):
    """One stored set, as its manifest describes it; a tuple, because the page asks for a thousand at a time."""

    set_id: str
    schedule_id: str
    repository: str
    run_id: str
    engine: str
    kind: Kind
    parent: str | None
    base: str | None
    run_at: datetime
    started_at: datetime
    consistent_at: datetime
    finished_at: datetime
    files: int
    bytes_read: int
    bytes_stored: int
    counts: Mapping[str, int]
    warnings: Sequence[str]
    manifest_hash: str
    previous_set_id: str | None
    previous_hash: str | None
    state: SetState = "good"
    pinned: bool = False
    verified_at: datetime | None = None
    verified_level: VerificationLevel | None = None
    verified_outcome: VerificationOutcome | None = None
    locked_until: datetime | None = None
    """Nobody removes it before; None when nothing but the rules of retention keeps it."""

    host: str | None = None
    """The machine on which it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceRow:
    """One object of a set."""

    set_id: str
    name: str
    stream: str
    size: int
    raw_size: int
    checksum: str


Verb = Literal["restore", "verify", "ask"]
"""What a person may have done once; ``ask`` only looks, and has an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a person asked for, to be carried out once, by the run ``run_id``."""

    run_id: str
    verb: Verb
    schedule_id: str
    request: Mapping[str, Any]
    person: str
    issued_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    answer: Mapping[str, Any] | None = None
    """What the run found out, where that was what it was asked for."""


DeployedState = Literal["loaded", "rejected", "last_known_good"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A schedule as the DAG processor last read it; ``definition`` is empty if it never was right."""

    id: str
    origin: str
    file: str
    line: int
    definition: Mapping[str, Any]
    state: DeployedState
    problems: Sequence[Mapping[str, Any]]
    content_hash: str
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """
    A schedules path; its files, and other ones that they name (``also``), were read at ``read_at`` or later.

    ``unprotected`` are its exceptions: ``connection`` and ``reason`` of each; None where an older release read it.
    """

    origin: str
    also: Sequence[str]
    read_at: datetime
    unprotected: Sequence[Mapping[str, str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadError:
    """One problem of a schedules file; ``schedule_id`` where it belongs to one schedule."""

    origin: str
    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str | None = None
    schedule_id: str | None = None
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Who did what to which thing; ``hash`` covers the event and the hash before it."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why a schedule does not run: its next run is skipped, it is paused until a moment, or there is maintenance."""

    id: int
    schedule_id: str
    kind: Literal["skip_next", "pause_until", "maintenance"]
    until: datetime | None
    reason: str | None
    created_by: str
    created_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleVersion:
    """One version of a schedule made in the UI; an ``is_deleted`` version ends it."""

    id: str
    version: int
    definition: Mapping[str, Any]
    author: str
    created_at: datetime
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """A version that is to be saved together with others, and the event that tells of it."""

    id: str
    definition: Mapping[str, Any]
    after_version: int
    """The version that the author saw; 0 for a new schedule."""
    action: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result of one verification of a set."""

    id: int
    set_id: str
    schedule_id: str
    level: VerificationLevel
    outcome: VerificationOutcome
    reason: str | None
    started_at: datetime
    finished_at: datetime
    bytes_read: int
    details: Mapping[str, Any]


def as_row(manifest: Manifest, repository: str, manifest_hash: str) -> SetRow:
    """Return what the catalog would know of a set, for rules that are asked without a catalog."""
    return SetRow(**row_of(manifest, repository, manifest_hash))


def row_of(manifest: Manifest, repository: str, manifest_hash: str) -> dict[str, Any]:
    """Return the columns of a set, as its manifest describes it."""
    previous = manifest.previous
    return {
        "set_id": manifest.set_id,
        "schedule_id": manifest.schedule_id,
        "repository": repository,
        "run_id": manifest.run_id,
        "engine": manifest.engine,
        "kind": manifest.kind,
        "parent": manifest.parent,
        "base": manifest.base,
        "run_at": manifest.run_at,
        "started_at": manifest.started_at,
        "consistent_at": manifest.consistent_at,
        "finished_at": manifest.finished_at,
        "files": manifest.totals.files,
        "bytes_read": manifest.totals.bytes_read,
        "bytes_stored": manifest.totals.bytes_stored,
        "counts": manifest.counts,
        "warnings": list(manifest.warnings),
        "manifest_hash": manifest_hash,
        "previous_set_id": None if previous is None else previous.set_id,
        "previous_hash": None if previous is None else previous.hash,
        "locked_until": manifest.locked_until,
        "host": None if manifest.worker is None else manifest.worker.host,
    }


def piece_rows(manifest: Manifest) -> list[dict[str, Any]]:
    """Return the rows of a set's pieces, as the table has them."""
    return [
        {
            "set_id": manifest.set_id,
            "name": piece.name,
            "stream": piece.stream,
            "size": piece.size,
            "raw_size": piece.raw_size,
            "checksum": piece.checksum,
        }
        for piece in manifest.pieces
    ]
