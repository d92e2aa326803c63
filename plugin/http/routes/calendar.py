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
from airflow_backup.plugin.schemas.base import AskedId
from airflow_backup.plugin.schemas.calendar import DayStrips, Timeline
from airflow_backup.plugin.services import queries
from airflow_backup.plugin.services.catalog_access import CatalogDep, TrendsDep
from airflow_backup.plugin.services.trends import strip
from airflow_backup.plugin.views.timeline import timeline

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
    """Say how each of the past days went for some schedules: the worst status of the day."""
    ahead = timedelta(minutes=offset)
    today = (utc_now() + ahead).date()
    days = [today - timedelta(days=back) for back in reversed(range(count))]
    begin = datetime.combine(days[0], time(), tzinfo=UTC) - ahead
    readable = access.readable(ids)
    found = trends.days(readable, first=days[0], begin=begin, offset=ahead)
    return DayStrips(
        days=days, schedules={name: strip(found.get(name, {}), days) for name in sorted(readable)}
    )
