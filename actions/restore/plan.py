"""What a restore will do, said before it does anything: which sets, how much, how long, and into what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_backup.actions.restore.target import Target
from airflow_backup.actions.sets.stored_set import StoredSet
from airflow_backup.core.words import VerificationOutcome
from airflow_backup.storage.protocol import Storage

if TYPE_CHECKING:
    from airflow_backup.catalog import Catalog

ASSUMED_RATE = 50_000_000
"""Stored bytes a second, where nothing was ever measured: one busy disk."""


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

    storage: Storage
    repository_id: str | None
    """The repository's marker; None where it has none."""

    chain: Sequence[StoredSet]
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

    hint: str | None = None
    """What to do about that."""

    details: Mapping[str, Any] = field(default_factory=dict)

    def marker(self) -> dict[str, Any]:
        """Return what names the plan in an unfinished target."""
        return {
            "schedule_id": self.schedule_id,
            "sets": [{"id": each.manifest.set_id, "hash": each.hash} for each in self.chain],
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
                for each in self.chain
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
            "hint": self.hint,
        }


def bytes_written(chain: Sequence[StoredSet]) -> int:
    """Return about how many bytes a restore of the path writes."""
    last = chain[-1].manifest
    state = last.state
    if "bytes" in state:
        return int(state["bytes"])
    if {"pages", "page_size"} <= state.keys():
        return int(state["pages"]) * int(state["page_size"])
    return sum(piece.raw_size for each in chain for piece in each.manifest.pieces)


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
