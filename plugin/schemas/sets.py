"""What the API answers about sets: what they are, what is proven of them, what keeps them, what they restore."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow_backup.core.words import Kind, ProtectionState, VerificationLevel, VerificationOutcome
from airflow_backup.plugin.schemas.base import ApiModel


class SetSummary(ApiModel):
    """One stored set."""

    set_id: str
    kind: Kind
    engine: str
    consistent_at: datetime
    """The moment of the source that it restores."""
    finished_at: datetime
    parent: str | None
    """The set that it is a change of."""
    base: str | None
    """The full set under its chain."""
    files: int
    bytes_read: int
    bytes_stored: int
    warnings: int
    state: str
    """`good`, `quarantined` or `deleting`."""
    pinned: bool
    locked_until: datetime | None
    """Nobody removes it before."""
    host: str | None
    """The machine on which it was read."""
    verified_at: datetime | None
    verified_level: VerificationLevel | None
    verified_outcome: VerificationOutcome | None
    unrestorable: str | None = None
    """Why it cannot be restored, for example that a set which it needs is damaged; null where it can."""


class Span(ApiModel):
    """A time of which any moment can be restored."""

    since: datetime
    until: datetime


class SetPermissions(ApiModel):
    """What the user who asks may do with the sets of a schedule."""

    verify: bool
    pin: bool
    lock: bool
    """Let nobody remove a set before a moment; cannot be taken back."""
    restore: bool


class SetList(ApiModel):
    """The sets of a schedule, the newest first."""

    schedule_id: str
    total: int
    bytes_stored: int
    """Of all of them, not only of those listed."""
    spans: list[Span]
    """The times through which archived logs reach, the oldest first."""
    permissions: SetPermissions
    sets: list[SetSummary]


class VerificationNote(ApiModel):
    """One look at a set."""

    level: VerificationLevel
    outcome: VerificationOutcome
    reason: str | None
    started_at: datetime
    finished_at: datetime
    bytes_read: int
    proven: str | None
    """The highest level whose checks were all made and passed."""
    restore_seconds: float | None
    """How long a restore test took to bring the source back."""
    isolation: list[str]
    """What held a restore test apart from the machine: own user, no network, landlock, limits."""
    damages: list[dict[str, Any]]
    """Every damaged block: kind, file, piece, offset, length, what, concerns."""


class PieceFacts(ApiModel):
    """One object of a set."""

    name: str
    stream: str
    size: int
    checksum: str


class SetDetail(SetSummary):
    """All that is known of one set."""

    schedule_id: str
    run_id: str
    chain: list[SetSummary]
    """What restores it: the full set first, itself last."""
    pieces: list[PieceFacts]
    counts: dict[str, int]
    """What the source held: rows by table."""
    notes: list[str]
    """The warnings of its backup."""
    verifications: list[VerificationNote]


class Place(ApiModel):
    """Workers that can restore: those of one or more schedules."""

    id: str
    """The DAG that restores there; `POST /sets/{set_id}/restore` takes it as `place`."""
    queue: str | None
    """Null where schedules name none: Airflow's default."""
    executor: str | None
    pool: str | None
    executor_config: str | None
    hosts: list[str]
    """On which hosts schedules with these workers ran last; of the first few of them."""
    schedules: int
    """How many schedules that you may read name these workers."""


class PlaceList(ApiModel):
    """Where a restore can write."""

    places: list[Place]


class RecoveryPlan(ApiModel):
    """What brings a schedule's source back to a moment, or why nothing does."""

    schedule_id: str
    at: datetime
    consistent_at: datetime | None
    """The moment that comes back, at most `at`; null where nothing does."""
    sets: list[SetSummary]
    """The sets in the order in which they are applied."""
    bytes_to_read: int
    seconds: float | None
    """About how long it takes."""
    measured: bool
    """Whether that comes from a restore that was measured, or from an assumed rate."""
    gaps: list[str]
    """Why newer sets are not used, or why nothing restores the moment."""
    earliest: datetime | None
    """The first moment after it that can be restored, where this one cannot."""
    takes_paths: bool
    """Whether files and folders of it can be restored without the rest."""
    command: str
    """What restores it from a shell."""


class RetentionVerdict(ApiModel):
    """What becomes of one set, and why."""

    set_id: str
    kind: Kind
    consistent_at: datetime
    bytes_stored: int
    kept: bool
    reasons: list[str]


class RetentionView(ApiModel):
    """What is kept and why, by the schedule's own rules or by others that are tried."""

    schedule_id: str
    policy: dict[str, Any] | None
    """The rules that were applied; null where the schedule has none, and keeps everything."""
    tried: bool
    """Whether these are not the schedule's own rules."""
    refused: str | None
    """Why nothing is removed now, for example because the clock cannot be trusted."""
    removed: int
    bytes_removed: int
    bytes_kept: int
    sets: list[RetentionVerdict]


class Pinned(ApiModel):
    """What keeps a set beside the rules."""

    set_id: str
    pinned: bool
    locked_until: datetime | None


class ScheduleProof(ApiModel):
    """What is proven of one schedule."""

    schedule_id: str
    engine: str | None
    protection: ProtectionState
    why: str
    since: datetime
    late_at: datetime
    is_proven: bool
    """Whether it is good, and its newest good set passed a verification."""
    rpo_promised: float | None
    """How old the newest good set may become, in seconds; null where that is not written."""
    rpo_achieved: float | None
    rto_promised: float | None
    rto_achieved: float | None
    """How long the last restore test took, in seconds."""
    last_good_at: datetime | None
    last_good_set: str | None
    last_verified_at: datetime | None
    last_verified_set: str | None
    last_verified_level: str | None
    last_failure: str | None
    last_restore_test_at: datetime | None
    last_restore_test_outcome: str | None
    last_restore_seconds: float | None
    oldest_recoverable: datetime | None
    newest_recoverable: datetime | None
    sets: int
    chains: int
    quarantined: int
    bytes_stored: int


class ReportSummary(ApiModel):
    """What is proven of every schedule that you may read."""

    now: datetime
    sentence: str
    reports: list[ScheduleProof]
