"""
All that we change in Airflow's own database: the switch, runs, the pool.

Every change commits, or rolls back, at once and in its own thread. Airflow's audit log is written on the
event loop, and waits there for SQLite's lock; a commit that waited for the event loop in turn would wait
for ever.
"""

from __future__ import annotations

import json
from typing import Any

from airflow.api.common.trigger_dag import trigger_dag
from airflow.api_fastapi.core_api.datamodels.dag_run import DagRunMutableStates
from airflow.api_fastapi.core_api.services.public.dag_run import patch_dag_run_state
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.exceptions import DagNotFound, DagRunAlreadyExists
from airflow.models.asset import AssetDagRunQueue
from airflow.models.dag import DagModel
from airflow.models.dagbag import DagPriorityParsingRequest, DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.models.pool import Pool
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from airflow_backup.core.errors import NotFound, Refused
from airflow_backup.core.ids import DAG_PREFIX
from airflow_backup.core.text.texts import storable
from airflow_backup.plugin.airflow.reads import active_runs, runs_by_id
from airflow_backup.plugin.airflow.records import ACTIVE, AirflowRun
from airflow_backup.plugin.airflow.transactions import at_once

LAUNCHER = "backup_dags.py"
"""The file that makes the DAGs, where none tells its place yet."""


@at_once
def set_paused(session: Session, dag_id: str, *, paused: bool) -> None:
    """
    Pause or unpause a DAG, as Airflow's own switch does, without starting what was due meanwhile.

    Airflow reckons a DAG's next run when it parses its file or creates a run; a DAG that was paused may still
    have one from long ago, which the scheduler would start at once.
    """
    dag = session.get(DagModel, dag_id)
    if dag is None:
        raise _no_dag(dag_id)
    if dag.is_paused and not paused:
        _forget_the_past(session, dag)
    dag.is_paused = paused


def _forget_the_past(session: Session, dag: DagModel) -> None:
    session.execute(delete(AssetDagRunQueue).where(AssetDagRunQueue.target_dag_id == dag.dag_id))
    serialized = DBDagBag().get_latest_version_of_dag(dag.dag_id, session=session)
    if serialized is None or not serialized.timetable.can_be_scheduled:
        return
    last = session.scalar(
        select(DagRun)
        .where(DagRun.dag_id == dag.dag_id, DagRun.run_type == DagRunType.SCHEDULED)
        .order_by(DagRun.logical_date.desc())
        .limit(1)
    )
    dag.calculate_dagrun_date_fields(serialized, reference_run=last)


@at_once
def revive(session: Session, dag_id: str, *, paused: bool) -> None:
    """Give a DAG that existed before, and comes back, the switch of its new schedule."""
    dag = session.get(DagModel, dag_id)
    if dag is not None:
        dag.is_paused = paused


@at_once
def retire(session: Session, dag_id: str) -> None:
    """Let a DAG start nothing more: its schedule was deleted, and it lives until its file is parsed."""
    dag = session.get(DagModel, dag_id)
    if dag is not None:
        dag.is_paused = True


@at_once
def request_parse(session: Session) -> None:
    """Ask the DAG processor to parse the files of the backup DAGs first; they show what was saved a second ago."""
    places = set(_parsed_from(session)) or {(bundle, LAUNCHER) for bundle in _bundles()}
    waiting = {
        (request.bundle_name, request.relative_fileloc)
        for request in session.scalars(select(DagPriorityParsingRequest))
    }
    for bundle, file in places - waiting:
        session.add(DagPriorityParsingRequest(bundle_name=bundle, relative_fileloc=file))


def _bundles() -> list[str]:
    manager = DagBundlesManager()  # type: ignore[no-untyped-call]  # untyped in Airflow
    return list(manager.get_all_bundle_names())


def _parsed_from(session: Session) -> list[tuple[str, str]]:
    rows = session.execute(
        select(DagModel.bundle_name, DagModel.relative_fileloc)
        .where(DagModel.dag_id.startswith(DAG_PREFIX, autoescape=True), ~DagModel.is_stale)
        .distinct()
    )
    return [(row.bundle_name, row.relative_fileloc) for row in rows if row.relative_fileloc]


@at_once
def note(
    session: Session, event: str, *, dag_id: str, user_id: str, user_name: str, detail: Any
) -> None:
    """Write to Airflow's audit log what a person did; the caller leaves out what is secret."""
    session.add(
        Log(
            event=event,
            task_instance=None,
            owner=user_id,
            owner_display_name=user_name,
            extra=json.dumps(detail, default=str),
            dag_id=dag_id,
        )
    )


