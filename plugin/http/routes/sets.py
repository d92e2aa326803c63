"""Sets: what is stored, what restores a moment, what is kept and why; verify, restore, pin."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, HTTPException, Path, Query, status

from airflow_backup.actions.report.page import sentence_of
from airflow_backup.actions.report.report import report
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import SetRow
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import ConfigError, Refused
from airflow_backup.core.ids import SET_ID, dag_id
from airflow_backup.plugin.access import Access, AccessDep
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.http.permissions import FromPage, may_pin, may_restore, may_verify
from airflow_backup.plugin.http.routes.schedules import ScheduleId
from airflow_backup.plugin.schemas.base import Moment
from airflow_backup.plugin.schemas.requests import PinRequest, RestoreRequest, VerifyRequest
from airflow_backup.plugin.schemas.runs import RequestedRunList
from airflow_backup.plugin.schemas.schedules import Started
from airflow_backup.plugin.schemas.sets import (
    Pinned,
    PlaceList,
    RecoveryPlan,
    ReportSummary,
    RetentionView,
    ScheduleProof,
    SetDetail,
    SetList,
)
from airflow_backup.plugin.services import places, queries, requests
from airflow_backup.plugin.services.catalog_access import CatalogDep
from airflow_backup.plugin.services.requests import Requests
from airflow_backup.plugin.views import sets as set_facts
from airflow_backup.plugin.views.rhythms import schedule_of

router = APIRouter(tags=["sets"])

LONGEST_LOCK = timedelta(days=30 * 366)

SetId = Annotated[
    str,
    Path(
        description="the id of a set",
        max_length=40,
        json_schema_extra={"pattern": f"^{SET_ID.pattern}$"},  # others are not found, not wrong
    ),
]


@router.get("/schedules/{schedule_id}/sets")
def list_sets(
    schedule_id: ScheduleId,
    catalog: CatalogDep,
    access: AccessDep,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> SetList:
    """List the stored sets of a schedule, the newest first."""
    queries.one(catalog, access, schedule_id)
    may = access.set_permissions(schedule_id)
    return set_facts.listed(catalog, schedule_id, may, limit=limit, offset=offset)


@router.get("/schedules/{schedule_id}/recovery-path")
def show_recovery_chain(
    schedule_id: ScheduleId,
    catalog: CatalogDep,
    access: AccessDep,
    at: Annotated[Moment | None, Query(description="the moment; now when missing")] = None,
) -> RecoveryPlan:
    """Say which sets bring the source back to a moment, how much is read, how long it takes, and what is missing."""
    queries.one(catalog, access, schedule_id)
    return set_facts.recovery(catalog, schedule_id, at or utc_now())


@router.get("/schedules/{schedule_id}/requests")
def list_requests(
    schedule_id: ScheduleId,
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> RequestedRunList:
    """List restores and verifications that people asked for, with live progress, and what came of each."""
    queries.one(catalog, access, schedule_id)
    may_name = access.may_name_files()
    runs = requests.lately(catalog, session, schedule_id, limit=limit, may_name=may_name)
    return RequestedRunList(now=utc_now(), runs=runs)


@router.get("/places")
def list_places(catalog: CatalogDep, access: AccessDep) -> PlaceList:
    """List the workers that a restore can be sent to: those of the schedules that you may read."""
    return PlaceList(places=places.listed(catalog, access))


@router.get("/schedules/{schedule_id}/retention")
def show_retention(
    schedule_id: ScheduleId,
    catalog: CatalogDep,
    access: AccessDep,
    policy: Annotated[
        str | None, Query(description="other rules to try, as JSON", max_length=2000)
    ] = None,
) -> RetentionView:
    """Say what is kept and why, and what would go; with `policy` what other rules would do."""
    row = queries.one(catalog, access, schedule_id)
    schedule = schedule_of(row.definition)
    if schedule is None:
        raise ConfigError(f"schedule {schedule_id!r} is not understood", hint="mend its problems")
    return set_facts.retention(catalog, schedule, policy=policy, now=utc_now())


@router.get("/sets/{set_id}")
def show_set(set_id: SetId, catalog: CatalogDep, access: AccessDep) -> SetDetail:
    """Show one set: its chain, its pieces, and every verification."""
    return set_facts.detail(catalog, visible_set(catalog, access, set_id))


@router.post(
    "/sets/{set_id}/verify", status_code=status.HTTP_202_ACCEPTED, dependencies=may_verify()
)
def verify_set(
    set_id: SetId,
    body: VerifyRequest,
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
    from_page: FromPage,
) -> Started:
    """Verify a set now, in a run of the DAG `backup_verify`."""
    row = visible_set(catalog, access, set_id)
    asked = Requests(catalog, session, access, utc_now(), from_page)
    return asked.verify(row, body)


@router.post(
    "/sets/{set_id}/restore", status_code=status.HTTP_202_ACCEPTED, dependencies=may_restore()
)
def restore_set(
    set_id: SetId,
    body: RestoreRequest,
    catalog: CatalogDep,
    session: SessionDep,
    access: AccessDep,
    from_page: FromPage,
) -> Started:
    """Restore a set, in a run of the DAG `backup_restore`; `confirm` is the schedule's id, typed."""
    row = visible_set(catalog, access, set_id)
    asked = Requests(catalog, session, access, utc_now(), from_page)
    return asked.restore(row, body)


