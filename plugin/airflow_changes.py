"""
All that we change in Airflow's own database: the switch, runs, the pool.

Every change commits, or rolls back, at once and in its own thread. Airflow's audit log is written on the
event loop, and waits there for SQLite's lock; a commit that waited for the event loop in turn would wait
for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.api.common.trigger_dag import trigger_dag
from airflow.api_fastapi.core_api.datamodels.dag_run import DagRunMutableStates
from airflow.api_fastapi.core_api.services.public.dag_run import patch_dag_run_state
from airflow.exceptions import DagNotFound, DagRunAlreadyExists
from airflow.models.dag import DagModel
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.pool import Pool
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from airflow_backup.core.errors import NotFound, Refused
from airflow_backup.plugin.airflow_db import active_runs
from airflow_backup.plugin.facts import ACTIVE


def set_paused(session: Session, dag_id: str, *, paused: bool) -> None:
    """Pause or unpause a DAG, as Airflow's own switch does."""
    with _at_once(session):
        dag = session.get(DagModel, dag_id)
        if dag is None:
            raise _no_dag(dag_id)
        dag.is_paused = paused


def start_run(
    session: Session,
    dag_id: str,
    *,
    user_name: str,
    user_id: str,
    conf: dict[str, Any],
    note: str | None,
    from_page: bool,
) -> str:
    """Queue a run now and return its id, unless one is queued or running."""
    with _at_once(session):
        _hold(session, dag_id)
        busy = active_runs(session, [dag_id])
        if busy:
            raise Refused(
                f"a run of this schedule is already {busy[0].state}: {busy[0].run_id!r}",
                hint="wait until it has finished, or cancel it",
            )
        created = _trigger(session, dag_id, user_name=user_name, conf=conf, from_page=from_page)
        if note:
            created.note = (note, user_id)
        return str(created.run_id)


@contextmanager
def _at_once(session: Session) -> Iterator[None]:
    """Commit, or roll back, here and now."""
    try:
        yield
        session.commit()
    except BaseException:
        session.rollback()
        raise


def _hold(session: Session, dag_id: str) -> None:
    """
    Write to the DAG's row without changing it, which holds it (on SQLite: the database) to the end.

    So of two requests at the same moment, one sees the run of the other.
    """
    session.execute(
        update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=DagModel.is_paused)
    )


def _trigger(
    session: Session, dag_id: str, *, user_name: str, conf: dict[str, Any], from_page: bool
) -> DagRun:
    try:
        created = trigger_dag(
            dag_id,
            triggered_by=DagRunTriggeredByType.UI if from_page else DagRunTriggeredByType.REST_API,
            triggering_user_name=user_name,
            conf=conf,
            session=session,
        )
    except DagRunAlreadyExists as error:
        raise Refused(
            "a run was started at this very moment", hint="look at the history"
        ) from error
    except DagNotFound as error:
        raise _no_dag(dag_id) from error
    assert created is not None
    return created


def cancel_run(session: Session, dag_id: str, run_id: str) -> None:
    """Stop a run: its tasks are told to end, and it counts as failed in Airflow."""
    with _at_once(session):
        found = session.scalar(
            select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        )
        if found is None:
            raise NotFound(f"no run {run_id!r}", hint="look at the history of the schedule")
        if found.state not in ACTIVE:
            raise Refused(f"the run is already over: {found.state}", hint="look at the history")
        dag = DBDagBag().get_dag_for_run(found, session=session)
        if dag is None:
            raise _no_dag(dag_id)
        patch_dag_run_state(
            dag=dag, dag_run=found, state=DagRunMutableStates.FAILED, session=session
        )


def ensure_pool(session: Session, *, name: str, slots: int) -> None:
    """Make the pool of the backups where there is none; one that exists is the administrator's."""
    if session.scalar(select(Pool.id).where(Pool.pool == name)) is None:
        Pool.create_or_update_pool(
            name,
            slots=slots,
            description="How many backups may run at the same time",
            include_deferred=False,
            session=session,
        )


def _no_dag(dag_id: str) -> Refused:
    return Refused(
        f"there is no DAG {dag_id!r} to work with",
        hint="is the schedule valid, and the DAG processor running? see 'airflow-backup validate'",
    )