def check_running(session: Session, dag_id: str, run_id: str) -> AirflowRun:
    """Return a run whose backup is at work; Refused where none is, NotFound where there is no such run."""
    found = next(iter(runs_by_id(session, [(dag_id, run_id)])), None)
    if found is None:
        raise _no_run(run_id)
    if not found.is_working:
        raise Refused(
            "no backup is running in this run",
            hint="only what reads at this moment can wait; cancel stops the rest",
        )
    return found


def check_active(session: Session, dag_id: str, run_id: str) -> DagRun:
    """Return a run that is not over; Refused where it is, NotFound where there is none."""
    found: DagRun | None = session.scalar(
        select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
    )
    if found is None:
        raise _no_run(run_id)
    if found.state not in ACTIVE:
        raise Refused(f"the run is already over: {found.state}", hint="look at the history")
    return found


@at_once
def start_run(
    session: Session,
    dag_id: str,
    *,
    user_name: str,
    user_id: str,
    conf: dict[str, Any],
    note: str | None,
    from_page: bool,
    run_id: str | None = None,
) -> str:
    """
    Queue a run now and return its id, unless one is queued or running.

    Where ``run_id`` is given, and there is that run already, nothing is started; Refused where it was asked for
    something else.
    """
    _hold(session, dag_id)
    if run_id is not None and (found := runs_by_id(session, [(dag_id, run_id)])):
        check_same_request(found[0], conf)
        return run_id
    busy = active_runs(session, [dag_id])
    if busy:
        raise Refused(
            f"a run of this schedule is already {busy[0].state}: {busy[0].run_id!r}",
            hint="wait until it has finished, or cancel it",
        )
    created = _trigger(
        session, dag_id, run_id=run_id, user_name=user_name, conf=conf, from_page=from_page
    )
    if note:
        created.note = (storable(note), user_id)
    return str(created.run_id)


def check_same_request(run: AirflowRun, conf: dict[str, Any]) -> None:
    """Refuse where a run was asked for something else than ``conf``."""
    if run.conf != storable(conf):
        raise other_request()


def other_request() -> Refused:
    """Return why a key starts nothing that was used for something else."""
    return Refused(
        "this key was used for another request", hint="take a new key for each run that you want"
    )


def check_startable(session: Session, dag_id: str) -> None:
    """Refuse where a run of a DAG that works on sets would not start."""
    dag = session.get(DagModel, dag_id)
    if dag is None or dag.is_stale:
        raise _no_dag(dag_id)
    if dag.is_paused:
        raise Refused(f"the DAG {dag_id!r} is paused", hint="unpause it in Airflow")


@at_once
def start_request(
    session: Session,
    dag_id: str,
    run_id: str,
    *,
    user_name: str,
    user_id: str,
    note: str,
    from_page: bool,
) -> None:
    """Queue the run ``run_id`` of a DAG that works on sets; what it shall do, its ticket says."""
    created = _trigger(
        session, dag_id, run_id=run_id, user_name=user_name, conf={}, from_page=from_page
    )
    created.note = (storable(note), user_id)


def _hold(session: Session, dag_id: str) -> None:
    """
    Write to the DAG's row without changing it, which holds it (on SQLite: the database) to the end.

    So of two requests at the same moment, one sees the run of the other.
    """
    session.execute(
        update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=DagModel.is_paused)
    )


def _trigger(
    session: Session,
    dag_id: str,
    *,
    user_name: str,
    conf: dict[str, Any],
    from_page: bool,
    run_id: str | None = None,
) -> DagRun:
    try:
        created = trigger_dag(
            dag_id,
            triggered_by=DagRunTriggeredByType.UI if from_page else DagRunTriggeredByType.REST_API,
            triggering_user_name=user_name,
            run_id=run_id,
            conf=storable(conf),
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


@at_once
def cancel_run(session: Session, dag_id: str, run_id: str) -> None:
    """Stop a run: its tasks are told to end, and it counts as failed in Airflow."""
    found = check_active(session, dag_id, run_id)
    dag = DBDagBag().get_dag_for_run(found, session=session)
    if dag is None:
        raise _no_dag(dag_id)
    patch_dag_run_state(dag=dag, dag_run=found, state=DagRunMutableStates.FAILED, session=session)


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


def _no_run(run_id: str) -> NotFound:
    return NotFound(f"no run {run_id!r}", hint="look at the history of the schedule")


def _no_dag(dag_id: str) -> Refused:
    return Refused(
        f"there is no DAG {dag_id!r} to work with",
        hint="is the schedule valid, and the DAG processor running? see 'airflow-backup validate'",
    )
