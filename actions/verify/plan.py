"""Which verifications a schedule's newest set gets after a backup, and why not others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from airflow_backup.catalog.records import SetRow, Verification
from airflow_backup.core.words import VerificationLevel, VerificationOutcome
from airflow_backup.schedules.model.policies import Verify

_PERIODS: dict[str, tuple[str, Callable[[datetime], object]]] = {
    "daily": ("day", lambda at: at.date()),
    "weekly": ("week", lambda at: at.isocalendar()[:2]),
    "monthly": ("month", lambda at: (at.year, at.month)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationPlan:
    """What a verification does now; ``reasons`` say why, in words for the log."""

    level: VerificationLevel | None
    restore_test: bool
    reasons: tuple[str, ...]

    @property
    def anything(self) -> bool:
        """Whether there is something to do."""
        return self.level is not None or self.restore_test


def plan_verification(
    policy: Verify,
    sets: Sequence[SetRow],
    last_test: Verification | None,
    *,
    now: datetime,
    timezone: str,
) -> VerificationPlan:
    """
    Plan the verification of the newest of ``sets``, which are given newest first.

    A restore test is planned once in each day, week or month of local time, with the first backup of that period.
    """
    level, about_level = _level(policy, sets)
    test, about_test = _restore_test(policy, last_test, now=now, zone=ZoneInfo(timezone))
    return VerificationPlan(level=level, restore_test=test, reasons=(about_level, about_test))


def _level(policy: Verify, sets: Sequence[SetRow]) -> tuple[VerificationLevel | None, str]:
    level = policy.verification_level
    if level is None:
        return None, "the schedule asks for no verification of its sets"
    since = 0
    for row in sets:
        if (
            row.verified_level is not None
            and row.verified_outcome is VerificationOutcome.PASSED
            and row.verified_level.rank >= level.rank
        ):
            break
        since += 1
    else:
        return level, f"{level}: no set was verified yet"
    if since == 0:
        return level, f"{level}: asked again"
    if since >= policy.every:
        return level, f"{level}: every {policy.every}. set"
    return None, f"{level} comes with every {policy.every}. set; this is number {since}"


def _restore_test(
    policy: Verify, last: Verification | None, *, now: datetime, zone: ZoneInfo
) -> tuple[bool, str]:
    if policy.restore_test in (None, "never"):
        return False, "the schedule asks for no restore test"
    noun, period = _PERIODS[policy.restore_test]
    if last is None:
        return True, "restore test: there was none yet"
    if period(last.finished_at.astimezone(zone)) == period(now.astimezone(zone)):
        return (
            False,
            f"the restore test of this {noun} was made at {last.finished_at:%Y-%m-%d %H:%M} UTC",
        )
    return True, f"restore test: the first of this {noun}"
