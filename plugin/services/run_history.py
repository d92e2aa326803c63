"""
The runs of all schedules in one history, page by page.

The catalog's rows give the order; to them come the runs of which only Airflow knows: those that wait, and those that
failed before their backup began.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import Execution
from airflow_backup.catalog.runs.history import Wanted
from airflow_backup.catalog.stores.probe import Place
from airflow_backup.core.clock import utc_now
from airflow_backup.core.ids import dag_id
from airflow_backup.core.words import ExecutionStatus
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.airflow.records import AirflowRun
from airflow_backup.plugin.kept.kept import orders_of
from airflow_backup.plugin.schemas.runs import RunPage, RunSummary
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.views.briefs import written
from airflow_backup.plugin.views.listing import Filters, select_written
from airflow_backup.plugin.views.rhythms import schedule_of
from airflow_backup.plugin.views.rows import Row
from airflow_backup.plugin.views.run_filters import (
    AT_ONCE,
    RunChoice,
    RunFilters,
    cursor_of,
    is_chosen,
    place_of,
    run_place,
)
from airflow_backup.plugin.views.runs import history

_ROUNDS = 5
"""How often more is read for one page; one that is still short says where to go on."""

_LOOKS = 100
"""How often more is read for one export: a few seconds, whatever is asked for."""

MOST = 10_000
"""The most runs of one export."""

_OPEN = {status for status in ExecutionStatus if not status.is_final}
_FAILED = {ExecutionStatus.FAILED, ExecutionStatus.CANCELLED}


@dataclass(frozen=True, slots=True)
class _RunsRead:
    """Runs that were read from both sides, down to ``floor``, which is None where there are no more."""

    runs: list[RunSummary]
    floor: Place | None


def run_page(catalog: Catalog, session: Session, access: Access, filters: RunFilters) -> RunPage:
    """Read one page of the runs that the user may see; it may be shorter than asked for, and still not the last."""
    reader = _Reader(catalog, session, _rows(catalog, access, filters), filters)
    runs, end = reader.read(most=filters.limit, first=filters.limit, looks=_ROUNDS)
    return RunPage(now=reader.now, runs=runs, next_cursor=end)


def run_export(
    catalog: Catalog, session: Session, access: Access, choice: RunChoice
) -> tuple[list[RunSummary], str | None]:
    """
    Read at most ``MOST`` runs that the user may see; and say where to go on, where there may be more.

    It looks at no more than a request may cost: of a choice that few runs meet, an answer may have none and go on.
    """
    reader = _Reader(catalog, session, _rows(catalog, access, choice), choice)
    return reader.read(most=MOST, first=AT_ONCE, looks=_LOOKS)


def _start(choice: RunChoice) -> Place | None:
    """Return a place above all that is wanted."""
    if choice.cursor is not None:
        return place_of(choice.cursor)
    return None if choice.before is None else (choice.before, "", "")


def _rows(catalog: Catalog, access: Access, choice: RunChoice) -> dict[str, Row]:
    """Return the schedules that are seen and wanted, by the ids of their DAGs."""
    filters = Filters(q=choice.q, group=choice.group, tag=choice.tag, source=choice.source)
    rows = {row.id: row for row in queries.visible(catalog, access)}
    chosen = [each.id for each in select_written(map(written, rows.values()), filters)]
    return {dag_id(name): rows[name] for name in chosen if choice.schedule in (None, name)}


class _Reader:
    """Reads both sides for one request."""

    def __init__(
        self, catalog: Catalog, session: Session, rows: dict[str, Row], choice: RunChoice
    ) -> None:
        self._catalog, self._session = catalog, session
        self._rows, self._choice = rows, choice
        self.now = utc_now()
        wanted = set(choice.status)
        self._asks_open = not wanted or bool(wanted & _OPEN)
        self._asks_failed = not wanted or bool(wanted & _FAILED)
        self._wanted = Wanted(
            schedules=[row.id for row in rows.values()],
            # What the catalog has as open may be over by what Airflow knows; what failed and goes on, Airflow lists.
            statuses=wanted | _OPEN if wanted else (),
            triggers=choice.trigger,
            kinds=choice.kind,
            not_before=choice.after,
            until=choice.before,
        )

    def read(self, *, most: int, first: int, looks: int) -> tuple[list[RunSummary], str | None]:
        """Read at most ``most`` runs in as many looks, the first for ``first``; and say where to go on, if anywhere."""
        found: list[RunSummary] = []
        below = _start(self._choice)
        for turn in range(looks):
            look = self.look(below=below, limit=AT_ONCE if turn else first)
            found += look.runs
            below = look.floor
            if below is None or len(found) >= most:
                break
        end = run_place(found[most - 1]) if len(found) > most else below
        return found[:most], None if end is None else cursor_of(end)

    def look(self, *, below: Place | None, limit: int) -> _RunsRead:
        """Read down to where at least ``limit`` runs of one side are."""
        executions = self._catalog.history.page(self._wanted, limit=limit + 1, below=below)
        floor = None
        if len(executions) > limit:
            executions.pop()
            floor = _place(executions[-1])
        alone, failed_floor = self._known_to_airflow(below, floor, limit)
        floor = max(filter(None, (floor, failed_floor)), default=None)
        runs = [
            run
            for run in self._joined(executions, alone)
            if is_chosen(run, self._choice)
            and (below is None or run_place(run) < below)
            and (floor is None or run_place(run) >= floor)
        ]
        return _RunsRead(sorted(runs, key=run_place, reverse=True), floor)

    def _known_to_airflow(
        self, below: Place | None, floor: Place | None, limit: int
    ) -> tuple[list[AirflowRun], Place | None]:
        """Return the runs that the catalog may not know; and down to where, if there are very many that failed."""
        found = airflow_reads.active_runs(self._session, self._rows) if self._asks_open else []
        if not self._asks_failed:
            return found, None
        oldest = [moment for moment in (self._choice.after, floor and floor[0]) if moment]
        failed = airflow_reads.failed_runs(
            self._session,
            self._rows,
            not_before=max(oldest, default=None),
            below=below and (below[0], dag_id(below[1]), below[2]),
            limit=limit + 1,
        )
        if len(failed) <= limit:
            return found + failed, None
        last = failed[-2]
        return found + failed[:-1], (last.since, self._rows[last.dag_id].id, last.run_id)

    def _joined(self, executions: list[Execution], seen: list[AirflowRun]) -> Iterable[RunSummary]:
        known = {(dag_id(each.schedule_id), each.run_id): each for each in executions}
        runs = {(run.dag_id, run.run_id): run for run in seen}
        more = airflow_reads.runs_by_id(self._session, list(known.keys() - runs.keys()))
        runs |= {(run.dag_id, run.run_id): run for run in more}
        missing = [(self._rows[dag].id, run_id) for dag, run_id in runs.keys() - known.keys()]
        for each in self._catalog.executions.of_runs(missing).values():
            known[dag_id(each.schedule_id), each.run_id] = each
        told = airflow_reads.progress(self._session, [run for run in runs.values() if run.active])
        orders = orders_of(self._catalog, runs.values())
        for key in known.keys() | runs.keys():
            execution, run = known.get(key), runs.get(key)
            yield from history(
                [] if execution is None else [execution],
                [] if run is None else [run],
                now=self.now,
                progress=told,
                schedule=schedule_of(self._rows[key[0]].definition),
                orders=orders,
            )


def _place(execution: Execution) -> Place:
    return execution.since, execution.schedule_id, execution.run_id
