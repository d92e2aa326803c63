"""
All that we read in Airflow's own database.

Airflow's tables are not a stable interface, so only this module,
``newest_runs``, ``connections`` and ``changes`` touch them. They are for the API server alone: workers and the DAG
processor may not open this database.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from airflow.api.common.airflow_health import get_airflow_health
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun, DagRunNote
from airflow.models.pool import Pool
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import cast, func, select
from sqlalchemy.orm import Session

from airflow_backup.catalog.stores.probe import Order, Place, given_ids, is_one_of_pairs
from airflow_backup.core.ids import DAG_PREFIX, requested_dag_id
from airflow_backup.plugin.airflow.records import (
    ACTIVE,
    BACKUP_TASK,
    AirflowDag,
    AirflowProcess,
    AirflowRun,
    AirflowTask,
)

PROGRESS_KEY = "progress"
POOL = "backup"

_LATEST_QUEUED = timedelta(days=30)
"""Longer than a run of a DAG waits until it is queued."""
_COMPONENTS = ("scheduler", "triggerer", "dag_processor")


def our_dags(session: Session) -> dict[str, AirflowDag]:
    """Return the DAGs of all schedules that Airflow knows, by id."""
    # Plain rows: there are thousands, and a request waits for them.
    query = select(DagModel.dag_id, DagModel.is_paused, DagModel.is_stale).where(
        DagModel.dag_id.startswith(DAG_PREFIX, autoescape=True)
    )
    return {row[0]: AirflowDag(*row) for row in session.connection().execute(query)}


def our_active_runs(session: Session) -> list[AirflowRun]:
    """List the runs of all schedules that are queued or running, the oldest first."""
    ours = DagRun.dag_id.startswith(DAG_PREFIX, autoescape=True)
    found = [
        run
        for state in ACTIVE  # Airflow has an index for each
        for run in airflow_runs(session, runs_query().where(DagRun._state == state, ours))
    ]
    return sorted(found, key=lambda run: run.run_after)


def dags_of_verb(session: Session, verb: str) -> list[str]:
    """Name the DAGs that restore, or verify, on demand: one for each placement that there is or was."""
    name = requested_dag_id(verb, None)
    query = select(DagModel.dag_id).where(DagModel.dag_id.startswith(name, autoescape=True))
    return [each for each in session.scalars(query) if each.partition("__")[0] == name]


def existing_dags(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Keep the ids that Airflow knows."""
    query = select(DagModel.dag_id).where(is_one_of(session, DagModel.dag_id, dag_ids))
    return set(session.scalars(query))


def dags(session: Session, dag_ids: Collection[str]) -> dict[str, AirflowDag]:
    """Look up DAGs by id; those that Airflow does not know are missing from the answer."""
    rows = session.execute(
        select(DagModel.dag_id, DagModel.is_paused, DagModel.is_stale).where(
            is_one_of(session, DagModel.dag_id, dag_ids)
        )
    )
    return {row.dag_id: AirflowDag(row.dag_id, row.is_paused, row.is_stale) for row in rows}


def teams(session: Session, dag_ids: Collection[str]) -> dict[str, str | None]:
    """Name the team of each DAG that has one."""
    return DagModel.get_dag_id_to_team_name_mapping(list(dag_ids), session=session)


def active_runs(session: Session, dag_ids: Collection[str]) -> list[AirflowRun]:
    """List the runs that are queued or running, the oldest first."""
    query = runs_query().where(
        is_one_of(session, DagRun.dag_id, dag_ids), DagRun._state.in_(ACTIVE)
    )
    return airflow_runs(session, query.order_by(DagRun.run_after))


def busy_dags(session: Session) -> set[str]:
    """Name the DAGs, ours and others, that have a run that is queued or running."""
    queries = (select(DagRun.dag_id).where(DagRun._state == state).distinct() for state in ACTIVE)
    return {name for query in queries for name in session.scalars(query)}


def runs(
    session: Session, dag_id: str, *, limit: int, before: datetime | None = None
) -> list[AirflowRun]:
    """List the newest runs of a DAG, those that came into being before a moment."""
    since = func.coalesce(DagRun.queued_at, DagRun.run_after)
    query = runs_query().where(DagRun.dag_id == dag_id)
    if before is not None:
        query = query.where(since < before)
    return airflow_runs(session, query.order_by(since.desc()).limit(limit))


def failed_runs(
    session: Session,
    dag_ids: Collection[str],
    *,
    not_before: datetime | None,
    below: Place | None,
    limit: int,
) -> list[AirflowRun]:
    """List the newest runs of some DAGs that failed; from a moment on, and below a place that names a DAG."""
    since = func.coalesce(DagRun.queued_at, DagRun.run_after)
    order = Order((since, DagRun.dag_id, DagRun.run_id), session.get_bind().dialect.name)
    query = runs_query().where(
        is_one_of(session, DagRun.dag_id, dag_ids), DagRun._state == "failed"
    )
    if below is not None:
        query = query.where(order.below(below))
    if not_before is not None:
        # An index finds the second; a run is queued after it is due, and not much later.
        query = query.where(since >= not_before, DagRun.run_after >= not_before - _LATEST_QUEUED)
    return airflow_runs(session, query.order_by(*order.newest_first()).limit(limit))


