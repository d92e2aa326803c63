"""Decides what becomes of each schedule of a file, beside those that are there. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from airflow_backup.catalog.records import ScheduleVersion
from airflow_backup.core.errors import Refused
from airflow_backup.plugin.schemas.exchange import ImportedSchedule, Outcome
from airflow_backup.plugin.services import edits
from airflow_backup.plugin.services.exchange.file import Entry, without_password
from airflow_backup.plugin.views.rows import Row

OnConflict = Literal["fail", "skip", "replace"]


@dataclass(frozen=True)
class Known:
    """What there is already of the ids of a file, and what the user may do about it."""

    rows: Mapping[str, Row]
    newest: Mapping[str, ScheduleVersion]
    """Of each that was ever saved here, also where it was deleted."""
    foreign: Collection[str]
    """Those under which somebody else's DAG runs."""
    visible: Collection[str]
    replaceable: Collection[str]
    """Those that the user may change."""


@dataclass(frozen=True)
class Decision:
    """What becomes of one schedule, and what is saved for that."""

    result: ImportedSchedule
    definition: Mapping[str, Any] | None = None
    """What is saved; None where nothing is."""
    before: ScheduleVersion | None = None
    """The version after which it is saved."""


def decide(entries: Iterable[Entry], known: Known, *, on_conflict: OnConflict) -> list[Decision]:
    """Decide about each."""
    return [_decide(entry, known, on_conflict) for entry in entries]


def _decide(entry: Entry, known: Known, on_conflict: OnConflict) -> Decision:
    row = known.rows.get(entry.id or "")
    if row is not None and row.made is not None and row.id in known.visible and entry.definition:
        whole = edits.with_passwords(entry.definition, row.made.definition)
        entry = replace(entry, definition=whole)
    entry = without_password(entry)
    if entry.id is None or entry.definition is None:
        return _decision(entry, "refused", "what is written is wrong")
    try:
        return _beside(entry, entry.id, row, known, on_conflict)
    except Refused as error:
        return _decision(entry, "refused", error.message, error.hint)


def _beside(
    entry: Entry, schedule_id: str, row: Row | None, known: Known, on_conflict: OnConflict
) -> Decision:
    definition = entry.definition
    if schedule_id in known.foreign:
        edits.refuse_foreign(schedule_id, visible=schedule_id in known.visible)
    if row is None:
        newest = known.newest.get(schedule_id)
        return replace(_decision(entry, "created"), definition=definition, before=newest)
    is_visible = row.id in known.visible
    if is_visible and row.definition == definition:
        return _decision(entry, "unchanged")
    if is_visible and on_conflict == "skip":
        return _decision(entry, "skipped", f"it is there already: {row.origin}")
    if not is_visible or on_conflict != "replace" or row.made is None:
        edits.free_id(row, schedule_id, visible=is_visible)
    if schedule_id not in known.replaceable:
        raise Refused("your role does not allow to change schedules", hint="`skip` leaves it")
    return _replaced(entry, edits.editable(row))


def _replaced(entry: Entry, before: ScheduleVersion) -> Decision:
    definition = entry.definition or {}
    changes = edits.changed(before.definition, definition)
    result = _decision(entry, "replaced").result.model_copy(update={"changes": changes})
    return Decision(result, definition=definition, before=before)


def _decision(
    entry: Entry, outcome: Outcome, detail: str | None = None, hint: str | None = None
) -> Decision:
    result = ImportedSchedule(
        schedule_id=entry.id,
        line=entry.line,
        outcome=outcome,
        detail=detail,
        hint=hint,
        problems=entry.problems,
    )
    return Decision(result)
