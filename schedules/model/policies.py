"""The parts of a schedule that say how: retries, retention, verification, compression, encryption, levels."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from airflow_backup.core.errors import ConfigError
from airflow_backup.core.format.age import recipient
from airflow_backup.core.format.signing import public_key
from airflow_backup.core.words import Kind, VerificationLevel
from airflow_backup.schedules.model.base import (
    WHOLE,
    AbsolutePath,
    ConnectionId,
    Count,
    Duration,
    Model,
    Size,
    Words,
)
from airflow_backup.schedules.model.cron import CronExpression

RetriedClass = Literal[
    "network",
    "throttled",
    "locked",
    "space",
    "permission",
    "not_found",
    "config",
    "source_changed",
    "tool",
    "corrupt",
    "time",
    "unknown",
]
"""The class of a failure; what a person cancelled is never tried again."""


class ClassRetry(Model):
    """How often, and how late, a run is tried again that failed in one way."""

    max_retries: Annotated[int, Field(ge=0, le=20), WHOLE] | None = None
    """Attempts after the first one; 0 never tries again; as for the others when missing."""

    delay: Duration | None = None
    """Wait before the first retry; as for the others when missing."""

    max_delay: Duration | None = None
    """Never wait longer than this between attempts; as for the others when missing."""


class Retry(Model):
    """How often, and how late, a failed run is tried again."""

    max_retries: Annotated[int, Field(ge=0, le=20), WHOLE] = 3
    """Attempts after the first one."""

    delay: Duration = timedelta(seconds=30)
    """Wait before the first retry."""

    max_delay: Duration = timedelta(minutes=2)
    """Never wait longer than this between attempts."""

    network_delay: Duration = timedelta(seconds=60)
    """Wait before the first retry after a network error, a throttled request or a lock."""

    network_max_delay: Duration = timedelta(minutes=5)
    """Never wait longer than this after a network error."""

    exponential: bool = True
    """Double the wait from attempt to attempt."""

    jitter: Annotated[float, Field(ge=0, le=1)] = 0.2
    """
    Wait shorter by up to this share of the delay, by chance, so that what failed together is not tried again
    together.
    """

    classes: dict[RetriedClass, ClassRetry] = {}
    """Other rules for one class of failures, for example `space: {max_retries: 2, delay: 10m}`."""

    @model_validator(mode="after")
    def _caps_are_caps(self) -> Retry:
        if self.max_delay < self.delay:
            raise ValueError("`max_delay` is shorter than `delay`")
        if self.network_max_delay < self.network_delay:
            raise ValueError("`network_max_delay` is shorter than `network_delay`")
        for name, rule in self.classes.items():
            if rule.delay and rule.max_delay and rule.max_delay < rule.delay:
                raise ValueError(f"`max_delay` of `{name}` is shorter than its `delay`")
        return self

    @property
    def most_retries(self) -> int:
        """How many retries a run may have, whatever it fails of."""
        return max([self.max_retries, *(rule.max_retries or 0 for rule in self.classes.values())])


class Retention(Model):
    """Which sets survive a prune. A set is kept when any rule keeps it."""

    last: Count | None = None
    """Keep this many newest sets, whatever their age."""

    hourly: Count | None = None
    """Keep the newest set of each of this many hours."""

    daily: Count | None = None
    """Keep the newest set of each of this many days."""

    weekly: Count | None = None
    """Keep the newest set of each of this many weeks."""

    monthly: Count | None = None
    """Keep the newest set of each of this many months."""

    yearly: Count | None = None
    """Keep the newest set of each of this many years."""

    within: Duration | None = None
    """Keep every set younger than this."""

    max_age: Duration | None = None
    """Remove sets older than this even when another rule would keep them."""

    max_bytes: Size | None = None
    """Remove the oldest sets until the schedule stores at most this much."""

    lock: Duration | None = None
    """
    Let nobody remove a set younger than this: written into each set, and not undone by a later change of the rules.
    """

    min_chains: Count = 1
    """Never go below this many recoverable chains, whatever the other rules say."""


class Verify(Model):
    """How sets are verified: levels, how often, and what a restore test asks."""

    level: Literal["none", "quick", "standard", "full"] = "standard"
    """How thoroughly each set is checked after the backup."""

    every: Count = 1
    """Check every n-th set."""

    restore_test: Literal["never", "daily", "weekly", "monthly"] | None = None
    """How often a set is restored into a temporary place and compared."""

    share: Annotated[int, Field(ge=1, le=1000), WHOLE] | None = None
    """
    With each verification also read one share of this many of every other set that is kept, so that every stored byte
    is read again in this many verifications.
    """

    assertions: Annotated[list[Words], Field(max_length=100)] = []
    """SQL queries that a restore test asks of the restored database; the first value of each must be true."""

    scratch: AbsolutePath | None = None
    """The folder below which sets are decoded and restored for a test; the system's temporary folder when missing."""

    @property
    def verification_level(self) -> VerificationLevel | None:
        """The level as the rest of the code names it; None when sets are not checked."""
        return None if self.level == "none" else VerificationLevel(self.level)


