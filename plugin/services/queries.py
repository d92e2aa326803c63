"""Read what the board needs, in a handful of queries whatever the number of schedules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import chain

from sqlalchemy.orm import Session

from airflow_backup.actions.protection import protections
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import Execution
from airflow_backup.catalog.rules.protection import Protection
from airflow_backup.core.errors import NotFound
from airflow_backup.core.ids import dag_id
from airflow_backup.core.words import ExecutionStatus
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.airflow.records import AirflowDag, AirflowRun
from airflow_backup.plugin.schemas.schedules import Run, RunList, ScheduleDetail
from airflow_backup.plugin.views import schedules as schedule_views
from airflow_backup.plugin.views.rhythms import schedule_of
from airflow_backup.plugin.views.rows import Row, join, row_of
from airflow_backup.plugin.views.runs import history
from airflow_backup.plugin.views.schedules import ScheduleData

LOOK_BACK = 20
"""How many executions to look at for the last one that says something."""


def now() -> datetime:
    """Return this moment; the one place where the API looks at the clock."""
    return datetime.now(UTC)


def visible(catalog: Catalog, access: Access) -> list[Row]:
    """List the schedules that the user may read."""
    rows = every_row(catalog)
    readable = access.readable(row.id for row in rows)
    return [row for row in rows if row.id in readable or access.has_just_made(row.made)]


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


def every_row(catalog: Catalog) -> list[Row]:
    """List all schedules, whoever asks."""
    return join(catalog.deployed.all(), catalog.schedules.all())


def schedule_data(catalog: Catalog, session: Session, rows: list[Row]) -> ScheduleData:
    """Read all that is known about some schedules."""
    ids = [row.id for row in rows]
    dags = [dag_id(schedule_id) for schedule_id in ids]
    active = airflow_reads.active_runs(session, dags)
    last = catalog.executions.last(ids)
    past = {schedule_id: _past(catalog, last[schedule_id], active) for schedule_id in last}
    moment = now()
    known_dags = airflow_reads.dags(session, dags)
    open_runs = [
        (dag_id(execution.schedule_id), execution.run_id)
        for executions in past.values()
        for execution in executions
        if not execution.status.is_final
    ]
    return ScheduleData(
        now=moment,
        dags=known_dags,
        airflow_runs=_by_dag(
            active,
            airflow_reads.last_runs(session, dags),
            airflow_reads.runs_by_id(session, open_runs),
        ),
        past=past,
        last_good=catalog.executions.last_completed(ids),
        progress=airflow_reads.progress(session, active),
        holds=catalog.holds.all_active(now=moment),
        protections=protections_of(catalog, rows, known_dags, now=moment),
    )


def protections_of(
    catalog: Catalog, rows: list[Row], dags: Mapping[str, AirflowDag], *, now: datetime
) -> dict[str, Protection]:
    """Judge how safe some schedules are; those that they run after are asked for their rhythm, visible or not."""
    subjects = [schedule_views.subject_of(row, dags.get(dag_id(row.id))) for row in rows]
    others = {each.id: each.schedule for each in subjects if each.schedule is not None}
    if any(name not in others for each in others.values() for name in each.after):
        every = ((row.id, schedule_of(row.definition)) for row in every_row(catalog))
        others = {name: schedule for name, schedule in every if schedule is not None}
    return protections(subjects, catalog, now=now, others=others)


def _past(catalog: Catalog, last: Execution, active: Iterable[AirflowRun]) -> list[Execution]:
    """Go back as far as it takes: a run that goes on, or was cancelled, says nothing of the ones before."""
    going = {run.run_id for run in active}
    if (
        last.status in (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED)
        and last.run_id not in going
    ):
        return [last]
    return catalog.executions.history(last.schedule_id, limit=LOOK_BACK)


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
    missing = (catalog.executions.get(schedule_id, run_id) for run_id in seen - known)
    executions += [item for item in missing if item is not None]
    moment = now()
    told = airflow_reads.progress(session, [run for run in airflow_runs if run.active])
    found = [
        run
        for run in history(
            executions,
            airflow_runs,
            now=moment,
            progress=told,
            schedule=schedule,
            holds=catalog.holds.history(schedule_id),
        )
        if before is None or run.since < before
    ]
    more = len(found) > limit
    return RunList(
        now=moment, runs=found[:limit], next_before=found[limit - 1].since if more else None
    )


def active(catalog: Catalog, session: Session, rows: list[Row]) -> RunList:
    """Read what is queued or running, with how far it has come."""
    schedules = {dag_id(row.id): row for row in rows}
    airflow_runs = airflow_reads.active_runs(session, schedules)
    told = airflow_reads.progress(session, airflow_runs)
    moment = now()
    found: list[Run] = []
    for run in airflow_runs:
        row = schedules[run.dag_id]
        execution = catalog.executions.get(row.id, run.run_id)
        found += history(
            [] if execution is None else [execution],
            [run],
            now=moment,
            progress=told,
            schedule=schedule_of(row.definition),
        )
    # A backup may be done while Airflow still has to finish the run.
    going = [run for run in found if not run.status.is_final]
    return RunList(now=moment, runs=sorted(going, key=lambda run: run.since))
