"""What is proven of each schedule: the last good set, how it was verified, how long a restore took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_backup.actions.report.protection import Subject
from airflow_backup.actions.report.protection import protections as judge
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import SetRow, Verification
from airflow_backup.catalog.rules.protection import Protection
from airflow_backup.core.words import Kind, ProtectionState, VerificationOutcome
from airflow_backup.schedules.model.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleReport:
    """What is proven of one schedule, at one moment."""

    schedule_id: str
    engine: str | None
    protection: ProtectionState
    """How safe it is, in one word: what a person reads first."""

    why: str
    since: datetime
    """Since when it is so."""

    late_at: datetime
    is_proven: bool
    """Whether it is good, and its newest good set passed a verification."""

    rpo_promised: float | None
    """How old the newest good set may become, in seconds; None where that is not written."""

    rpo_achieved: float | None
    """How old it is."""

    rto_promised: float | None
    rto_achieved: float | None
    """How long the last restore test took, in seconds."""

    last_good_at: datetime | None
    last_good_set: str | None
    last_verified_at: datetime | None
    last_verified_set: str | None
    last_verified_level: str | None
    last_failure: str | None
    """The newest verification that failed, when its set is still quarantined."""

    last_restore_test_at: datetime | None
    last_restore_test_outcome: str | None
    last_restore_seconds: float | None
    oldest_recoverable: datetime | None
    newest_recoverable: datetime | None
    sets: int
    chains: int
    quarantined: int
    bytes_stored: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        moments = (
            "since",
            "late_at",
            "last_good_at",
            "last_verified_at",
            "last_restore_test_at",
            "oldest_recoverable",
            "newest_recoverable",
        )
        found = {name: getattr(self, name) for name in self.__slots__}
        return found | {
            name: None if found[name] is None else found[name].isoformat() for name in moments
        }


def report(
    schedules: Iterable[Schedule],
    catalog: Catalog,
    *,
    now: datetime,
    protections: Mapping[str, Protection] | None = None,
) -> list[ScheduleReport]:
    """Report on each schedule, in the order given; ``protections`` where somebody knows more than the file says."""
    asked = list(schedules)
    if protections is None:
        protections = judge(map(Subject.of, asked), catalog, now=now)
    return [_of(each, catalog, protections[each.id], now=now) for each in asked]


def _of(
    schedule: Schedule, catalog: Catalog, protection: Protection, *, now: datetime
) -> ScheduleReport:
    rows = [row for row in catalog.sets.of(schedule.id) if row.state != "deleting"]
    good = protection.last_good
    passed = catalog.verifications.of_schedule(
        schedule.id, outcome=VerificationOutcome.PASSED, limit=1
    )
    verified = passed[0] if passed else None
    test = catalog.verifications.last_restore_test(schedule.id)
    failed = _still_failed(rows, catalog, schedule.id)
    restore_seconds = None if test is None else test.details.get("restore_seconds")
    objectives = schedule.objectives
    rto = None if objectives is None or objectives.rto is None else objectives.rto.total_seconds()
    return ScheduleReport(
        schedule_id=schedule.id,
        engine=rows[0].engine if rows else None,
        protection=protection.state,
        why=protection.reason,
        since=protection.since,
        late_at=protection.late_at,
        is_proven=(
            protection.state is ProtectionState.GOOD
            and good is not None
            and good.verified_outcome is VerificationOutcome.PASSED
        ),
        rpo_promised=None if schedule.rpo is None else schedule.rpo.total_seconds(),
        rpo_achieved=None if good is None else (now - good.consistent_at).total_seconds(),
        rto_promised=rto,
        rto_achieved=restore_seconds,
        last_good_at=None if good is None else good.consistent_at,
        last_good_set=None if good is None else good.set_id,
        last_verified_at=None if verified is None else verified.finished_at,
        last_verified_set=None if verified is None else verified.set_id,
        last_verified_level=None if verified is None else str(verified.level),
        last_failure=None if failed is None else failed.reason,
        last_restore_test_at=None if test is None else test.finished_at,
        last_restore_test_outcome=None if test is None else str(test.outcome),
        last_restore_seconds=restore_seconds,
        oldest_recoverable=_oldest(rows),
        newest_recoverable=None if good is None else good.consistent_at,
        sets=len(rows),
        chains=len({row.base or row.set_id for row in rows if row.state == "good"}),
        quarantined=sum(row.state == "quarantined" for row in rows),
        bytes_stored=sum(row.bytes_stored for row in rows),
    )


def _still_failed(rows: list[SetRow], catalog: Catalog, schedule_id: str) -> Verification | None:
    quarantined = {row.set_id for row in rows if row.state == "quarantined"}
    if not quarantined:
        return None
    found = catalog.verifications.of_schedule(
        schedule_id, outcome=VerificationOutcome.FAILED, limit=100
    )
    return next((each for each in found if each.set_id in quarantined), None)


def _oldest(rows: list[SetRow]) -> datetime | None:
    """Return the first moment that can be restored."""
    good = {row.set_id: row for row in rows if row.state == "good"}
    for row in sorted(good.values(), key=lambda each: each.consistent_at):
        if row.kind is Kind.ARCHIVE_LOG:
            continue
        below: SetRow | None = row
        seen: set[str] = set()
        while below is not None and below.parent is not None and below.set_id not in seen:
            seen.add(below.set_id)
            below = good.get(below.parent)
        if below is not None and below.kind is Kind.FULL:
            return row.consistent_at
    return None
