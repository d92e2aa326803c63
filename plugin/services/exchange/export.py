"""Writes the schedules that a user may read as one schedules file, with a note of each that is not in it as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import NotFound
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.schemas.schedules import State
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.views.listing import ExportChoice, Filters
from airflow_backup.plugin.views.rhythms import schedule_of
from airflow_backup.plugin.views.rows import Row
from airflow_backup.plugin.views.secrets import without_passwords
from airflow_backup.schedules.export.schedules_file import schedules_file


@dataclass(frozen=True)
class Exported:
    """A schedules file, and how many of the chosen schedules are not in it."""

    text: str
    left_out: int


def export(catalog: Catalog, session: Session, access: Access, choice: ExportChoice) -> Exported:
    """Write the chosen schedules; NotFound when one is asked for that the user may not read."""
    narrowed = choice.model_dump(exclude={"schedule", "made"})
    rows, ids, _ = queries.wanted(catalog, session, access, Filters(**narrowed))
    by_id = {row.id: row for row in rows}
    for name in choice.schedule:
        if name not in by_id:
            raise NotFound(f"no schedule {name!r}", hint="GET /backup/api/v1/schedules lists them")
    named = set(choice.schedule)
    chosen = [by_id[name] for name in ids if not named or name in named]
    return written(
        row for row in chosen if choice.made is None or choice.made == (row.made is not None)
    )


def written(rows: Iterable[Row]) -> Exported:
    """Write schedules; what could not be read again is left out, and its head says so."""
    given = list(rows)
    right = [row for row in given if schedule_of(row.definition) is not None]
    shown = [(row, without_passwords(row.definition)) for row in right]
    notes = [*_left_out(given), *_not_as_written(right)]
    notes += [
        f"`{row.id}`: a password stands in it as `***`; it is not exported"
        for row, definition in shown
        if definition != row.definition
    ]
    text = schedules_file((definition for _, definition in shown), notes=notes)
    return Exported(text, left_out=len(given) - len(right))


def _left_out(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        if schedule_of(row.definition) is None:
            why = f": {row.problems[0]['message']}" if row.problems else ""
            yield f"`{row.id}` is left out, for what is written in {row.origin} is wrong{why}"


def _not_as_written(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        if row.state is State.LAST_KNOWN_GOOD:
            yield f"`{row.id}` is as it last was right; what is written in {row.origin} now is wrong"
