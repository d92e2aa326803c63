"""
The DAGs that are there for all schedules: a restore, a verification, a look that a person asks for; the monitor.

A restore runs where the schedule's own tasks run, so there is such a DAG for each placement that schedules have.

All but the monitor are started through the API, which writes a ticket for each run; started in Airflow itself
they fail.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG
from airflow.utils.types import DagRunType

from airflow_backup.actions.alerts.monitor.unserved import PERIOD
from airflow_backup.core.ids import requested_dag_id
from airflow_backup.core.text.durations import parse_duration
from airflow_backup.dags.factory import POOL, START, TAG
from airflow_backup.operators.asked import AskedOperator
from airflow_backup.operators.monitor import BackupMonitorOperator
from airflow_backup.operators.requested import RequestedRestoreOperator, RequestedVerifyOperator
from airflow_backup.operators.shared.airflow_settings import option
from airflow_backup.operators.shared.placement import task_arguments
from airflow_backup.schedules.model.placement import Placement

RESTORE = requested_dag_id("restore", None)
VERIFY = requested_dag_id("verify", None)
ASK = requested_dag_id("ask", None)
MONITOR = "backup_monitor"
NOWHERE = Placement()
"""Airflow's defaults."""

log = logging.getLogger(__name__)

_SHORTEST = timedelta(seconds=10)
LONGEST_LOOK = timedelta(minutes=5)
_FIRST = 1000
"""More than the priority of any backup."""


def restore_dag(placement: Placement = NOWHERE) -> DAG:
    """Make the DAG that restores, on the workers of one placement."""
    dag = _dag(
        requested_dag_id("restore", placement.name),
        "Restores that were asked for on the page Backups; it does not start here",
    )
    RequestedRestoreOperator(task_id="restore", dag=dag, **_placed(placement))
    return dag


def verify_dag(placement: Placement = NOWHERE) -> DAG:
    """Make the DAG that verifies a set when a person asks for it, on the workers of one placement."""
    dag = _dag(
        requested_dag_id("verify", placement.name),
        "Verifications that were asked for on the page Backups; it does not start here",
    )
    RequestedVerifyOperator(task_id="verify", dag=dag, **_placed(placement))
    return dag


def ask_dag(placement: Placement = NOWHERE) -> DAG:
    """
    Make the DAG that looks into sets and sources for a person, on the workers of one placement.

    It runs in Airflow's own pool: a person waits, and a look takes nothing that the pool of backups counts.
    """
    dag = _dag(
        requested_dag_id("ask", placement.name),
        "Looks into sets and sources that were asked for on the page Backups; it does not start here",
    )
    AskedOperator(
        task_id="ask",
        dag=dag,
        execution_timeout=LONGEST_LOOK,
        priority_weight=_FIRST,
        weight_rule="absolute",
        **task_arguments(placement),
    )
    return dag


def _placed(placement: Placement) -> dict[str, Any]:
    return {"pool": placement.pool or POOL, **task_arguments(placement)}


def verb_dags(placements: Iterable[Placement]) -> Iterator[DAG]:
    """Make the DAGs that are there for every schedule, and those on demand for each placement that schedules have."""
    yield from (make() for make in VERBS.values())
    for placement in sorted(set(placements) - {NOWHERE}, key=repr):
        yield restore_dag(placement)
        yield verify_dag(placement)
        yield ask_dag(placement)


def verb_dag_of_task(wanted: str) -> DAG | None:
    """Make the DAG of a task, which runs where it was sent to already; None for a DAG of a schedule, or of others."""
    verb, _, place = wanted.partition("__")
    if verb not in VERBS or (place and verb == MONITOR):
        return None
    dag = VERBS[verb]()
    dag.dag_id = wanted
    return dag


def monitor_dag() -> DAG:
    """
    Make the DAG that looks at everything every few minutes.

    It waits for no backup: it runs in Airflow's own pool, goes before all else, and a look that hangs is ended
    before the next one is due.
    """
    every = _interval()
    dag = DAG(
        MONITOR,
        description="Looks at every schedule, and tells whom it concerns; see docs/how-to/alerts.md",
        schedule=every,
        start_date=START,
        catchup=False,
        auto_register=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        dagrun_timeout=2 * max(every, PERIOD),
        tags={TAG},
        render_template_as_native_obj=False,
    )
    BackupMonitorOperator(
        task_id="monitor",
        dag=dag,
        retries=0,
        execution_timeout=max(every, PERIOD),
        every=every,
        priority_weight=_FIRST,
        weight_rule="absolute",
    )
    return dag


def _interval() -> timedelta:
    """Return ``[backup] monitor_interval``; what is wrong there must not cost anybody the monitor."""
    given = option("monitor_interval")
    try:
        return PERIOD if given is None else max(parse_duration(given), _SHORTEST)
    except ValueError as error:
        log.error("[backup] monitor_interval: %s; it is every %s instead", error, PERIOD)
        return PERIOD


VERBS: dict[str, Callable[[], DAG]] = {
    RESTORE: restore_dag,
    VERIFY: verify_dag,
    ASK: ask_dag,
    MONITOR: monitor_dag,
}


def _dag(name: str, description: str) -> DAG:
    return DAG(
        name,
        description=description,
        schedule=None,
        catchup=False,
        auto_register=False,
        max_active_runs=4,
        is_paused_upon_creation=False,
        allowed_run_types={DagRunType.MANUAL},  # type: ignore[arg-type]  # the SDK's own enum
        tags={TAG},
        render_template_as_native_obj=False,
    )
