"""
How every schedule is, for those who ask about all: counted, filtered and sorted without reading all of them anew.

What is shown of a schedule is made from what is read for it alone; a test holds the two together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy.orm import Session

from airflow_backup.actions.report.protection import known_of
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import Hold
from airflow_backup.catalog.rules.protection import Protection, protection
from airflow_backup.catalog.run_records import Order
from airflow_backup.catalog.sums import Sums
from airflow_backup.core.ids import dag_id, schedule_id_of
from airflow_backup.plugin.airflow import reads
from airflow_backup.plugin.airflow.newest_runs import NewestRuns
from airflow_backup.plugin.airflow.records import AirflowDag, AirflowRun
from airflow_backup.plugin.kept.history import HistoryReader, ScheduleHistory
from airflow_backup.plugin.kept.rows import AllRows, RowReader
from airflow_backup.plugin.views.briefs import Listed, Settled, brief
from airflow_backup.plugin.views.rhythms import coming
from airflow_backup.plugin.views.rows import Row
from airflow_backup.plugin.views.schedules import enabled_of, subject_of
from airflow_backup.schedules.times.holds import holds_on, skips

_LONGEST = timedelta(hours=1)
"""How long an answer is kept that no known moment ends."""


class Inputs(NamedTuple):
    """All that an answer about one schedule follows from, but for the time."""

    row: Row
    history: ScheduleHistory
    enabled: bool | None
    newest_run: str | None
    """The newest run that Airflow says is over."""

    holds: tuple[Hold, ...]
    runs: tuple[AirflowRun, ...]
    """Those that go on."""

    all_rows: AllRows | None
    """Of a schedule that runs after others: those."""

    def is_same(self, other: Inputs) -> bool:
        """Whether the same follows from both; what is read again only where it changed is the very same then."""
        return (
            not (self.runs or other.runs)  # what goes on says something else all the time
            and self.row is other.row
            and self.history is other.history
            and self.enabled is other.enabled
            and self.newest_run == other.newest_run
            and self.holds == other.holds
            and self.all_rows is other.all_rows
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """How a schedule is, and while that is true."""

    inputs: Inputs
    since: datetime
    until: datetime
    judged: Protection
    brief: Listed | None
    """None where more has to be read."""

    def is_true(self, inputs: Inputs, now: datetime) -> bool:
        """Whether it is still the answer."""
        return self.since <= now < self.until and self.inputs.is_same(inputs)


@dataclass(frozen=True, slots=True)
class AllAnswers:
    """What was seen of all schedules in one moment."""

    now: datetime
    dags: Mapping[str, AirflowDag]
    """By DAG id."""

    holds: Mapping[str, Sequence[Hold]]
    answers: Mapping[str, Answer]
    """By schedule id."""


class Kept:
    """Keeps what was found of all schedules of one catalog until it changes. Shared between threads."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._rows = RowReader()
        self._histories = HistoryReader()
        self._newest_runs = NewestRuns()
        self._answers: dict[str, Answer] = {}
        self._sums_lock = Lock()
        self._sums: dict[str, tuple[ScheduleHistory, Sums]] = {}

    def rows(self, catalog: Catalog) -> AllRows:
        """Return every schedule by its definition."""
        return self._rows.all(catalog)

    def look(self, catalog: Catalog, session: Session) -> AllAnswers:
        """See how all schedules are."""
        with self._lock:
            now, rows = self._clock(), self._rows.all(catalog)
            dags, active = reads.our_dags(session), reads.our_active_runs(session)
            newest = self._newest_runs.of(
                session, dags, active={run.dag_id for run in active}, now=now
            )
            holds = catalog.holds.all_active(now=now)
            histories = self._histories.of(catalog, rows.by_id, now=now)
            orders = orders_of(catalog, active)
            going = defaultdict[str, list[AirflowRun]](list)
            for run in active:
                going[run.dag_id].append(run)
            answers: dict[str, Answer] = {}
            for row in rows.rows:
                dag = dag_id(row.id)
                inputs = Inputs(
                    row,
                    histories[row.id],
                    enabled_of(dags.get(dag)),
                    newest.get(dag),
                    tuple(holds_on(holds, row.id)) if holds else (),
                    tuple(going[dag]) if dag in going else (),
                    rows if row.id in rows.followers else None,
                )
                kept = self._answers.get(row.id)
                is_true = kept is not None and kept.is_true(inputs, now)
                answers[row.id] = (
                    kept if kept and is_true else answer(inputs, rows, orders, now=now)
                )
            self._answers = answers
            return AllAnswers(now, dags, holds, answers)

    def sums(self, catalog: Catalog, look: AllAnswers) -> Mapping[str, Sums]:
        """Return what is stored of all schedules, in figures; added up anew where something changed."""
        # A lock of its own: who has read Airflow's database holds a connection of its pool, and may not wait here for
        # somebody who waits for one of those.
        with self._sums_lock:
            histories = {name: each.inputs.history for name, each in look.answers.items()}
            kept = {
                name: found
                for name, each in histories.items()
                if (found := self._sums.get(name)) is not None and found[0] is each
            }
            read = catalog.sums.of(histories.keys() - kept.keys())
            self._sums = kept | {name: (histories[name], found) for name, found in read.items()}
            return {name: found for name, (_, found) in self._sums.items()}


