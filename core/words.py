"""The closed vocabularies: kinds, states, triggers. One spelling, used letter for letter."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """How much of the source a set holds."""

    FULL = "full"
    INCREMENTAL = "incremental"
    DIFFERENTIAL = "differential"
    ARCHIVE_LOG = "archive_log"


class ExecutionStatus(StrEnum):
    """Where one run of a schedule stands."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self in (
            ExecutionStatus.COMPLETED,
            ExecutionStatus.FAILED,
            ExecutionStatus.SKIPPED,
            ExecutionStatus.CANCELLED,
        )


class Trigger(StrEnum):
    """What started an execution."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    DEPENDENCY = "dependency"
    COMMAND_LINE = "command_line"


class VerificationLevel(StrEnum):
    """How thoroughly a set is checked."""

    QUICK = "quick"
    STANDARD = "standard"
    FULL = "full"
    RESTORE_TEST = "restore_test"

    @property
    def rank(self) -> int:
        """
        How much it proves; a higher one proves what the lower ones do.

        >>> VerificationLevel.FULL.rank > VerificationLevel.QUICK.rank
        True
        """
        return list(VerificationLevel).index(self)


class VerificationOutcome(StrEnum):
    """What a verification found."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class DamageKind(StrEnum):
    """What is wrong with something that was stored."""

    MISSING = "missing"
    CORRUPT = "corrupt"
    """Other bytes than were written."""

    TAMPERED = "tampered"
    """A manifest that can be read and is not the one that was written."""


class ProtectionState(StrEnum):
    """Whether what a schedule protects could be brought back as promised, in one word; the worst that is true."""

    BROKEN = "broken"
    """Nothing more will be stored: the schedule is rejected, or disabled while its sets become too old."""

    LOST = "lost"
    """Sets that were stored are not there any more, and no newer one is."""

    LATE = "late"
    """The newest set that can be restored is older than its limit."""

    AT_RISK = "at_risk"
    """There is a set, and its verification failed, or the last one that passed is too long ago."""

    NEVER = "never"
    """Nothing was stored yet."""

    GOOD = "good"
    """The newest set is young enough, and verified as asked."""


class EventKind(StrEnum):
    """What happened to a schedule, in the feed that page, webhooks and notifications read."""

    STARTED = "started"
    COMPLETED = "completed"
    RETRY = "retry"
    """A further attempt of the same run began."""

    FAILED = "failed"
    """An attempt failed, and the run is tried again."""

    FAILED_FINAL = "failed_final"
    """A run failed, and is not tried again."""

    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    STALE = "stale"
    """What it protects is not safe any more, or less than before; Airflow itself, when it serves nothing."""

    RECOVERED = "recovered"
    """What was told to be wrong is right again."""

    VERIFICATION_FAILED = "verification_failed"
    RESTORE_TESTED = "restore_tested"
    """A restore was tried, and it restored what was stored."""

    DISABLED = "disabled"
