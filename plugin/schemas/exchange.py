"""What is asked and answered when schedules leave or come as a file, and which templates there are."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from airflow_backup.plugin.schemas.base import ApiModel
from airflow_backup.plugin.schemas.edits import FieldProblem, KeyChange
from airflow_backup.plugin.schemas.requests import DefinitionText

Outcome = Literal["created", "replaced", "unchanged", "skipped", "refused"]


class ImportRequest(DefinitionText):
    """A schedules file whose schedules are to be made here."""

    dry_run: bool = False
    """Only say what would become of each; nothing is saved."""
    on_conflict: Literal["fail", "skip", "replace"] = "fail"
    """
    What to do with a schedule that is here already and says something else: refuse the file, leave it, or change it.
    """


class ImportedSchedule(ApiModel):
    """What becomes of one schedule of the file."""

    schedule_id: str | None
    """Null where it has none."""
    line: int
    """Where it stands in the file."""
    outcome: Outcome
    detail: str | None = None
    """Why it is refused or skipped."""
    hint: str | None = None
    problems: list[FieldProblem] = []
    """What is wrong with it."""
    changes: list[KeyChange] = []
    """What replacing it changes."""


class ImportCounts(ApiModel):
    """How many schedules of a file come to what."""

    created: int = 0
    replaced: int = 0
    unchanged: int = 0
    skipped: int = 0
    refused: int = 0


class ImportResults(ApiModel):
    """What becomes of each schedule of the file, in its order."""

    dry_run: bool
    possible: bool
    """Whether none is refused: otherwise nothing is saved, also of the others."""
    saved: bool
    """Whether something was saved."""
    counts: ImportCounts
    problems: list[FieldProblem] = []
    """What is wrong with the file as a whole."""
    schedules: list[ImportedSchedule]


class TemplateInfo(ApiModel):
    """A whole schedule to begin with; its names of connections, places and paths are examples."""

    name: str
    title: str
    summary: str
    """What it does, in a sentence."""
    definition: Annotated[dict[str, Any], Field(description="as in a schedules file")]
    yaml: str
    """The same as a schedules file."""


class TemplateList(ApiModel):
    """Schedules to begin with."""

    templates: list[TemplateInfo]
