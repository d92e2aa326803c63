"""Stretches of time: the coming hours as a timeline, the past days as strips."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Query

from airflow_backup.core.clock import utc_now
from airflow_backup.core.ids import dag_id
from airflow_backup.plugin.access import AccessDep
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.http.routes.schedules import ScheduleId
from airflow_backup.plugin.schemas.base import AskedId
from airflow_backup.plugin.schemas.calendar import DayStrips, Timeline, Trend
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.services.catalog_access import CatalogDep, TrendsDep
from airflow_backup.plugin.services.trends import points, strip
from airflow_backup.plugin.views.timeline import FEW_LANES, MOST_LANES, timeline

router = APIRouter(tags=["calendar"])

Count = Annotated[int, Query(ge=1, le=366, description="how many days, today included")]
Offset = Annotated[int, Query(ge=-840, le=840, description="minutes that your clock is ahead")]


@router.get("/timeline")
def show_timeline(
    catalog: CatalogDep,
    trends: TrendsDep,
    session: SessionDep,
    access: AccessDep,
    hours: Annotated[int, Query(ge=1, le=168)] = 24,
    lanes: Annotated[int, Query(ge=1, le=MOST_LANES, description="how many schedules")] = FEW_LANES,
) -> Timeline:
    """Lay out the coming runs, with windows, calendars and holds applied, and how long they will take."""
    rows = queries.visible(catalog, access)
    dags = airflow_reads.our_dags(session)
    live = {name for name, dag in dags.items() if not dag.paused and not dag.stale}
    now = utc_now()
    return timeline(
        [row for row in rows if dag_id(row.id) in live],
        now=now,
        span=timedelta(hours=hours),
        holds=catalog.holds.all_active(now=now),
        durations=trends.medians(now=now),
        slots=airflow_reads.pool_slots(session, airflow_reads.POOL),
        most=lanes,
    )


@router.get("/days")
def show_days(
    catalog: CatalogDep,
    trends: TrendsDep,
    access: AccessDep,
    ids: Annotated[list[AskedId], Query(max_length=500)],
    count: Count = 30,
    offset: Offset = 0,
) -> DayStrips:
    """Say how each of the past days went for some schedules: the worst status of the day, how often, and how much."""
    ahead = timedelta(minutes=offset)
    today = (utc_now() + ahead).date()
    days = [today - timedelta(days=back) for back in reversed(range(count))]
    begin = datetime.combine(days[0], time(), tzinfo=UTC) - ahead
    readable = access.readable(ids)
    found = trends.days(readable, first=days[0], begin=begin, offset=ahead)
    strips = {name: strip(found.get(name, {}), days) for name in sorted(readable)}
    return DayStrips(
        days=days,
        schedules={name: [day and day.worst for day in each] for name, each in strips.items()},
        runs={name: [day.runs if day else 0 for day in each] for name, each in strips.items()},
        stored={name: [day and day.bytes_stored for day in each] for name, each in strips.items()},
    )


@router.get("/schedules/{schedule_id}/trend")
def show_trend(
    schedule_id: ScheduleId,
    catalog: CatalogDep,
    trends: TrendsDep,
    session: SessionDep,
    access: AccessDep,
    count: Annotated[int, Query(ge=2, le=200, description="how many executions")] = 60,
) -> Trend:
    """Compare the last executions of a schedule that are over: how long they took, how much they read and stored."""
    row = queries.one(catalog, access, schedule_id)
    found = queries.runs(catalog, session, row, limit=count, before=None)
    oldest = found.runs[-1].since if found.runs else found.now
    full = trends.full_before(schedule_id, before=oldest)
    return Trend(now=found.now, points=points(found.runs, full=full))
