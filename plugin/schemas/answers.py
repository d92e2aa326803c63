"""What a person asks a worker to look at, and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from airflow_backup.core.words import Kind
from airflow_backup.engines.capabilities import EntryKind
from airflow_backup.plugin.schemas.base import ApiModel


class ContentsRequest(ApiModel):
    """Look into a set: what lies in a folder, or what has a name."""

    folder: Annotated[str, Field(max_length=4096)] = ""
    """The folder; the top of the set when empty."""
    find: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """A pattern of the shell's for names and paths, such as `*.pdf`; then everywhere."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.folder and self.find is not None:
            raise ValueError("`find` looks everywhere: leave `folder` out")
        return self


class DryRunRequest(ApiModel):
    """Say what a run of a schedule would do."""

    kind: Kind | None = None
    """What it would take; what the schedule takes when missing."""


class Entry(ApiModel):
    """Something in a set, or a folder and all that is below it."""

    path: str
    """As a restore takes it among its `paths`."""
    name: str
    kind: EntryKind
    size: int | None
    """Bytes of a file, or of all files below a folder; null for another name of the same file."""
    files: int | None
    """Files below a folder."""
    modified: datetime | None
    rows: int | None
    """Of a table."""
    restorable: bool
    """Whether it can be restored alone."""


class SetContents(ApiModel):
    """What is in a set."""

    set_id: str
    consistent_at: datetime
    total: int
    """How many there are; more than `entries`, which are the first 1,000 of them."""
    entries: list[Entry]


class Fault(ApiModel):
    """Something that is in the way."""

    message: str
    hint: str | None


class DryRunAnswer(ApiModel):
    """What a run would do."""

    schedule_id: str
    kind: Kind
    reason: str | None
    """Why another kind would be taken than was asked for."""
    host: str | None
    """The machine that looked."""
    repository_is_new: bool
    bytes_read: int | None
    """About how much a full set would read; null where the engine cannot tell."""
    files: int | None
    is_all: bool
    """Whether all of the source was looked at; it is at least so much where time was short."""
    unread: list[str]
    """What may not be read; the first few."""
    problems: list[Fault]
    """What would make it fail, as far as a look can tell: no file is read, and nothing is written to a storage."""


class Answer(ApiModel):
    """What became of a question."""

    dag_id: str
    run_id: str
    state: Literal["waiting", "running", "done", "failed"]
    problem: Fault | None
    """Why there is no answer, where it failed."""
    contents: SetContents | None
    dry_run: DryRunAnswer | None
