"""One schedule as the user describes it: what, when, where to, how long kept, how proven."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from airflow_backup.core.text.names import quoted
from airflow_backup.core.words import Kind
from airflow_backup.schedules.model.base import (
    WHOLE,
    ConnectionId,
    Count,
    Duration,
    HostName,
    Model,
    Name,
    PlaceName,
    PoolName,
    TimezoneName,
    Words,
)
from airflow_backup.schedules.model.calendars import Calendar
from airflow_backup.schedules.model.cron import CronExpression
from airflow_backup.schedules.model.limits import AtOnce, Throttle
from airflow_backup.schedules.model.notify import Notice, listed
from airflow_backup.schedules.model.policies import (
    Compression,
    Encryption,
    Levels,
    Objectives,
    Retention,
    Retry,
    Signing,
    Verify,
)
from airflow_backup.schedules.model.presets import PRESETS
from airflow_backup.schedules.model.repository_url import check_repository
from airflow_backup.schedules.model.sources import Source
from airflow_backup.schedules.model.windows import MOST_OPENINGS, Window, openings_a_week


class Schedule(Model):
    """What is backed up, when and how."""

    id: Name
    """The name of the schedule; its DAG is `backup__<id>`."""

    description: Words | None = None
    """What this protects, for people."""

    group: Name | None = None
    """A name under which schedules are listed and switched together."""

    tags: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=90)]], Field(max_length=100)
    ] = []
    """Tags of the DAG."""

    source: Source
    """What is backed up: the engine's name and its options."""

    repository: Annotated[str, Field(pattern=r"^[a-z][a-z0-9+]*://.+$", max_length=2000)]
    """The storage URL under which sets lie, for example `file:///var/backups` or `s3://bucket/backups`."""

    connection: ConnectionId | None = None
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

    window: Annotated[list[Window], Field(max_length=1000)] = []
    """Weekly times in which a backup may start; always when empty."""

    outside_window: Literal["wait", "skip"] = "wait"
    """What to do when a run is due outside the window."""

    finish_in_window: Literal["finish", "stop"] = "finish"
    """What to do with a backup that still runs when the window closes."""

    skip_on: Annotated[list[Calendar], Field(max_length=100)] = []
    """Calendars on whose days no backup runs."""

    missed: Literal["skip", "run_once"] = "skip"
    """What to do about slots that passed while the schedule could not run."""

    missed_grace: Duration = timedelta(days=1)
    """A missed slot older than this is not made up for."""

    priority: Annotated[int, Field(ge=0, le=255), WHOLE] = 100
    """Which backup goes first when not all may run: 255 before 0."""

    host: HostName | None = None
    """
    The machine whose data this is: a run on another one is refused. `any` says that the path is the same one on all
    machines, such as a network share. When missing, a run on another machine than the one before takes a full set.
    """

    queue: PlaceName | None = None
    """The queue of the workers that have its data; they take all its tasks. Airflow's default queue when missing."""

    executor: PlaceName | None = None
    """The executor that runs them, where Airflow has several; its first one when missing."""

    pool: PoolName | None = None
    """The Airflow pool whose slots limit how many such tasks work at once, in place of `backup`."""

    executor_config: Name | None = None
    """A template for the executor, such as volumes of a pod, by its name in `[backup] executor_configs`."""

    after: Annotated[list[Name], Field(max_length=1000)] = []
    """Run when these schedules have completed, instead of at a time."""

    max_duration: Duration | None = None
    """Stop a backup that runs longer than this; the time in which it is paused does not count."""

    max_pause: Duration = timedelta(hours=4)
    """A paused backup goes on by itself after this: it may hold a transaction or a lock on a server."""

    limits: AtOnce = AtOnce()
    """How many backups work at once on the same repository, and read from the same host; the others wait."""

    throttle: Throttle = Throttle()
    """How fast the backup may be, and how much it gives way to other work on its machine."""

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

    signing: Signing | None = None
    """Who signs the manifests of sets; they are not signed when missing."""

    checksum: Literal["sha256", "sha512", "sha1", "md5", "blake3"] = "sha256"
    """The checksum of pieces."""

    alert_after: Duration | None = None
    """
    The schedule is late when its newest good set is older than this. When missing: twice the longest gap between runs,
    and the usual duration of one.
    """

    objectives: Objectives = Objectives()
    """What is promised of the schedule's sets."""

    notify: Annotated[list[Notice], Field(max_length=20), BeforeValidator(listed)] = []
    """Who is told when something happens to the schedule; nobody when missing."""

    disable_after_failures: Count | None = None
    """Disable the schedule after this many failures in a row; when its newest set becomes too old, it is `broken`."""

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
            raise ValueError(f"no preset {quoted(preset)}; there are {', '.join(sorted(PRESETS))}")
        return preset

    @field_validator("every")
    @classmethod
    def _at_least_a_second(cls, every: timedelta | None) -> timedelta | None:
        if every is not None and every < timedelta(seconds=1):
            raise ValueError("`every` is shorter than one second")
        return every

    @field_validator("skip_on")
    @classmethod
    def _calendar_files_have_names(cls, calendars: list[Calendar]) -> list[Calendar]:
        if any(calendar.ics is not None for calendar in calendars):
            raise ValueError(
                "a calendar file needs a name; write it below `calendars:`, and the name here"
            )
        return calendars

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
    def _as_many_openings_as_can_be_reckoned(self) -> Schedule:
        count = openings_a_week(self.window, timezone=self.timezone)
        if count > MOST_OPENINGS:
            raise ValueError(
                f"`window` opens {count:,} times a week, and at most {MOST_OPENINGS:,} are reckoned; "
                "windows that touch each other count as one"
            )
        return self

    @model_validator(mode="after")
    def _one_limit_of_age(self) -> Schedule:
        if self.alert_after is not None and self.objectives.rpo is not None:
            raise ValueError("`alert_after` and `objectives.rpo` are the same; write one of them")
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

    @property
    def rpo(self) -> timedelta | None:
        """How old the newest good set may become, where that is written."""
        return self.alert_after if self.objectives.rpo is None else self.objectives.rpo

    def crons(self) -> dict[Kind, str]:
        """Return the cron expression of each kind; empty for `every` and `after`."""
        if self.levels is not None:
            return self.levels.by_kind()
        cron = PRESETS[self.preset].cron if self.preset is not None else self.cron
        return {} if cron is None else {self.kind or Kind.FULL: cron}

    def definition(self) -> dict[str, Any]:
        """Return the effective schedule as plain JSON data, without what is merely default."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def digest(self) -> str:
        """Return the version of the effective schedule: what says the same has the same."""
        return digest_of(self.definition())


def digest_of(definition: Mapping[str, Any] | None) -> str:
    """
    Return the SHA-256 of an effective schedule as plain data.

    >>> digest_of({"id": "wiki", "priority": 7})[:8] == digest_of({"priority": 7, "id": "wiki"})[:8]
    True
    """
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _listed(keys: list[str]) -> str:
    return " and ".join(f"`{key}`" for key in keys)
