"""Read what the page needs, in a handful of queries whatever the number of schedules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain

from airflow.configuration import conf
from sqlalchemy.orm import Session

from airflow_backup.actions.backup.upstreams import waits
from airflow_backup.actions.report.protection import protections
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.rules.protection import Protection
from airflow_backup.catalog.run_records import Execution
from airflow_backup.catalog.sums import Sums
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import NotFound
from airflow_backup.core.ids import dag_id, schedule_id_of
from airflow_backup.core.words import ExecutionStatus
from airflow_backup.operators.shared.airflow_settings import catalog_url
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.airflow.newest_runs import last_runs
from airflow_backup.plugin.airflow.records import AirflowDag, AirflowRun
from airflow_backup.plugin.kept.kept import AllAnswers, kept_of, orders_of
from airflow_backup.plugin.kept.rows import AllRows
from airflow_backup.plugin.schemas.runs import RunList, RunSummary
from airflow_backup.plugin.schemas.schedules import Permissions, ScheduleDetail
from airflow_backup.plugin.views import schedules as schedule_views
from airflow_backup.plugin.views.briefs import LOOK_BACK, Listed, WrittenBrief
from airflow_backup.plugin.views.listing import (
    Ordered,
    is_written,
    select,
    select_written,
    sort,
    sort_written,
)
from airflow_backup.plugin.views.rhythms import schedule_of
from airflow_backup.plugin.views.rows import Row, join, row_of
from airflow_backup.plugin.views.runs import history
from airflow_backup.plugin.views.schedules import ScheduleData, enabled_of
from airflow_backup.schedules.loading.dependencies import Elsewhere
from airflow_backup.schedules.loading.spread import LocalThing, local_things, spreads


def visible(catalog: Catalog, access: Access) -> list[Row]:
    """List the schedules that the user may read."""
    return _readable(all_rows(catalog).rows, access, dags=airflow_reads.our_dags(access.session))


def all_visible(catalog: Catalog, session: Session, access: Access) -> tuple[list[Row], AllAnswers]:
    """List the schedules that the user may read, and see how all are."""
    look = kept_of(catalog, clock=utc_now).look(catalog, session)
    rows = [row for row in all_rows(catalog).rows if row.id in look.answers]
    return _readable(rows, access, dags=look.dags), look


def wanted(
    catalog: Catalog, session: Session, access: Access, filters: Ordered
) -> tuple[list[Row], list[str], Mapping[str, WrittenBrief]]:
    """
    Return all that the user may read, the ids of those that the filters ask for, in order, and what is written of
    each.
    """
    look = None
    if is_written(filters):
        every = visible(catalog, access)
    else:
        every, look = all_visible(catalog, session, access)
    briefs = all_rows(catalog).written
    rows = [row for row in every if row.id in briefs]  # one may have been deleted meanwhile
    chosen = select_written((briefs[row.id] for row in rows), filters)
    if look is None:
        return rows, [each.id for each in sort_written(chosen, filters)], briefs
    names = {each.id for each in chosen}
    asked = listed(catalog, session, [row for row in rows if row.id in names], look)
    return rows, [each.id for each in sort(select(asked, filters), filters)], briefs


def _readable(rows: Iterable[Row], access: Access, *, dags: Collection[str]) -> list[Row]:
    readable = access.readable((row.id for row in rows), existing=dags)
    return [
        row for row in rows if row.id in readable or access.has_just_made(row.made, existing=dags)
    ]


def listed(
    catalog: Catalog, session: Session, rows: Sequence[Row], look: AllAnswers
) -> list[Listed]:
    """Say how schedules are, in order; of those of which a brief cannot say it a whole summary is made."""
    short = {row.id: look.answers[row.id].brief for row in rows}
    others = [row for row in rows if short.get(row.id) is None]
    whole: dict[str, Listed] = {}
    if others:
        data = schedule_data(catalog, session, others)
        nobody = dict.fromkeys((row.id for row in others), NOBODY)
        summaries = schedule_views.summaries(others, data, permissions=nobody)
        whole = {each.id: each for each in summaries}
    return [short.get(row.id) or whole[row.id] for row in rows]


def one(catalog: Catalog, access: Access, schedule_id: str) -> Row:
    """Return a schedule; one that the user may not read does not exist for them."""
    row = row_of(catalog.deployed.get(schedule_id), catalog.schedules.newest(schedule_id))
    if row is None or not (access.readable([schedule_id]) or access.has_just_made(row.made)):
        raise NotFound(
            f"no schedule {schedule_id!r}", hint="GET /backup/api/v1/schedules lists them"
        )
    return row


def detail(catalog: Catalog, session: Session, access: Access, row: Row) -> ScheduleDetail:
    """Read all that is known about one schedule."""
    found = schedule_data(catalog, session, [row])
    return schedule_views.detail(row, found, permissions=access.permissions([row.id])[row.id])


def sums(catalog: Catalog, look: AllAnswers) -> Mapping[str, Sums]:
    """Return what is stored of all schedules that were looked at, in figures."""
    return kept_of(catalog, clock=utc_now).sums(catalog, look)


def all_rows(catalog: Catalog) -> AllRows:
    """Return all schedules, whoever asks."""
    return kept_of(catalog, clock=utc_now).rows(catalog)


def elsewhere(catalog: Catalog, rows: Iterable[Row], *, stays: bool = False) -> Elsewhere:
    """Say which schedules may be named, and what all wait for, those that the user may not read as well."""
    return Elsewhere([row.id for row in rows], all_rows(catalog).follows, stays=stays)


NOBODY = Permissions(toggle=False, run=False, cancel=False, edit=False)
"""Of what is counted and not shown."""


def _some_rows(catalog: Catalog, ids: list[str]) -> list[Row]:
    return join(catalog.deployed.some(ids), catalog.schedules.some(ids))


def schedule_data(catalog: Catalog, session: Session, rows: list[Row]) -> ScheduleData:
    """Read all that is known about some schedules."""
    ids = [row.id for row in rows]
    dags = [dag_id(schedule_id) for schedule_id in ids]
    active = airflow_reads.active_runs(session, dags)
    last = catalog.executions.last(ids)
    past = _past(catalog, last, active)
    moment = utc_now()
    known_dags = airflow_reads.dags(session, dags)
    open_runs = [
        (dag_id(execution.schedule_id), execution.run_id)
        for executions in past.values()
        for execution in executions
        if not execution.status.is_final
    ]
    airflow_runs = _by_dag(
        active,
        last_runs(session, dags, now=moment, known=_over(last)),
        airflow_reads.runs_by_id(session, open_runs),
    )
    return ScheduleData(
        now=moment,
        dags=known_dags,
        airflow_runs=airflow_runs,
        past=past,
        last_good=catalog.executions.last_good(last),
        progress=airflow_reads.progress(session, active),
        orders=orders_of(catalog, chain(*airflow_runs.values())),
        holds=catalog.holds.all_active(now=moment),
        protections=protections_of(catalog, rows, known_dags, now=moment),
        waits=_waits(catalog, rows, now=moment),
        verified=catalog.sums.verified(ids),
    )


def _over(last: Mapping[str, Execution]) -> set[tuple[str, str]]:
    """Return the runs, by DAG id and run id, of which the catalog knows how they ended."""
    return {
        (dag_id(name), execution.run_id)
        for name, execution in last.items()
        if execution.status.is_final
    }


def _waits(catalog: Catalog, rows: list[Row], *, now: datetime) -> dict[str, str]:
    found = [schedule for row in rows if (schedule := schedule_of(row.definition)) is not None]
    if not any(each.after for each in found):
        return {}
    return waits(found, catalog, known=set(all_rows(catalog).by_id), now=now)


def protections_of(
    catalog: Catalog, rows: list[Row], dags: Mapping[str, AirflowDag], *, now: datetime
) -> dict[str, Protection]:
    """Judge how safe some schedules are; those that they run after are asked for their rhythm, visible or not."""
    subjects = [
        schedule_views.subject_of(row, enabled_of(dags.get(dag_id(row.id)))) for row in rows
    ]
    others = {each.id: each.schedule for each in subjects if each.schedule is not None}
    if any(name not in others for each in others.values() for name in each.after):
        others = dict(all_rows(catalog).schedules)
    return protections(subjects, catalog, now=now, others=others)


def _past(
    catalog: Catalog, last: Mapping[str, Execution], active: Iterable[AirflowRun]
) -> dict[str, list[Execution]]:
    """Go back as far as it takes: a run that goes on, or was cancelled, says nothing of the ones before."""
    going = {(run.dag_id, run.run_id) for run in active}
    unclear = {
        name
        for name, each in last.items()
        if each.status not in (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED)
        or (dag_id(name), each.run_id) in going
    }
    further = catalog.executions.recent(unclear, limit=LOOK_BACK)
    return {name: further[name] if name in unclear else [each] for name, each in last.items()}


def _by_dag(*sources: Iterable[AirflowRun]) -> dict[str, list[AirflowRun]]:
    found: dict[str, dict[str, AirflowRun]] = {}
    for run in chain(*sources):
        found.setdefault(run.dag_id, {})[run.run_id] = run
    return {dag: list(runs.values()) for dag, runs in found.items()}


def runs(
    catalog: Catalog, session: Session, row: Row, *, limit: int, before: datetime | None
) -> RunList:
    """Read a page of a schedule's history, from both sides."""
    schedule_id, schedule = row.id, schedule_of(row.definition)
    dag = dag_id(schedule_id)
    executions = catalog.executions.history(schedule_id, limit=limit + 1, before=before)
    airflow_runs = airflow_reads.runs(session, dag, limit=limit + 1, before=before)
    # The two sides know slightly different moments, so each may lack what the other has at the edge.
    known, seen = {item.run_id for item in executions}, {run.run_id for run in airflow_runs}
    airflow_runs += airflow_reads.runs_by_id(session, [(dag, run_id) for run_id in known - seen])
    missing = [(schedule_id, run_id) for run_id in seen - known]
    executions += catalog.executions.of_runs(missing).values()
    moment = utc_now()
    told = airflow_reads.progress(session, [run for run in airflow_runs if run.active])
    found = [
        run
        for run in history(
            executions,
            airflow_runs,
            now=moment,
            progress=told,
            schedule=schedule,
            orders=orders_of(catalog, airflow_runs),
        )
        if before is None or run.since < before
    ]
    more = len(found) > limit
    return RunList(
        now=moment, runs=found[:limit], next_before=found[limit - 1].since if more else None
    )