def answer(
    inputs: Inputs, rows: AllRows, orders: Mapping[tuple[str, str], Order], *, now: datetime
) -> Answer:
    """Judge a schedule at ``now``, and say how long that holds if nothing else changes."""
    row, history = inputs.row, inputs.history
    subject = subject_of(row, inputs.enabled)
    known = known_of(subject, history.standing, others=rows.schedules, now=now)
    judged = protection(known, now=now)
    found = brief(
        row,
        _settled(inputs, orders, now),
        judged,
        enabled=inputs.enabled,
        holds=inputs.holds,
        now=now,
    )
    ends = [now + _LONGEST, known.next_limit(now)]
    if found is not None and found.next_run is not None:
        ends.append(found.next_run.at)
    if found is not None and skips(inputs.holds):
        # Of the coming slots the first is skipped: once it has passed, and the hold is still there, it is another one.
        ends += [each.at for each in coming(rows.schedules[row.id], after=now, count=1)]
    if history.standing.first_seen is None:
        ends.append(now)  # it counts as seen at each look
    return Answer(inputs, now, min(filter(None, ends)), judged, found)


def _settled(
    inputs: Inputs, orders: Mapping[tuple[str, str], Order], now: datetime
) -> Settled | None:
    history, newest = inputs.history, inputs.newest_run
    if not inputs.runs:
        return Settled.of(history.past, history.last_good, newest_run=newest)
    return Settled.going(
        history.past, history.last_good, newest_run=newest, runs=inputs.runs, orders=orders, now=now
    )


def orders_of(catalog: Catalog, runs: Iterable[AirflowRun]) -> dict[tuple[str, str], Order]:
    """Return what runs were told last, by DAG id and run id: runs that are due together have one run id."""
    keys = [
        (schedule_id_of(run.dag_id) or "", run.run_id)
        for run in runs
        if run.active or run.state == "failed"  # an order to others changed nothing
    ]
    found = catalog.orders.newest(keys)
    return {(dag_id(schedule_id), run_id): order for (schedule_id, run_id), order in found.items()}


# What is kept knows no catalog, so that it ends with its own.
_kept: WeakKeyDictionary[Catalog, Kept] = WeakKeyDictionary()
_lock = Lock()


def kept_of(catalog: Catalog, *, clock: Callable[[], datetime]) -> Kept:
    """Return what is kept of an open catalog: one for all requests."""
    with _lock:
        found = _kept.get(catalog)
        if found is None:
            found = _kept[catalog] = Kept(clock=clock)
        return found
