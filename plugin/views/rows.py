"""
One list out of two: what is deployed, and what was saved here and is about to be.

A file wins where an id is in both; what was deleted here is gone at once, though its DAG lives a moment longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_backup.catalog.records import Deployed, ScheduleVersion
from airflow_backup.plugin.schemas.schedules import State
from airflow_backup.schedules.loading.loaded import CATALOG


@dataclass(frozen=True)
class Row:
    """One schedule: where it comes from, what it says, whether that is what runs."""

    id: str
    definition: Mapping[str, Any]
    state: State
    file: str
    line: int = 1
    problems: Sequence[Mapping[str, Any]] = ()
    made: ScheduleVersion | None = None
    """The saved version; None for a schedule from a file."""
    clash: bool = False
    """Whether a schedule of this id was also saved here, which the file hides."""

    @property
    def origin(self) -> str:
        """Where it was written, for people."""
        return CATALOG if self.made is not None else f"{self.file}:{self.line}"


def join(deployed: Iterable[Deployed], made: Iterable[ScheduleVersion]) -> list[Row]:
    """Join both sides by id, in its order."""
    live = {item.id: item for item in deployed}
    saved = {item.id: item for item in made}
    found = (row_of(live.get(name), saved.get(name)) for name in sorted({*live, *saved}))
    return [row for row in found if row is not None]


def row_of(live: Deployed | None, saved: ScheduleVersion | None) -> Row | None:
    """Join what is known of one id; None when it is nowhere, or was deleted."""
    if saved is not None and saved.is_deleted:
        saved = None
    if live is None:
        return None if saved is None else _pending(saved)
    if live.file != CATALOG:
        return _from_file(live, clash=saved is not None)
    if saved is None:
        return None
    if live.definition != saved.definition and saved.created_at > live.seen_at:
        return _pending(saved)
    return Row(
        id=live.id,
        definition=saved.definition,
        state=State(live.state),
        file=live.file,
        problems=live.problems,
        made=saved,
    )


def _pending(saved: ScheduleVersion) -> Row:
    return Row(saved.id, saved.definition, State.PENDING, CATALOG, made=saved)


def _from_file(live: Deployed, *, clash: bool) -> Row:
    return Row(
        id=live.id,
        definition=live.definition,
        state=State(live.state),
        file=live.file,
        line=live.line,
        problems=live.problems,
        clash=clash,
    )
