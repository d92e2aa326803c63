"""
The newest run of each DAG that is over.

Read again, between requests, of those DAGs alone whose runs began or ended meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow.models.dagrun import DagRun
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from airflow_backup.plugin.airflow.reads import airflow_runs, is_one_of, runs_query
from airflow_backup.plugin.airflow.records import ACTIVE, AirflowRun

_RECENT = timedelta(days=2)
_FEW = 500
"""So many DAGs are looked at one by one."""

_READ_ALL_EVERY = 600.0
"""Seconds after which all are read again: somebody may have deleted runs."""

_OVERLAP = 500
"""Runs become visible in another order than they were numbered, where several schedulers work."""


def last_runs(
    session: Session, dag_ids: Collection[str], *, now: datetime, known: Collection[tuple[str, str]]
) -> list[AirflowRun]:
    """
    Look up the newest run of each DAG that is over.

    ``known`` are runs, by DAG id and run id, of which nobody wants to know how their tasks went.
    """
    numbers = [number for number, _ in last_over(session, dag_ids, now=now).values()]
    query = runs_query().where(is_one_of(session, DagRun.id, numbers))
    return airflow_runs(session, query, known=known)


def last_over(
    session: Session, dag_ids: Collection[str], *, now: datetime
) -> dict[str, tuple[int, str]]:
    """Return number and id of the newest run of each DAG that is over."""
    wanted = set(dag_ids)
    found: dict[str, tuple[int, str]] = {}
    if len(wanted) > _FEW:
        # Most DAGs ran in the last days, which an index finds; only of the others all runs are looked at.
        found = _read(session, DagRun.run_after > now - _RECENT)
        found = {name: found[name] for name in found.keys() & wanted}
    others = sorted(wanted - found.keys())
    return found | _read(session, is_one_of(session, DagRun.dag_id, others)) if others else found


def _read(session: Session, condition: Any) -> dict[str, tuple[int, str]]:
    place = func.row_number().over(partition_by=DagRun.dag_id, order_by=DagRun.run_after.desc())
    runs = (
        select(DagRun.id, DagRun.dag_id, DagRun.run_id, place.label("place"))
        .where(condition, DagRun._state.not_in(ACTIVE))
        .subquery()
    )
    query = select(runs.c.dag_id, runs.c.id, runs.c.run_id).where(runs.c.place == 1)
    return {name: (number, run_id) for name, number, run_id in session.execute(query)}


class NewestRuns:
    """The newest run of each DAG that is over, kept between looks. One thread at a time."""

    def __init__(self) -> None:
        self._newest: dict[str, str] = {}
        self._known: set[str] = set()
        self._active: set[str] = set()
        self._seen: set[int] = set()
        self._read_at = -_READ_ALL_EVERY

    def of(
        self, session: Session, dag_ids: Collection[str], *, active: Collection[str], now: datetime
    ) -> Mapping[str, str]:
        """
        Return run ids by DAG id; a DAG without such a run is missing.

        ``active`` are the DAGs that have a run that goes on.
        """
        wanted, moment = set(dag_ids), time.monotonic()
        is_old = moment - self._read_at > _READ_ALL_EVERY
        seen, began = self._began(session, is_old=is_old)
        old = wanted if began is None else wanted & (began | self._active | set(active))
        old |= wanted - self._known
        found = last_over(session, old, now=now)
        # Only what was read whole counts: of a look that fails, the next one reads the same again.
        same = wanted - old
        kept = {name: run_id for name, run_id in self._newest.items() if name in same}
        self._newest = kept | {name: run_id for name, (_, run_id) in found.items()}
        self._active, self._known, self._seen = set(active), wanted, seen
        if began is None:
            self._read_at = moment
        return self._newest

    def _began(self, session: Session, *, is_old: bool) -> tuple[set[int], set[str] | None]:
        """Return the last runs by number, and the DAGs of those that are new; None where nobody can tell."""
        newest = max(self._seen, default=0)
        last = session.scalar(select(func.max(DagRun.id))) or 0
        first = last if is_old or last < newest else newest
        query = select(DagRun.id, DagRun.dag_id).where(DagRun.id > first - _OVERLAP)
        runs = {row.id: row.dag_id for row in session.execute(query)}
        seen = {number for number in runs if number > last - _OVERLAP}
        if is_old or last < newest:
            return seen, None
        return seen, {name for number, name in runs.items() if number not in self._seen}
