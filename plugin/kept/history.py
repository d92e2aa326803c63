"""What the catalog says of each schedule's runs and sets: read again of those that changed."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.changes import KEPT, Mark
from airflow_backup.catalog.run_records import Execution
from airflow_backup.catalog.stores.standings import Standing
from airflow_backup.plugin.views.briefs import LOOK_BACK

_READ_ALL_EVERY = 600.0
"""
Seconds after which everything is read again, whatever changed: a database may have been put back from a copy.

Less than half of the hour for which changes are noted.
"""
assert timedelta(seconds=_READ_ALL_EVERY) < KEPT / 2

_STEP = timedelta(seconds=1)
"""A clock that goes back by more was set."""


@dataclass(frozen=True, slots=True)
class ScheduleHistory:
    """The last executions of one schedule, and its sets."""

    past: tuple[Execution, ...]
    """The newest first: as many executions as it takes to know how the last one went; no slots that passed."""

    last_good: Execution | None
    standing: Standing


class HistoryReader:
    """Reads the history of all schedules, and keeps what did not change. One thread at a time."""

    def __init__(self) -> None:
        self._mark: Mark | None = None
        self._histories: dict[str, ScheduleHistory] = {}
        self._read_at = -_READ_ALL_EVERY
        self._now: datetime | None = None

    def of(
        self, catalog: Catalog, ids: Collection[str], *, now: datetime
    ) -> Mapping[str, ScheduleHistory]:
        """Return the histories of these schedules, which are all there are."""
        moment = time.monotonic()
        is_old = moment - self._read_at > _READ_ALL_EVERY
        went_back = self._now is not None and now < self._now - _STEP
        mark, changed = catalog.changes.since(None if is_old or went_back else self._mark)
        wanted = set(ids)
        kept = (
            {}
            if changed is None
            else {name: each for name, each in self._histories.items() if name in wanted}
        )
        old = (changed or set()) | self._outdated(now)
        found = kept | read_histories(catalog, (wanted - kept.keys()) | (old & wanted), now=now)
        # Only what was read whole counts: of a look that fails, the next one reads the same again.
        if changed is None:
            self._read_at = moment
        self._mark, self._histories, self._now = mark, found, now
        return found

    def _outdated(self, now: datetime) -> set[str]:
        """Return those of which a set counts now that did not, for its moment had not come."""
        return {
            name
            for name, each in self._histories.items()
            if each.standing.sets.until is not None and each.standing.sets.until <= now
        }


def read_histories(
    catalog: Catalog, ids: Collection[str], *, now: datetime
) -> dict[str, ScheduleHistory]:
    """Read the histories of some schedules."""
    if not ids:
        return {}
    standings = catalog.standings.of(ids, now=now)
    last = catalog.executions.last(ids)
    unclear = {name for name, each in last.items() if not each.is_conclusive}
    further = catalog.executions.recent(unclear, limit=LOOK_BACK)
    good = catalog.executions.last_good(last)
    return {
        name: ScheduleHistory(
            past=tuple(further[name]) if name in unclear else tuple(filter(None, [last.get(name)])),
            last_good=good.get(name),
            standing=standings[name],
        )
        for name in ids
    }
