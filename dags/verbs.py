"""
The DAGs that are there for every schedule: a restore, and a verification, that a person asks for.

They are started through the API, which writes a ticket for each run; started in Airflow itself they fail.
"""

from __future__ import annotations

from collections.abc import Callable

from airflow.sdk import DAG
from airflow.utils.types import DagRunType

from airflow_backup.dags.factory import POOL, TAG
from airflow_backup.operators.requested import RequestedRestoreOperator, RequestedVerifyOperator

RESTORE = "backup_restore"
VERIFY = "backup_verify"


def restore_dag() -> DAG:
    """Make the DAG that restores."""
    dag = _dag(RESTORE, "Restores that were asked for on the page Backups; it does not start here")
    RequestedRestoreOperator(task_id="restore", dag=dag, pool=POOL)
    return dag


def verify_dag() -> DAG:
    """Make the DAG that verifies a set when a person asks for it."""
    dag = _dag(
        VERIFY, "Verifications that were asked for on the page Backups; it does not start here"
    )
    RequestedVerifyOperator(task_id="verify", dag=dag, pool=POOL)
    return dag


VERBS: dict[str, Callable[[], DAG]] = {RESTORE: restore_dag, VERIFY: verify_dag}


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
