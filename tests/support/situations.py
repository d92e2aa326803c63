"""Situations of protection, each with its word: what is stored, what is known, and whether a person should look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_backup.catalog.records import LostSet, SetRow, Verification
from airflow_backup.core.words import Kind, VerificationLevel, VerificationOutcome

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PASSED, FAILED = VerificationOutcome.PASSED, VerificationOutcome.FAILED


def row(age: timedelta, *, parent: str | None = None, **more: Any) -> SetRow:
    """A set of so long ago; verified, unless told otherwise."""
    at = NOW - age
    name = f"s{age.total_seconds():.0f}"
    given: dict[str, Any] = {
        "set_id": name,
        "schedule_id": "wiki",
        "repository": "file:///b",
        "run_id": name,
        "engine": "files",
        "kind": Kind.FULL if parent is None else Kind.INCREMENTAL,
        "parent": parent,
        "base": parent,
        "run_at": at,
        "started_at": at,
        "consistent_at": at,
        "finished_at": at + timedelta(minutes=5),
        "files": 1,
        "bytes_read": 1,
        "bytes_stored": 1,
        "counts": {},
        "warnings": [],
        "manifest_hash": "0",
        "previous_set_id": None,
        "previous_hash": None,
        "verified_level": VerificationLevel.STANDARD,
        "verified_outcome": PASSED,
        "verified_at": at + timedelta(minutes=6),
    }
    return SetRow(**given | more)


def checked(
    age: timedelta, outcome: VerificationOutcome = PASSED, level: str = "standard"
) -> Verification:
    """A verification of so long ago."""
    at = NOW - age
    return Verification(
        id=1,
        set_id="s",
        schedule_id="wiki",
        level=VerificationLevel(level),
        outcome=outcome,
        reason="2 rows are missing" if outcome is FAILED else None,
        started_at=at,
        finished_at=at,
        bytes_read=1,
        details={},
    )


def gone(row: SetRow) -> LostSet:
    """The same set, stored once and not there any more."""
    return LostSet(
        set_id=row.set_id,
        schedule_id=row.schedule_id,
        repository=row.repository,
        consistent_at=row.consistent_at,
        finished_at=row.finished_at,
        lost_at=NOW,
    )


FRESH, OLD = timedelta(hours=10), timedelta(hours=30)
QUARANTINED: dict[str, Any] = {"state": "quarantined", "verified_outcome": FAILED}
UNVERIFIED: dict[str, Any] = {"verified_outcome": None, "verified_level": None, "verified_at": None}
SITUATIONS: dict[str, tuple[str, bool, list[SetRow | LostSet], dict[str, Any]]] = {
    "new": ("never", False, [], {"first_seen": NOW}),
    "new, before its first slot": ("never", False, [], {"first_seen": NOW - timedelta(hours=25)}),
    "never, beyond its limit": ("never", True, [], {}),
    "never, and its runs fail": ("never", True, [], {"first_seen": NOW, "failures_in_row": 2, "last_error": "x"}),
    "never, and disabled": ("never", False, [], {"enabled": False}),
    "never, and without a DAG": ("never", True, [], {"enabled": None}),
    "never, and rejected": ("broken", True, [], {"rejected": "no `source`"}),
    "good": ("good", False, [row(FRESH)], {}),
    "good to the second": ("good", False, [row(timedelta(hours=26))], {}),
    "good by an incremental": ("good", False, [row(FRESH, parent="s108000"), row(OLD)], {}),
    "good, the last run failed": ("good", True, [row(FRESH)], {"failures_in_row": 1, "last_error": "x"}),
    "good, and disabled a moment ago": ("good", False, [row(FRESH)], {"enabled": False}),
    "good, and without a DAG yet": ("good", False, [row(FRESH)], {"enabled": None}),
    "good, promoted to full": ("good", False, [row(FRESH), row(OLD)], {}),
    "good, an older set is lost": ("good", False, [row(FRESH), gone(row(OLD))], {}),
    "good, an older set is quarantined": ("good", False, [row(FRESH), row(OLD, **QUARANTINED)], {}),
    "good, unverified since a moment": ("good", False, [row(FRESH, **UNVERIFIED)], {}),
    "good, nobody asks for verifications": (
        "good", False, [row(FRESH, **UNVERIFIED)], {"is_verified": False, "last_passed": None},
    ),
    "good, its restore test is of last week": (
        "good", False, [row(FRESH)], {"restore_test": "weekly", "last_restore_test": checked(8 * DAY, level="restore_test")},
    ),
    "good, from the future": ("good", False, [row(-DAY), row(FRESH)], {}),
    "late by a second": ("late", True, [row(timedelta(hours=26, seconds=1))], {}),
    "late for forty days": ("late", True, [row(40 * DAY)], {}),
    "late, the scheduler is dead": ("late", True, [row(OLD)], {}),
    "late, though a newer run completed": ("late", True, [row(OLD), row(FRESH, state="deleting")], {}),
    "late, the chain of the newest is broken": ("late", True, [row(FRESH, parent="gone"), row(OLD)], {}),
    "late, nothing can be restored": ("late", True, [row(FRESH, parent="gone")], {}),
    "late, and unverified": ("late", True, [row(OLD, **UNVERIFIED)], {}),
    "late, and without a DAG": ("late", True, [row(OLD)], {"enabled": None}),
    "late, and what is written is wrong": ("late", True, [row(OLD)], {"outdated": "no `cron`"}),
    "at risk, the newest failed its verification": ("at_risk", True, [row(FRESH, **QUARANTINED), row(timedelta(hours=20))], {}),
    "at risk, the only one failed its verification": ("at_risk", True, [row(FRESH, **QUARANTINED)], {}),
    "at risk, never verified": (
        "at_risk", True, [row(FRESH, **UNVERIFIED)], {"last_passed": None},
    ),
    "at risk, verified too long ago": (
        "at_risk", True, [row(FRESH, **UNVERIFIED)], {"last_passed": checked(3 * DAY)},
    ),
    "good, every fourth is verified": (
        "good", False, [row(FRESH, **UNVERIFIED)], {"last_passed": checked(3 * DAY), "verify_every": 4},
    ),
    "at risk, the restore test failed": (
        "at_risk", True, [row(FRESH)],
        {"restore_test": "weekly", "last_restore_test": checked(2 * DAY, FAILED, "restore_test")},
    ),
    "at risk, the restore test is too old": (
        "at_risk", True, [row(FRESH)], {"restore_test": "weekly", "last_restore_test": checked(20 * DAY, level="restore_test")},
    ),
    "at risk, never a restore test": ("at_risk", True, [row(FRESH)], {"restore_test": "daily"}),
    "at risk, what is written is wrong": ("at_risk", True, [row(FRESH)], {"outdated": "no `cron`"}),
    "lost": ("lost", True, [gone(row(FRESH))], {}),
    "lost, an older one is there": ("lost", True, [gone(row(FRESH)), row(OLD)], {}),
    "lost, and disabled": ("lost", True, [gone(row(FRESH))], {"enabled": False}),
    "broken, rejected with good sets": ("broken", True, [row(FRESH)], {"rejected": "no `source`"}),
    "broken, disabled and aging": ("broken", True, [row(OLD)], {"enabled": False}),
    "broken, by its own failures": ("broken", True, [row(OLD)], {"enabled": False, "failures_in_row": 5, "last_error": "x"}),
}  # fmt: skip
