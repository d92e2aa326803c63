"""What the API accepts as bodies: always a JSON object."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from airflow_backup.core.words import Kind, VerificationLevel
from airflow_backup.plugin.schemas.base import ApiModel, Id, Moment, Reason


class ToggleRequest(ApiModel):
    """Enable or disable a schedule."""

    enabled: bool


class RunRequest(ApiModel):
    """Run a schedule now."""

    kind: Kind | None = None
    """What to take; what the schedule takes when missing."""
    note: Annotated[str, Field(max_length=1000)] | None = None
    """For those who read the history."""


class SkipRequest(ApiModel):
    """Skip the next run."""

    reason: Reason | None = None
    """For those who wonder."""


class PauseRequest(ApiModel):
    """Start nothing until a moment."""

    until: Moment
    reason: Reason | None = None
    """For those who wonder."""


class OrderRequest(ApiModel):
    """Tell a run to wait, or to stop."""

    reason: Reason | None = None
    """For those who wonder; it stays in the history."""


class MaintenanceRequest(ApiModel):
    """Stop and start everything."""

    enabled: bool
    until: Moment | None = None
    """When it ends by itself; when it is ended, if missing."""
    reason: Reason | None = None
    """For those who wonder."""

    @model_validator(mode="after")
    def _only_to_begin(self) -> Self:
        if not self.enabled and (self.until is not None or self.reason is not None):
            raise ValueError("`until` and `reason` go with a maintenance that begins")
        return self


class CloneRequest(ApiModel):
    """Make a copy of a schedule."""

    id: Id
    """The id of the copy."""


class DefinitionText(ApiModel):
    """A definition as somebody types it."""

    yaml: Annotated[str, Field(max_length=200_000)]


MOST_AT_ONCE = 2000
"""How many schedules can be named at once."""


class BulkRequest(ApiModel):
    """Do the same to several schedules, named by exactly one of ids, group and tag."""

    action: Literal["enable", "disable", "run", "skip_next", "pause"]
    ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_AT_ONCE)] | None = None
    group: Id | None = None
    tag: Annotated[str, Field(max_length=90)] | None = None
    until: Moment | None = None
    """Until when `pause` holds them."""
    reason: Reason | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if sum(given is not None for given in (self.ids, self.group, self.tag)) != 1:
            raise ValueError("name the schedules by one of `ids`, `group` and `tag`")
        if (self.action == "pause") != (self.until is not None):
            raise ValueError("`until` goes with `pause`, and `pause` needs it")
        return self


class VerifyRequest(ApiModel):
    """Verify a set now."""

    level: VerificationLevel = VerificationLevel.FULL


class RestoreRequest(ApiModel):
    """Restore a set."""

    target: Annotated[str, Field(min_length=1, max_length=1000)]
    """A new folder below one of `[backup] restore_roots`, or `connection:ID/database`."""
    confirm: Annotated[str, Field(max_length=63)]
    """The schedule's id, typed once more."""
    paths: Annotated[
        list[Annotated[str, Field(max_length=4096)]], Field(default_factory=list, max_length=1000)
    ]
    """Only these files and folders; everything when empty."""
    at: Moment | None = None
    """The moment that is meant; then whatever sets bring it back are taken, archived logs among them."""
    despite_quarantine: bool = False
    """Restore a set that failed its verification."""
    place: Annotated[str, Field(min_length=1, max_length=250)] | None = None
    """On which workers: an `id` of `GET /places`; on those of the set's schedule when missing."""


class PinRequest(ApiModel):
    """Keep a set whatever the rules of retention say."""

    pinned: bool | None = None
    lock_until: Moment | None = None
    """Let nobody remove it before, at most thirty years from now; cannot be taken back."""
    confirm: Annotated[str, Field(max_length=63)] | None = None
    """The schedule's id, typed: a lock needs it."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.pinned is None and self.lock_until is None:
            raise ValueError("say `pinned` or `lock_until`")
        return self


def _whole(given: dict[str, Any]) -> dict[str, Any]:
    """Refuse halves of characters, which JSON can write: no file holds them, and no answer could name them."""
    try:
        json.dumps(given, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a text in it has half of a character") from None
    return given


Definition = Annotated[dict[str, Any], AfterValidator(_whole)]
"""A schedule as it stands in a schedules file."""

DefinitionOrText = Annotated[DefinitionText | Definition, Field(union_mode="left_to_right")]


class Nothing(ApiModel):
    """An empty object: a change needs a JSON body, also when there is nothing to say."""