def active(catalog: Catalog, session: Session, access: Access) -> RunList:
    """Read what is queued or running of what the user may read, with how far it has come."""
    names = (schedule_id_of(dag) for dag in airflow_reads.busy_dags(session))
    busy = sorted(name for name in names if name is not None)
    dags = airflow_reads.existing_dags(session, [dag_id(name) for name in busy])
    some = _readable(_some_rows(catalog, busy), access, dags=dags)
    schedules = {dag_id(row.id): row for row in some}
    airflow_runs = airflow_reads.active_runs(session, schedules)
    told = airflow_reads.progress(session, airflow_runs)
    orders = orders_of(catalog, airflow_runs)
    known = catalog.executions.of_runs(
        [(schedules[run.dag_id].id, run.run_id) for run in airflow_runs]
    )
    moment = utc_now()
    found: list[RunSummary] = []
    for run in airflow_runs:
        row = schedules[run.dag_id]
        execution = known.get((row.id, run.run_id))
        found += history(
            [] if execution is None else [execution],
            [run],
            now=moment,
            progress=told,
            schedule=schedule_of(row.definition),
            orders=orders,
        )
    # A backup may be done while Airflow still has to finish the run.
    going = [run for run in found if not run.status.is_final]
    return RunList(now=moment, runs=sorted(going, key=lambda run: run.since))


def local_places(rows: Iterable[Row]) -> list[LocalThing]:
    """Say what lies on one machine although Airflow sends tasks to several; of these schedules, and of the catalog."""
    executors = [each.strip() for each in conf.get("core", "executor").split(",")]
    if not any(map(spreads, executors)):
        return []
    schedules = [found for row in rows if (found := schedule_of(row.definition)) is not None]
    return list(local_things(schedules, executors=executors, catalog=catalog_url()))
