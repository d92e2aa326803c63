"""
Is what a schedule protects safe? The one answer that page, API, metrics, ``status``, ``report`` and monitor give. Pure.

It is judged by sets, never by runs: what completed and is gone protects nothing. Worst wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_backup.catalog.records import SetRow, Verification
from airflow_backup.catalog.rules.known import Known, KnownSets
from airflow_backup.core.text.durations import spoken
from airflow_backup.core.words import ProtectionState, VerificationOutcome

BADGE_AFTER = 3
"""Failures in a row from which a schedule carries a mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """How safe something is, why, and since when."""

    state: ProtectionState
    reason: str
    since: datetime
    needs_attention: bool
    deadline: timedelta
    late_at: datetime
    """When it is late, or became so, if nothing is stored until then."""

    last_good: SetRow | None = None
    """The newest set that can be restored with all that it needs."""

    last_restore_test: Verification | None = None
    """The newest that came to an answer."""

    failures_in_row: int = 0

    def seconds_until_late(self, now: datetime) -> float:
        """Return the seconds until it is late; negative when it is."""
        return (self.late_at - now).total_seconds()


def protection(known: Known, *, now: datetime) -> Protection:
    """Judge a schedule by the worst that is true at ``now``."""
    late_at = known.late_at
    state, reason, since = _worst(known, late_at, now)
    overdue = state is ProtectionState.NEVER and now > late_at and known.enabled is not False
    attention = state not in (ProtectionState.GOOD, ProtectionState.NEVER) or overdue
    return Protection(
        state=state,
        reason=reason,
        since=since,
        needs_attention=attention or known.failures_in_row > 0,
        deadline=known.deadline,
        late_at=late_at,
        last_good=known.sets.good,
        last_restore_test=known.last_restore_test,
        failures_in_row=known.failures_in_row,
    )


_Answer = tuple[ProtectionState, str, datetime]


def _worst(known: Known, late_at: datetime, now: datetime) -> _Answer:
    good = known.sets.good
    for answer in (
        _broken(known, late_at, now),
        _lost(known.sets),
        _never(known, late_at, now),
        _late(known, late_at, now),
    ):
        if answer is not None:
            return answer
    assert good is not None
    at_risk = _at_risk(known, good, now)
    return at_risk or (ProtectionState.GOOD, _good_words(known, good), good.consistent_at)


def _broken(known: Known, late_at: datetime, now: datetime) -> _Answer | None:
    good = known.sets.good
    if known.rejected is not None:
        why = f"rejected, and nothing runs: {known.rejected}"
        return ProtectionState.BROKEN, why, known.first_seen
    if known.enabled is False and good is not None and now > late_at:
        age = spoken(now - good.consistent_at)
        why = f"disabled, and its newest set is {age} old; the limit is {spoken(known.deadline)}"
        return ProtectionState.BROKEN, why, late_at
    return None


def _lost(sets: KnownSets) -> _Answer | None:
    good, newest = sets.good, sets.lost
    if newest is None:
        return None
    gone = (
        "1 set that was stored is"
        if sets.lost_count == 1
        else f"{sets.lost_count} sets that were stored are"
    )
    older = (
        ""
        if good is None
        else f"; the newest that is there is of {good.consistent_at:%Y-%m-%d %H:%M} UTC"
    )
    return ProtectionState.LOST, f"{gone} not there any more{older}", newest.lost_at


def _never(known: Known, late_at: datetime, now: datetime) -> _Answer | None:
    if known.sets.has_any:
        return None
    if known.failures_in_row:
        why = f"nothing was stored yet; the last {_times(known.failures_in_row)} failed: {known.last_error}"
    elif known.enabled is False:
        why = "nothing was stored yet, and it is disabled"
    elif now > late_at:
        why = f"nothing was stored yet, although it is there for {spoken(now - known.first_seen)}"
    else:
        why = "waits for its first backup"
    return ProtectionState.NEVER, why, known.first_seen


def _late(known: Known, late_at: datetime, now: datetime) -> _Answer | None:
    good = known.sets.good
    if good is None and known.sets.quarantined is not None:
        worse = known.sets.quarantined
        why = f"set '{worse.set_id}' failed its verification, and no other can be restored"
        return ProtectionState.AT_RISK, why, worse.verified_at or worse.finished_at
    if good is None:
        return ProtectionState.LATE, "no stored set can be restored", known.first_seen
    if now <= late_at:
        return None
    age = spoken(now - good.consistent_at)
    why = f"the newest good set is {age} old; the limit is {spoken(known.deadline)}"
    if known.failures_in_row:
        why += f"; the last {_times(known.failures_in_row)} failed: {known.last_error}"
    return ProtectionState.LATE, why, late_at


def _at_risk(known: Known, good: SetRow, now: datetime) -> _Answer | None:
    worse = known.sets.quarantined
    if worse is not None and worse.consistent_at > good.consistent_at:
        why = f"set '{worse.set_id}' failed its verification; the newest good one is of before"
        return ProtectionState.AT_RISK, why, worse.verified_at or worse.finished_at
    if known.outdated is not None:
        why = f"what is written is wrong, and the version before it runs: {known.outdated}"
        return ProtectionState.AT_RISK, why, known.first_seen
    return _unproven(known, good, now) or _untested(known, now)


def _unproven(known: Known, good: SetRow, now: datetime) -> _Answer | None:
    if not known.is_verified:
        return None
    if good.verified_outcome is VerificationOutcome.PASSED:
        return None
    if now <= known.unproven_at:
        return None
    if known.last_passed is None:
        return ProtectionState.AT_RISK, "no set was verified yet", known.unproven_at
    age, limit = now - known.last_passed.finished_at, known.verify_within
    why = f"the last verification that passed is {spoken(age)} old; the limit is {spoken(limit)}"
    return ProtectionState.AT_RISK, why, known.unproven_at


def _untested(known: Known, now: datetime) -> _Answer | None:
    limit, missed_at = known.test_within, known.untested_at
    if limit is None or missed_at is None:
        return None
    test = known.last_restore_test
    if test is not None and test.outcome is VerificationOutcome.FAILED:
        return (
            ProtectionState.AT_RISK,
            f"the last restore test failed: {test.reason}",
            test.finished_at,
        )
    if now <= missed_at:
        return None
    why = (
        "no restore was tested yet"
        if test is None
        else f"the last restore test is {spoken(now - test.finished_at)} old"
    )
    return ProtectionState.AT_RISK, f"{why}; the limit is {spoken(limit)}", missed_at


def _good_words(known: Known, good: SetRow) -> str:
    if known.failures_in_row:
        return f"the newest set is good, but the last {_times(known.failures_in_row)} failed: {known.last_error}"
    if known.enabled is False:
        return "disabled; the newest set is good"
    if good.verified_outcome is VerificationOutcome.PASSED:
        return f"the newest set is good, and passed its {good.verified_level} verification"
    return "the newest set is good"


def _times(count: int) -> str:
    return "run" if count == 1 else f"{count} runs"
