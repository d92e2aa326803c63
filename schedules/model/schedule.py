"""One schedule as the user describes it: what, when, where to, how long kept, how proven."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from airflow_backup.core.errors import ConfigError
from airflow_backup.core.format.age import recipient
from airflow_backup.core.words import Kind, VerificationLevel
from airflow_backup.schedules.model.base import Duration, Model, Name, Size, TimezoneName
from airflow_backup.schedules.model.calendars import Calendar
from airflow_backup.schedules.model.cron import CronExpression
from airflow_backup.schedules.model.presets import PRESETS
from airflow_backup.schedules.model.repository_url import check_repository
from airflow_backup.schedules.model.sources import Source
from airflow_backup.schedules.model.windows import Window


class Retry(Model):
    """How often, and how late, a failed run is tried again."""

    max_retries: Annotated[int, Field(ge=0, le=20)] = 3
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

    @model_validator(mode="after")
    def _caps_are_caps(self) -> Retry:
        if self.max_delay < self.delay:
            raise ValueError("`max_delay` is shorter than `delay`")
        if self.network_max_delay < self.network_delay:
            raise ValueError("`network_max_delay` is shorter than `network_delay`")
        return self


class Retention(Model):
    """Which sets survive a prune. A set is kept when any rule keeps it."""

    last: Annotated[int, Field(ge=1)] | None = None
    """Keep this many newest sets, whatever their age."""

    hourly: Annotated[int, Field(ge=1)] | None = None
    """Keep the newest set of each of this many hours."""

    daily: Annotated[int, Field(ge=1)] | None = None
    """Keep the newest set of each of this many days."""

    weekly: Annotated[int, Field(ge=1)] | None = None
    """Keep the newest set of each of this many weeks."""

    monthly: Annotated[int, Field(ge=1)] | None = None
    """Keep the newest set of each of this many months."""

    yearly: Annotated[int, Field(ge=1)] | None = None
    """Keep the newest set of each of this many years."""

    within: Duration | None = None
    """Keep every set younger than this."""

    max_age: Duration | None = None
    """Remove sets older than this even when another rule would keep them."""

    max_bytes: Size | None = None
    """Remove the oldest sets until the schedule stores at most this much."""

    lock: Duration | None = None
    """Let nobody remove a set younger than this: written into each set, and not undone by a later change of the rules."""

    min_chains: Annotated[int, Field(ge=1)] = 1
    """Never go below this many recoverable chains, whatever the other rules say."""


class Verify(Model):
    """How sets are proven."""

    level: Literal["none", "quick", "standard", "full"] = "standard"
    """How thoroughly each set is checked after the backup."""

    every: Annotated[int, Field(ge=1)] = 1
    """Check every n-th set."""

    restore_test: Literal["never", "daily", "weekly", "monthly"] | None = None
    """How often a set is restored into a throwaway place and compared."""

    share: Annotated[int, Field(ge=1, le=1000)] | None = None
    """With each verification also read one share of this many of every other set that is kept, so that every stored byte is read again in this many verifications."""

    assertions: list[str] = []
    """SQL queries that a restore test asks of the restored database; the first value of each must be true."""

    scratch: Annotated[str, Field(pattern=r"^/")] | None = None
    """The folder below which sets are decoded and restored for a test; the system's temporary folder when missing."""

    @property
    def verification_level(self) -> VerificationLevel | None:
        """The level as the rest of the code names it; None when sets are not checked."""
        return None if self.level == "none" else VerificationLevel(self.level)


class Compression(Model):
    """How hard sets are compressed, with zstd."""

    level: Annotated[int, Field(ge=1, le=19)] = 3
    """From 1, fast, to 19, small; above 6 a backup takes several times as long."""


class Encryption(Model):
    """To whom sets are encrypted, in the age format; the worker needs the public keys only."""

    recipients: Annotated[list[str], Field(min_length=1)]
    """Public keys, as `age-keygen` prints them. Any one of the secret keys opens a set."""

    key_file: str | None = None
    """Where a restore finds the secret key; a backup never reads it."""

    connection: str | None = None
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


