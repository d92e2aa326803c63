"""Schedules: list, one, switch, run now, coming runs."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Path, Query, Request, status

from airflow_backup.core.errors import Refused
from airflow_backup.core.ids import dag_id
from airflow_backup.plugin import airflow_changes, airflow_db, board, gather, rhythms
from airflow_backup.plugin.catalog_access import CatalogDep
from airflow_backup.plugin.listing import Filters, facets, select, sort
from airflow_backup.plugin.models import (
    NextRunList,
    ScheduleDetail,
    ScheduleList,
    Started,
    State,
    Toggled,
)
from airflow_backup.plugin.requests import RunRequest, ToggleRequest
from airflow_backup.plugin.security import AccessDep, may_run, may_toggle

router = APIRouter(prefix="/schedules", tags=["schedules"])

ScheduleId = Annotated[str, Path(description="the id of a schedule", max_length=63)]


@router.get("")
def list_schedules(
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
    filters: Annotated[Filters, Query()],
) -> ScheduleList:
    """List the schedules that you may read, with how each of them is."""
    rows = gather.visible(catalog, access)
    found = gather.material(catalog, session, rows)
    may = access.permissions(row.id for row in rows)
    every = [board.summary(row, found, permissions=may[row.id]) for row in rows]
    chosen = sort(select(every, filters), filters.sort)
    groups, tags = facets(every)
    return ScheduleList(
        now=found.now,
        total=len(chosen),
        limit=filters.limit,
        offset=filters.offset,
        groups=groups,
        tags=tags,
        schedules=chosen[filters.offset : filters.offset + filters.limit],
    )


@router.get("/{schedule_id}")
def show_schedule(
    schedule_id: ScheduleId, catalog: CatalogDep, session: SessionDep, access: AccessDep
) -> ScheduleDetail:
    """Show one schedule, with what is in effect for it."""
    row = gather.one(catalog, access, schedule_id)
    found = gather.material(catalog, session, [row])
    return board.detail(row, found, permissions=access.permissions([schedule_id])[schedule_id])


@router.get("/{schedule_id}/next")
def list_next_runs(
    schedule_id: ScheduleId,
    catalog: CatalogDep,
    access: AccessDep,
    count: Annotated[int, Query(ge=1, le=rhythms.MOST)] = 10,
) -> NextRunList:
    """Preview the coming runs, with windows, calendars and holds applied, enabled or not."""
    row = gather.one(catalog, access, schedule_id)
    schedule = rhythms.schedule_of(row.definition)
    if schedule is None:
        return NextRunList(timezone="UTC", runs=[])
    now = gather.now()
    holds = catalog.holds.active(schedule_id, now=now)
    runs = rhythms.coming(schedule, after=now, count=count, holds=holds)
    return NextRunList(timezone=schedule.timezone, runs=runs)


@router.post("/{schedule_id}/toggle", dependencies=may_toggle())
def toggle_schedule(
    schedule_id: ScheduleId,
    body: ToggleRequest,
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
) -> Toggled:
    """Enable or disable a schedule: Airflow's own pause. Enabling starts nothing from the past."""
    gather.one(catalog, access, schedule_id)
    airflow_changes.set_paused(session, dag_id(schedule_id), paused=not body.enabled)
    return Toggled(schedule_id=schedule_id, enabled=body.enabled)


@router.post("/{schedule_id}/run", status_code=status.HTTP_202_ACCEPTED, dependencies=may_run())
def run_schedule(
    schedule_id: ScheduleId,
    body: RunRequest,
    request: Request,
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
) -> Started:
    """Run a schedule now. Refused while one of its runs is queued or running, or it is disabled."""
    row = gather.one(catalog, access, schedule_id)
    _check_runnable(session, schedule_id, State(row.state))
    run_id = airflow_changes.start_run(
        session,
        dag_id(schedule_id),
        user_name=access.user.get_name(),
        user_id=access.user.get_id(),
        conf=_conf(body),
        note=body.note,
        from_page="referer" in request.headers,
    )
    return Started(schedule_id=schedule_id, dag_id=dag_id(schedule_id), run_id=run_id)


def _conf(body: RunRequest) -> dict[str, str]:
    """What the tasks of the run read; the note goes with the execution into the catalog, too."""
    given = {"kind": body.kind, "note": body.note}
    return {name: str(value) for name, value in given.items() if value}


def _check_runnable(session: SessionDep, schedule_id: str, state: State) -> None:
    if state is State.REJECTED:
        raise Refused(
            f"schedule {schedule_id!r} is rejected, and cannot run",
            hint="mend its problems first; the page and 'airflow-backup validate' list them",
        )
    dag = airflow_db.dags(session, [dag_id(schedule_id)]).get(dag_id(schedule_id))
    if dag is None or dag.stale:
        raise Refused(
            f"schedule {schedule_id!r} has no DAG",
            hint="was it added a moment ago, or removed? is the DAG processor running?",
        )
    if dag.paused:
        raise Refused(
            f"schedule {schedule_id!r} is disabled; Airflow would keep the run queued",
            hint="enable the schedule first",
        )
