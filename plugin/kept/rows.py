"""Every schedule by its definition: read again when what is deployed or saved is no longer what it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import Any

from airflow_backup.catalog import Catalog
from airflow_backup.plugin.views.briefs import WrittenBrief, written
from airflow_backup.plugin.views.rhythms import schedule_of
from airflow_backup.plugin.views.rows import Row, join
from airflow_backup.schedules.model.schedule import Schedule


class AllRows:
    """All schedules, in order of their ids, and what follows from their definitions alone."""

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self.rows = rows
        self.by_id: Mapping[str, Row] = {row.id: row for row in rows}
        self.remembered: dict[str, tuple[Any, float, Any]] = {}
        """Further answers that follow from these rows and from what else was given: by name, that, when, the answer."""

    @cached_property
    def schedules(self) -> Mapping[str, Schedule]:
        """Those that are right, or were, by id."""
        found = ((row.id, schedule_of(row.definition)) for row in self.rows)
        return {name: schedule for name, schedule in found if schedule is not None}

    @cached_property
    def followers(self) -> frozenset[str]:
        """Those that run after others."""
        return frozenset(name for name, schedule in self.schedules.items() if schedule.after)

    @cached_property
    def follows(self) -> Mapping[str, Sequence[str]]:
        """What each of those waits for, by id."""
        return {name: self.schedules[name].after for name in self.followers}

    @cached_property
    def written(self) -> Mapping[str, WrittenBrief]:
        """What is written about each, by id."""
        return {row.id: written(row) for row in self.rows}


class RowReader:
    """Reads them, and keeps them as long as they are true."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._mark: object = None
        self._found = AllRows()

    def all(self, catalog: Catalog) -> AllRows:
        """Return all rows; a row that is as it was is the one that was."""
        with self._lock:
            # Read before the rows: what is written meanwhile is read with them, or makes the next mark another one.
            mark = catalog.deployed.mark(), catalog.schedules.mark()
            if mark != self._mark:
                before = self._found.by_id
                found = join(catalog.deployed.all(), catalog.schedules.all())
                kept = [old if (old := before.get(row.id)) == row else row for row in found]
                self._found, self._mark = AllRows(kept), mark
            return self._found
