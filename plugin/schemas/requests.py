"""What the API accepts as bodies: always a JSON object."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from airflow_backup.core.words import Kind, VerificationLevel
from airflow_backup.plugin.schemas.schedules import Model


class ToggleRequest(Model):
    """Enable or disable a schedule."""

    enabled: bool


class RunRequest(Model):
    """Run a schedule now."""

    kind: Kind | None = None
    """What to take; what the schedule takes when missing."""
    note: Annotated[str, Field(max_length=1000)] | None = None
    """For those who read the history."""


Reason = Annotated[str, Field(max_length=500)]


class SkipRequest(Model):
    """Skip the next run."""

    reason: Reason | None = None
    """For those who wonder."""


class PauseRequest(Model):
    """Start nothing until a moment."""

    until: AwareDatetime
    reason: Reason | None = None
    """For those who wonder."""


class MaintenanceRequest(Model):
    """Stop and start everything."""

    enabled: bool
    until: AwareDatetime | None = None
    """When it ends by itself; when it is ended, if missing."""
    reason: Reason | None = None
    """For those who wonder."""

    @model_validator(mode="after")
    def _only_to_begin(self) -> Self:
        if not self.enabled and (self.until is not None or self.reason is not None):
            raise ValueError("`until` and `reason` go with a maintenance that begins")
        return self


class CloneRequest(Model):
    """Make a copy of a schedule."""

    id: str
    """The id of the copy."""


class DefinitionText(Model):
    """A definition as somebody types it."""

    yaml: Annotated[str, Field(max_length=200_000)]


class BulkRequest(Model):
    """Do the same to several schedules, named by exactly one of ids, group and tag."""

    action: Literal["enable", "disable", "run", "skip_next", "pause"]
    ids: Annotated[list[str], Field(min_length=1, max_length=2000)] | None = None
    group: str | None = None
    tag: str | None = None
    until: AwareDatetime | None = None
    """Until when `pause` holds them."""
    reason: Reason | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if sum(given is not None for given in (self.ids, self.group, self.tag)) != 1:
            raise ValueError("name the schedules by one of `ids`, `group` and `tag`")
        if (self.action == "pause") != (self.until is not None):
            raise ValueError("`until` goes with `pause`, and `pause` needs it")
        return self


class VerifyRequest(Model):
    """Verify a set now."""

    level: VerificationLevel = VerificationLevel.FULL


class RestoreRequest(Model):
    """Restore a set."""

    target: Annotated[str, Field(min_length=1, max_length=1000)]
    """A new folder below one of `[backup] restore_roots`, or `connection:ID/database`."""
    confirm: Annotated[str, Field(max_length=63)]
    """The schedule's id, typed once more."""
    paths: Annotated[list[str], Field(default_factory=list, max_length=1000)]
    """Only these files and folders; everything when empty."""
    at: AwareDatetime | None = None
    """The moment that is meant; then whatever sets bring it back are taken, archived logs among them."""
    despite_quarantine: bool = False
    """Restore a set that failed its verification."""


class PinRequest(Model):
    """Keep a set whatever the rules of retention say."""

    pinned: bool | None = None
    lock_until: AwareDatetime | None = None
    """Let nobody remove it before; cannot be taken back."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.pinned is None and self.lock_until is None:
            raise ValueError("say `pinned` or `lock_until`")
        return self


Definition = dict[str, Any]
"""A schedule as it stands in a schedules file."""

DefinitionOrText = Annotated[DefinitionText | Definition, Field(union_mode="left_to_right")]


class Nothing(Model):
    """An empty object: a change needs a JSON body, also when there is nothing to say."""
