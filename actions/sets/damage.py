"""What a verification found: every damaged block with its place, and what could not be looked at."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_backup.core.words import DamageKind, VerificationLevel, VerificationOutcome

MOST = 1000
"""Damages that are listed; of a set that is damaged all over, more would help nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One place where a set is not what was written."""

    kind: DamageKind
    set_id: str
    file: str
    """The object in the repository."""

    what: str
    piece: str | None = None
    """The object's name inside the set; None for the manifest, and for a set as a whole."""

    offset: int | None = None
    """The first stored byte of the damaged block, and its `length`; None where no block is known."""

    length: int | None = None
    concerns: Sequence[str] = ()
    """The files of the source whose content lies there, where the engine can tell."""

    def __str__(self) -> str:
        where = "" if self.offset is None else f" at byte {self.offset}, {self.length} bytes"
        concerned = f" ({', '.join(self.concerns)})" if self.concerns else ""
        return f"{self.kind}: '{self.file}'{where}: {self.what}{concerned}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "kind": str(self.kind),
            "set_id": self.set_id,
            "file": self.file,
            "piece": self.piece,
            "offset": self.offset,
            "length": self.length,
            "what": self.what,
            "concerns": list(self.concerns),
        }


@dataclass
class Findings:
    """Collects while a set is looked at; may be added to by several threads."""

    damages: list[Damage] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    """What could not be looked at, and why: it makes the verification inconclusive."""

    notes: list[str] = field(default_factory=list)
    """What a person may want to know; it decides nothing."""

    checks: list[str] = field(default_factory=list)
    """What was looked at."""

    bytes_read: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, damage: Damage) -> None:
        """Add a damage, unless it is known."""
        with self._lock:
            if damage not in self.damages and len(self.damages) < MOST:
                self.damages.append(damage)

    def of_manifests(self, *set_ids: str) -> bool:
        """Whether a manifest of these sets is damaged: nothing that it says can be relied on."""
        return any(each.piece is None and each.set_id in set_ids for each in self.damages)

    def count(self, size: int) -> None:
        """Count stored bytes that were read."""
        with self._lock:
            self.bytes_read += size


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One part of ``count`` equal ones of all stored bytes; ``number`` counts from 1."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResult:
    """What is known of one set after looking at it; ``duration`` in seconds."""

    schedule_id: str
    set_id: str
    level: VerificationLevel
    outcome: VerificationOutcome
    reason: str | None
    proven: VerificationLevel | None
    """The highest level whose checks were all made and passed; None when none was."""

    share: Share | None
    damages: Sequence[Damage]
    unchecked: Sequence[str]
    notes: Sequence[str]
    checks: Sequence[str]
    bytes_read: int
    started_at: datetime
    finished_at: datetime
    duration: float
    restore_seconds: float | None = None
    """How long a restore test took to bring the source back."""

    isolation: Sequence[str] = ()
    """What held a restore test apart from the machine: `own user`, `no network`, `landlock`, `limits`."""

    @property
    def is_tampered(self) -> bool:
        """Whether a manifest is not the one that was written."""
        return any(damage.kind is DamageKind.TAMPERED for damage in self.damages)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "schedule_id": self.schedule_id,
            "set_id": self.set_id,
            "level": str(self.level),
            "outcome": str(self.outcome),
            "reason": self.reason,
            "proven": None if self.proven is None else str(self.proven),
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat(),
        } | self.details()

    def details(self) -> dict[str, Any]:
        """Return what the catalog keeps beside its columns."""
        return {
            "proven": None if self.proven is None else str(self.proven),
            "share": None if self.share is None else str(self.share),
            "damages": [damage.as_dict() for damage in self.damages],
            "unchecked": list(self.unchecked),
            "notes": list(self.notes),
            "checks": list(self.checks),
            "isolation": list(self.isolation),
            "bytes_read": self.bytes_read,
            "duration": round(self.duration, 3),
            "restore_seconds": None
            if self.restore_seconds is None
            else round(self.restore_seconds, 3),
        }