class Objectives(Model):
    """What is promised: how much may be lost, and how long a restore may take."""

    rpo: Duration | None = None
    """How old the newest good set may become (recovery point objective); `alert_after` is its short form."""

    rto: Duration | None = None
    """How long a restore may take (recovery time objective); restore tests measure it."""


class Compression(Model):
    """How hard sets are compressed, with zstd."""

    level: Annotated[int, Field(ge=1, le=19), WHOLE] = 3
    """From 1, fast, to 19, small; above 6 a backup takes several times as long."""


class Encryption(Model):
    """To whom sets are encrypted, in the age format; the worker needs the public keys only."""

    recipients: Annotated[
        list[Annotated[str, Field(max_length=4096)]], Field(min_length=1, max_length=100)
    ]
    """Public keys, as `age-keygen` prints them. Any one of the secret keys opens a set."""

    key_file: Annotated[str, Field(max_length=4096)] | None = None
    """Where a restore finds the secret key; a backup never reads it."""

    connection: ConnectionId | None = None
    """The Airflow connection that has the secret key as its password, for restores."""

    @field_validator("recipients")
    @classmethod
    def _each_is_a_public_key(cls, recipients: list[str]) -> list[str]:
        for text in recipients:
            if "SECRET" in text.upper():  # and it is not shown
                raise ValueError(
                    "this is a secret key, and others may have read it; make a new one"
                )
            try:
                recipient(text)
            except ConfigError as error:
                raise ValueError(error.message) from error
        return sorted(set(recipients))


class Signing(Model):
    """Who signs manifests, and whose signatures count (Ed25519); then a set that nobody of them signed is refused."""

    public_keys: Annotated[
        list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=100)
    ]
    """Public keys, as `airflow-backup keygen` prints them; a set must be signed by one of them."""

    key_file: AbsolutePath | None = None
    """Where those who back up find the private key; nobody else needs it."""

    connection: ConnectionId | None = None
    """The Airflow connection that has the private key (PEM) as its password, instead of `key_file`."""

    unsigned_before: Annotated[date, Field(ge=date(1970, 1, 1), le=date(2200, 1, 1))] | None = None
    """The day on which signing was turned on: sets that the catalog knows from before it count without a signature."""

    @field_validator("public_keys")
    @classmethod
    def _each_is_a_public_key(cls, keys: list[str]) -> list[str]:
        for text in keys:
            try:
                public_key(text)
            except ConfigError as error:
                raise ValueError(f"{error.message}; {error.hint}") from error
        return keys

    @model_validator(mode="after")
    def _one_private_key(self) -> Signing:
        if self.key_file is not None and self.connection is not None:
            raise ValueError("write either `key_file` or `connection`")
        return self


class Levels(Model):
    """A cron expression for each kind; when several are due at once, the most complete one runs."""

    full: CronExpression | None = None
    """When a full set is taken."""

    differential: CronExpression | None = None
    """When everything changed since the last full set is taken."""

    incremental: CronExpression | None = None
    """When everything changed since the last set is taken."""

    archive_log: CronExpression | None = None
    """When the archived log is collected."""

    @model_validator(mode="after")
    def _at_least_one(self) -> Levels:
        if not self.by_kind():
            raise ValueError('`levels` is empty; write for example full: "0 2 * * sun"')
        return self

    def by_kind(self) -> dict[Kind, str]:
        """Return the expressions, the most complete kind first."""
        every = {
            Kind.FULL: self.full,
            Kind.DIFFERENTIAL: self.differential,
            Kind.INCREMENTAL: self.incremental,
            Kind.ARCHIVE_LOG: self.archive_log,
        }
        return {kind: cron for kind, cron in every.items() if cron is not None}