class Schedule(Model):
    """What is backed up, when and how."""

    id: Name
    """The name of the schedule; its DAG is `backup__<id>`."""

    description: str | None = None
    """What this protects, for people."""

    group: Name | None = None
    """A name under which schedules are listed and switched together."""

    tags: list[Annotated[str, Field(min_length=1, max_length=90)]] = []
    """Tags of the DAG."""

    source: Source
    """What is backed up: the engine's name and its options."""

    repository: Annotated[str, Field(pattern=r"^[a-z][a-z0-9+]*://.+$")]
    """The storage URL under which sets lie, for example `file:///var/backups` or `s3://bucket/backups`."""

    connection: str | None = None
    """The Airflow connection with the credentials of the repository."""

    timezone: TimezoneName = "UTC"
    """The zone in which times are meant."""

    kind: Kind | None = None
    """What one run takes; `full` unless told otherwise. Not together with `levels`."""

    cron: CronExpression | None = None
    """When to run: five fields, or six with seconds first."""

    every: Duration | None = None
    """Run in a steady rhythm, for example `45m`, anchored to the clock."""

    preset: str | None = None
    """Run at well-known times, for example `daily` or `weekday_hourly`."""

    levels: Levels | None = None
    """A cron expression for each kind, instead of `cron`, `every` or `preset`."""

    jitter: Duration = timedelta(0)
    """Shift every run by an offset below this, always the same for this schedule."""

    window: list[Window] = []
    """Weekly times in which a backup may start; always when empty."""

    outside_window: Literal["wait", "skip"] = "wait"
    """What to do when a run is due outside the window."""

    finish_in_window: Literal["finish", "stop"] = "finish"
    """What to do with a backup that still runs when the window closes."""

    skip_on: list[Calendar] = []
    """Calendars on whose days no backup runs."""

    missed: Literal["skip", "run_once"] = "skip"
    """What to do about slots that passed while the schedule could not run."""

    missed_grace: Duration = timedelta(days=1)
    """A missed slot older than this is not made up for."""

    priority: Annotated[int, Field(ge=0, le=255)] = 100
    """Which backup goes first when not all may run: 255 before 0."""

    after: list[Name] = []
    """Run when these schedules have completed, instead of at a time."""

    max_duration: Duration | None = None
    """Stop a backup that runs longer than this."""

    retry: Retry = Retry()
    """How often, and how late, a failed run is tried again."""

    retention: Retention | None = None
    """Which sets are kept; all of them when missing."""

    verify: Verify = Verify()
    """How sets are proven."""

    compression: Compression | Literal["none"] = Compression()
    """How hard pieces are compressed; `none` for what is compressed already."""

    encryption: Encryption | None = None
    """To whom pieces are encrypted; they are not when missing."""

    checksum: Literal["sha256", "sha512", "sha1", "md5", "blake3"] = "sha256"
    """The checksum of pieces."""

    alert_after: Duration | None = None
    """The schedule is stale when its last good set is older than this."""

    disable_after_failures: Annotated[int, Field(ge=1)] | None = None
    """Disable the schedule after this many failures in a row; it stays stale."""

    enabled: bool = True
    """The state in which the DAG is first created; after that, the toggle decides."""

    @field_validator("repository")
    @classmethod
    def _a_place_that_we_write_to(cls, url: str) -> str:
        return check_repository(url)

    @field_validator("tags")
    @classmethod
    def _each_tag_once(cls, tags: list[str]) -> list[str]:
        return sorted(set(tags))

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, preset: str | None) -> str | None:
        if preset is not None and preset not in PRESETS:
            raise ValueError(f"no preset {preset!r}; there are {', '.join(sorted(PRESETS))}")
        return preset

    @field_validator("every")
    @classmethod
    def _at_least_a_second(cls, every: timedelta | None) -> timedelta | None:
        if every is not None and every < timedelta(seconds=1):
            raise ValueError("`every` is shorter than one second")
        return every

    @model_validator(mode="after")
    def _one_answer_to_when(self) -> Schedule:
        given = [
            key for key in ("cron", "every", "preset", "levels") if getattr(self, key) is not None
        ]
        if len(given) > 1:
            raise ValueError(f"write only one of {_listed(given)}")
        if not given and not self.after:
            raise ValueError(
                "when does it run? write `cron`, `every`, `preset`, `levels` or `after`"
            )
        if given and self.after:
            raise ValueError(f"`after` and {_listed(given)} exclude each other")
        if self.levels is not None and self.kind is not None:
            raise ValueError("`kind` and `levels` exclude each other; the levels name the kinds")
        return self

    @model_validator(mode="after")
    def _the_source_has_the_kinds(self) -> Schedule:
        possible = self.source.kinds
        if possible is None:
            return self  # the engine itself says so when a run begins
        wanted = {self.kind or Kind.FULL} if self.levels is None else set(self.levels.by_kind())
        for kind in sorted(wanted - possible):
            raise ValueError(
                f"no {kind} set can be taken of this source, only {', '.join(sorted(possible))}"
            )
        return self

    def crons(self) -> dict[Kind, str]:
        """Return the cron expression of each kind; empty for `every` and `after`."""
        if self.levels is not None:
            return self.levels.by_kind()
        cron = PRESETS[self.preset].cron if self.preset is not None else self.cron
        return {} if cron is None else {self.kind or Kind.FULL: cron}

    def definition(self) -> dict[str, Any]:
        """Return the effective schedule as plain JSON data, without what is merely default."""
        return self.model_dump(mode="json", exclude_defaults=True)


def _listed(keys: list[str]) -> str:
    return " and ".join(f"`{key}`" for key in keys)
