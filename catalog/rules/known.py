"""What is known of a schedule and its sets, by which its protection is judged. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from airflow_backup.catalog.records import LostSet, SetRow, Verification
from airflow_backup.catalog.rules.recovery import RecoveryChain, recovery_chain

_PERIODS = {"daily": timedelta(days=1), "weekly": timedelta(days=7), "monthly": timedelta(days=31)}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSets:
    """What counts of a schedule's sets."""

    has_any: bool = False
    """Whether there is a set, good or not, or was one that is gone."""

    good: SetRow | None = None
    """The newest that can be restored with all that it needs."""

    quarantined: SetRow | None = None
    """The newest that failed its verification."""

    lost: LostSet | None = None
    """The newest that was stored and is not there any more."""

    lost_count: int = 0
    """How many are gone that were newer than the newest good one."""

    until: datetime | None = None
    """When a set counts that does not yet, for its moment is to come: a clock was ahead."""

    @classmethod
    def of(
        cls, rows: Sequence[SetRow], lost: Sequence[LostSet] = (), *, now: datetime
    ) -> KnownSets:
        """Sum up the sets of a schedule: ``rows`` are those of the newest good chain and all newer ones, at least."""
        kept = [row for row in rows if row.state != "deleting"]
        ahead = [row.consistent_at for row in kept if row.consistent_at > now]
        found = recovery_chain(kept, now)
        good = found.sets[-1] if isinstance(found, RecoveryChain) else None
        quarantined = _newest([row for row in kept if row.state == "quarantined"])
        summed = cls._with(good, lost, has_any=bool(kept or lost), quarantined=quarantined)
        return replace(summed, until=min(ahead, default=None))

    @classmethod
    def of_sound(cls, newest: SetRow | None, lost: Sequence[LostSet] = ()) -> KnownSets:
        """Sum up the sets of a schedule all of which are good and have what they need; ``newest`` is one of them."""
        return cls._with(newest, lost, has_any=newest is not None or bool(lost))

    @classmethod
    def _with(
        cls,
        good: SetRow | None,
        lost: Sequence[LostSet],
        *,
        has_any: bool,
        quarantined: SetRow | None = None,
    ) -> KnownSets:
        newer = [each for each in lost if good is None or each.consistent_at > good.consistent_at]
        return cls(
            has_any=has_any,
            good=good,
            quarantined=quarantined,
            lost=max(newer, key=lambda each: (each.consistent_at, each.set_id), default=None),
            lost_count=len(newer),
        )


def _newest(rows: Sequence[SetRow]) -> SetRow | None:
    return max(rows, key=lambda row: (row.consistent_at, row.set_id), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a schedule and of its sets."""

    first_seen: datetime
    """When the schedule was seen first: what never succeeded is late from its deadline on."""

    enabled: bool | None
    """None while it has no DAG."""

    rejected: str | None = None
    """Why what is written is wrong and nothing runs; None when it is right."""

    outdated: str | None = None
    """Why what is written is wrong, while the version before it runs on; None when it is right."""

    deadline: timedelta
    """The age at which the newest good set is late."""

    is_verified: bool = True
    """Whether the schedule asks for verifications."""

    verify_every: int = 1
    """Every how many sets are verified."""

    restore_test: str | None = None
    """``daily``, ``weekly``, ``monthly``, or None."""

    sets: KnownSets
    """What is stored, and what was and is gone."""

    last_passed: Verification | None = None
    """The newest verification that passed."""

    last_restore_test: Verification | None = None
    failures_in_row: int = 0
    last_error: str | None = None

    @property
    def late_at(self) -> datetime:
        """When it is late, or became so, if nothing is stored until then."""
        good = self.sets.good
        return (self.first_seen if good is None else good.consistent_at) + self.deadline

    @property
    def unproven_at(self) -> datetime:
        """When a verification that passed is missed, or was, if none passes until then."""
        passed = self.last_passed
        return (self.first_seen if passed is None else passed.finished_at) + self.verify_within

    @property
    def verify_within(self) -> timedelta:
        """How old the last verification that passed may be."""
        return self.deadline * self.verify_every

    @property
    def untested_at(self) -> datetime | None:
        """When a restore test is missed, or was, if there is none until then; None where none is asked for."""
        if self.test_within is None:
            return None
        test = self.last_restore_test
        return (self.first_seen if test is None else test.finished_at) + self.test_within

    @property
    def test_within(self) -> timedelta | None:
        """How old the last restore test may be; None where none is asked for."""
        return (
            None if self.restore_test is None else 2 * _PERIODS[self.restore_test] + self.deadline
        )

    def next_limit(self, now: datetime) -> datetime | None:
        """Return the next moment that passing may change the word, if nothing else changes until then."""
        limits = (self.late_at, self.unproven_at, self.untested_at)
        return min((each for each in limits if each is not None and each >= now), default=None)
