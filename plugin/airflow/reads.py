"""
All that we read in Airflow's own database.

Airflow's tables are not a stable interface, so only this module and
``airflow_changes`` touch them. They are for the API server alone: workers and the DAG processor may
not open this database.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from airflow.api.common.airflow_health import get_airflow_health
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun, DagRunNote
from airflow.models.log import Log
from airflow.models.pool import Pool
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from airflow_backup.plugin.airflow.records import (
    ACTIVE,
    AirflowDag,
    AirflowProcess,
    AirflowRun,
    AirflowTask,
)

CANCEL_EVENT = "backup_cancel"
PROGRESS_KEY, CONTROL_KEY = "progress", "control"
BACKUP_TASK = "backup"
POOL = "backup"

_COMPONENTS = ("scheduler", "triggerer", "dag_processor")


def existing_dags(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Keep the ids that Airflow knows."""
    return set(session.scalars(select(DagModel.dag_id).where(DagModel.dag_id.in_(dag_ids))))


def dags(session: Session, dag_ids: Collection[str]) -> dict[str, AirflowDag]:
    """Look up DAGs by id; those that Airflow does not know are missing from the answer."""
    rows = session.execute(
        select(DagModel.dag_id, DagModel.is_paused, DagModel.is_stale).where(
            DagModel.dag_id.in_(dag_ids)
        )
    )
    return {row.dag_id: AirflowDag(row.dag_id, row.is_paused, row.is_stale) for row in rows}


def teams(session: Session, dag_ids: Collection[str]) -> dict[str, str | None]:
    """Name the team of each DAG that has one."""
    return DagModel.get_dag_id_to_team_name_mapping(list(dag_ids), session=session)


def active_runs(session: Session, dag_ids: Collection[str]) -> list[AirflowRun]:
    """List the runs that are queued or running, the oldest first."""
    query = _runs().where(DagRun.dag_id.in_(dag_ids), DagRun._state.in_(ACTIVE))
    return _airflow_runs(session, query.order_by(DagRun.run_after))


def runs(
    session: Session, dag_id: str, *, limit: int, before: datetime | None = None
) -> list[AirflowRun]:
    """List the newest runs of a DAG, those that came into being before a moment."""
    since = func.coalesce(DagRun.queued_at, DagRun.run_after)
    query = _runs().where(DagRun.dag_id == dag_id)
    if before is not None:
        query = query.where(since < before)
    return _airflow_runs(session, query.order_by(since.desc()).limit(limit))


def runs_by_id(session: Session, keys: Collection[tuple[str, str]]) -> list[AirflowRun]:
    """Look up runs by DAG id and run id; Airflow may have forgotten some."""
    if not keys:
        return []
    return _airflow_runs(session, _runs().where(tuple_(DagRun.dag_id, DagRun.run_id).in_(keys)))


def last_runs(session: Session, dag_ids: Collection[str]) -> list[AirflowRun]:
    """Look up the newest run of each DAG, and the newest that is over."""
    place = func.row_number().over(
        partition_by=(DagRun.dag_id, DagRun._state.in_(ACTIVE)), order_by=DagRun.run_after.desc()
    )
    newest = select(DagRun.id, place.label("place")).where(DagRun.dag_id.in_(dag_ids)).subquery()
    return _airflow_runs(
        session, _runs().join(newest, newest.c.id == DagRun.id).where(newest.c.place == 1)
    )


def progress(session: Session, runs: Iterable[AirflowRun]) -> dict[str, dict[str, Any]]:
    """Read how far the backup task of each run says it is, and what it was told (``control``), by run id."""
    keys = [(run.dag_id, run.run_id) for run in runs]
    rows = session.execute(
        select(
            TaskStateStoreModel.run_id, TaskStateStoreModel.key, TaskStateStoreModel.value
        ).where(
            tuple_(TaskStateStoreModel.dag_id, TaskStateStoreModel.run_id).in_(keys),
            TaskStateStoreModel.task_id == BACKUP_TASK,
            TaskStateStoreModel.key.in_((PROGRESS_KEY, CONTROL_KEY)),
        )
    )
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        value = json.loads(row.value)
        if row.key == CONTROL_KEY:
            found.setdefault(row.run_id, {})[CONTROL_KEY] = value
        elif isinstance(value, dict):
            found.setdefault(row.run_id, {}).update(value)
    return found


def pool_slots(session: Session, name: str) -> int | None:
    """Return how many tasks the pool takes at once; None when there is no such pool."""
    return session.scalar(select(Pool.slots).where(Pool.pool == name))


def components() -> list[AirflowProcess]:
    """Say which of Airflow's processes are alive, by their heartbeats."""
    health = get_airflow_health()
    return [
        AirflowProcess(
            name=name,
            healthy=None if health[name]["status"] is None else health[name]["status"] == "healthy",
            heartbeat=_moment(health[name][f"latest_{name}_heartbeat"]),
        )
        for name in _COMPONENTS
    ]


def _runs() -> Any:  # a Select, whose type parameters differ between SQLAlchemy 2.0 and 2.1
    return select(DagRun, DagRunNote.content).outerjoin(
        DagRunNote, DagRunNote.dag_run_id == DagRun.id
    )


def _airflow_runs(session: Session, query: Any) -> list[AirflowRun]:
    rows: list[tuple[DagRun, str | None]] = [tuple(row) for row in session.execute(query)]
    keys = [(found.dag_id, found.run_id) for found, _ in rows]
    if not keys:
        return []
    tasks, cancelled = _tasks(session, keys), _cancelled(session, keys)
    return [
        AirflowRun(
            dag_id=found.dag_id,
            run_id=found.run_id,
            run_type=str(found.run_type),
            state=str(found.state),
            run_after=found.run_after,
            queued_at=found.queued_at,
            slot=found.logical_date,
            started_at=found.start_date,
            ended_at=found.end_date,
            user=found.triggering_user_name,
            note=note,
            conf=found.conf if isinstance(found.conf, dict) else {},
            tasks=tasks.get((found.dag_id, found.run_id), {}),
            cancelled_by=cancelled.get((found.dag_id, found.run_id)),
        )
        for found, note in rows
    ]


def _tasks(
    session: Session, keys: list[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, AirflowTask]]:
    rows = session.execute(
        select(
            TaskInstance.dag_id,
            TaskInstance.run_id,
            TaskInstance.task_id,
            TaskInstance.state,
            TaskInstance.try_number,
            TaskInstance.start_date,
            TaskInstance.retry_reason,
        ).where(tuple_(TaskInstance.dag_id, TaskInstance.run_id).in_(keys))
    )
    found: dict[tuple[str, str], dict[str, AirflowTask]] = {}
    for row in rows:
        found.setdefault((row.dag_id, row.run_id), {})[row.task_id] = AirflowTask(
            row.state, row.try_number, row.start_date, row.retry_reason
        )
    return found


def _cancelled(session: Session, keys: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    rows = session.execute(
        select(Log.dag_id, Log.run_id, Log.owner_display_name, Log.owner).where(
            Log.event == CANCEL_EVENT, tuple_(Log.dag_id, Log.run_id).in_(keys)
        )
    )
    return {(row.dag_id, row.run_id): row.owner_display_name or row.owner or "?" for row in rows}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