def runs_by_id(session: Session, keys: Collection[tuple[str, str]]) -> list[AirflowRun]:
    """Look up runs by DAG id and run id; Airflow may have forgotten some."""
    if not keys:
        return []
    given = _is_one_of_pairs(session, (DagRun.dag_id, DagRun.run_id), keys)
    return airflow_runs(session, runs_query().where(given))


def progress(
    session: Session,
    runs: Iterable[AirflowRun],
    *,
    key: str = PROGRESS_KEY,
    tasks: Collection[str] = (BACKUP_TASK,),
) -> dict[tuple[str, str], dict[str, Any]]:
    """Read how far the backup task of each run says it is, by DAG id and run id; or what else a task keeps there."""
    keys = [(run.dag_id, run.run_id) for run in runs]
    rows = session.execute(
        select(
            TaskStateStoreModel.dag_id, TaskStateStoreModel.run_id, TaskStateStoreModel.value
        ).where(
            _is_one_of_pairs(
                session, (TaskStateStoreModel.dag_id, TaskStateStoreModel.run_id), keys
            ),
            TaskStateStoreModel.task_id.in_(tasks),
            TaskStateStoreModel.key == key,
        )
    )
    found = {(row.dag_id, row.run_id): json.loads(row.value) for row in rows}
    return {each: value for each, value in found.items() if isinstance(value, dict)}


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


def is_one_of(session: Session, column: Any, values: Collection[Any]) -> Any:
    """Compare with many values that are one parameter of the statement, where the database can take them so."""
    dialect = session.get_bind().dialect.name
    if dialect not in ("sqlite", "postgresql"):
        return column.in_(values)
    given = given_ids([str(each) for each in values], is_sqlite=dialect == "sqlite")
    return column.in_(select(cast(given.c.id, column.type)))


_COLUMNS = (
    DagRun.dag_id,
    DagRun.run_id,
    DagRun.run_type,
    DagRun._state.label("state"),
    DagRun.run_after,
    DagRun.queued_at,
    DagRun.logical_date,
    DagRun.start_date,
    DagRun.end_date,
    DagRun.triggering_user_name,
    DagRun.conf,
)


def _is_one_of_pairs(
    session: Session, columns: tuple[Any, Any], pairs: Collection[tuple[str, str]]
) -> Any:
    return is_one_of_pairs(columns, pairs, dialect=session.get_bind().dialect.name)


def runs_query() -> Any:  # a Select, whose type parameters differ between SQLAlchemy 2.0 and 2.1
    return select(*_COLUMNS, DagRunNote.content.label("note")).outerjoin(
        DagRunNote, DagRunNote.dag_run_id == DagRun.id
    )


def airflow_runs(
    session: Session, query: Any, *, known: Collection[tuple[str, str]] = ()
) -> list[AirflowRun]:
    rows = session.execute(query).all()
    keys = [key for row in rows if (key := (row.dag_id, row.run_id)) not in known]
    tasks = _tasks(session, keys) if keys else {}
    return [
        AirflowRun(
            dag_id=row.dag_id,
            run_id=row.run_id,
            run_type=str(row.run_type),
            state=str(row.state),
            run_after=row.run_after,
            queued_at=row.queued_at,
            slot=row.logical_date,
            started_at=row.start_date,
            ended_at=row.end_date,
            user=row.triggering_user_name,
            note=row.note,
            conf=row.conf if isinstance(row.conf, dict) else {},
            tasks=tasks.get((row.dag_id, row.run_id), {}),
        )
        for row in rows
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
            TaskInstance.max_tries,
            TaskInstance.end_date,
            TaskInstance.retry_delay_override,
            TaskInstance.retry_reason,
        ).where(_is_one_of_pairs(session, (TaskInstance.dag_id, TaskInstance.run_id), keys))
    )
    found: dict[tuple[str, str], dict[str, AirflowTask]] = {}
    for row in rows:
        found.setdefault((row.dag_id, row.run_id), {})[row.task_id] = AirflowTask(
            row.state,
            row.try_number,
            row.start_date,
            row.retry_reason,
            _retry_at(row.state, row.end_date, row.retry_delay_override),
            row.max_tries + 1,
        )
    return found


def _retry_at(state: str | None, ended_at: datetime | None, delay: float | None) -> datetime | None:
    if state != "up_for_retry" or ended_at is None or delay is None:
        return None
    return ended_at + timedelta(seconds=delay)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