@router.post("/sets/{set_id}/pin", dependencies=may_pin())
def pin_set(set_id: SetId, body: PinRequest, catalog: CatalogDep, access: AccessDep) -> Pinned:
    """Keep a set whatever the rules say, or no longer; `lock_until` needs `confirm`, and cannot be taken back."""
    row = visible_set(catalog, access, set_id)
    now = utc_now()
    if body.lock_until is not None:
        _check_lock(access, row, body, now=now)
    if body.pinned is not None:
        catalog.sets.pin(set_id, pinned=body.pinned)
    if body.lock_until is not None and not catalog.sets.lock(set_id, body.lock_until):
        raise Refused(
            f"set {set_id!r} is locked until {row.locked_until} already",
            hint="a lock is made longer, never shorter",
        )
    catalog.events.append(
        at=now,
        actor=access.user.get_name(),
        action="pin",
        subject=set_id,
        detail=body.model_dump(mode="json"),
    )
    after = set_facts.found(catalog, set_id)
    return Pinned(set_id=set_id, pinned=after.pinned, locked_until=after.locked_until)


@router.get("/reports/summary")
def show_report(catalog: CatalogDep, session: SessionDep, access: AccessDep) -> ReportSummary:
    """Say what is proven of every schedule that you may read."""
    rows = queries.visible(catalog, access)
    schedules = [found for row in rows if (found := schedule_of(row.definition)) is not None]
    now = utc_now()
    dags = airflow_reads.dags(session, [dag_id(row.id) for row in rows])
    judged = queries.protections_of(catalog, rows, dags, now=now)
    reports = report(schedules, catalog, now=now, protections=judged)
    return ReportSummary(
        now=now,
        sentence=sentence_of(reports),
        reports=[ScheduleProof(**each.as_dict()) for each in reports],
    )


def _check_lock(access: Access, row: SetRow, body: PinRequest, *, now: datetime) -> None:
    """Let only those lock a set who could delete the schedule's DAG, and only when they mean it."""
    assert body.lock_until is not None
    if not access.may_delete(row.schedule_id):
        raise HTTPException(403)
    if body.confirm != row.schedule_id:
        raise Refused(
            "the lock was not confirmed, and it cannot be taken back",
            hint=f"type the schedule's id, {row.schedule_id!r}, as `confirm`",
        )
    if body.lock_until > now + LONGEST_LOCK:
        raise Refused("the lock would last longer than thirty years", hint="is the year right?")


def visible_set(catalog: Catalog, access: Access, set_id: str) -> SetRow:
    """Return a set of a schedule that the user may read; NotFound where there is none."""
    row = set_facts.found(catalog, set_id)
    queries.one(catalog, access, row.schedule_id)
    return row
