"""What is proven of each schedule: the last good set, how it was verified, how long a restore took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import SetRow, Verification
from airflow_backup.catalog.rules.recovery import Path, recovery_path
from airflow_backup.core.durations import format_duration
from airflow_backup.core.words import Kind, VerificationOutcome


class Reported(Protocol):
    """What a report needs to know of a schedule."""

    @property
    def id(self) -> str: ...
    @property
    def repository(self) -> str: ...
    @property
    def alert_after(self) -> timedelta | None: ...
    @property
    def enabled(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleReport:
    """What is proven of one schedule, at one moment."""

    schedule_id: str
    engine: str | None
    verdict: str
    """`proven`, `unproven`, `at risk` or `nothing`: what a person reads first."""

    why: str
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
    schedules: Iterable[Reported], catalog: Catalog, *, now: datetime
) -> list[ScheduleReport]:
    """Report on each schedule, in the order given."""
    return [_of(schedule, catalog, now=now) for schedule in schedules]


def _of(schedule: Reported, catalog: Catalog, *, now: datetime) -> ScheduleReport:
    rows = [row for row in catalog.sets.of(schedule.id) if row.state != "deleting"]
    newest = recovery_path(rows, now)
    good = newest.sets[-1] if isinstance(newest, Path) else None
    passed = catalog.verifications.of_schedule(
        schedule.id, outcome=VerificationOutcome.PASSED, limit=1
    )
    verified = passed[0] if passed else None
    test = catalog.verifications.last_restore_test(schedule.id)
    failed = _still_failed(rows, catalog, schedule.id)
    verdict, why = _verdict(schedule, good, verified, failed, now=now)
    return ScheduleReport(
        schedule_id=schedule.id,
        engine=rows[0].engine if rows else None,
        verdict=verdict,
        why=why,
        last_good_at=None if good is None else good.consistent_at,
        last_good_set=None if good is None else good.set_id,
        last_verified_at=None if verified is None else verified.finished_at,
        last_verified_set=None if verified is None else verified.set_id,
        last_verified_level=None if verified is None else str(verified.level),
        last_failure=None if failed is None else failed.reason,
        last_restore_test_at=None if test is None else test.finished_at,
        last_restore_test_outcome=None if test is None else str(test.outcome),
        last_restore_seconds=None if test is None else test.details.get("restore_seconds"),
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


def _verdict(
    schedule: Reported,
    good: SetRow | None,
    verified: Verification | None,
    failed: Verification | None,
    *,
    now: datetime,
) -> tuple[str, str]:
    if good is None:
        return "nothing", "there is no set that can be restored"
    age = now - good.consistent_at
    if schedule.alert_after is not None and schedule.enabled and age > schedule.alert_after:
        return "at risk", (
            f"the last good set is {format_duration(age)} old, "
            f"and the limit is {format_duration(schedule.alert_after)}"
        )
    if failed is not None and failed.started_at > good.finished_at:
        return "at risk", f"set '{failed.set_id}' failed its {failed.level} verification"
    if good.verified_outcome is not VerificationOutcome.PASSED:
        since = "never was a set" if verified is None else "the last good set was not yet"
        return "unproven", f"{since} verified"
    return "proven", f"the last good set passed its {good.verified_level} verification"


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
