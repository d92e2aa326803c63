"""The DAGs that are there for every schedule: a restore, and a verification, that a person asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.sdk import DAG, Param
from airflow.utils.types import DagRunType

from airflow_backup.core.words import VerificationLevel
from airflow_backup.dags.factory import POOL, TAG
from airflow_backup.operators.restore import ConfirmedRestoreOperator
from airflow_backup.operators.verify import AskedVerifyOperator

RESTORE = "backup_restore"
VERIFY = "backup_verify"

_SCHEDULE = r"^[a-z][a-z0-9_-]{0,62}$"


def restore_dag() -> DAG:
    """Make the DAG that restores; who may start its runs may restore."""
    dag = _dag(
        RESTORE,
        "Restore what a schedule backed up, as it was at a moment",
        {
            "schedule": _text("whose sets are restored", pattern=_SCHEDULE),
            "at": _text(
                "the moment to come back to, ISO 8601; the newest set when empty", empty=True
            ),
            "set_id": _text("a set, instead of a moment", empty=True),
            "target": _text(
                "a new folder below one of the allowed roots, or connection:ID/database"
            ),
            "paths": Param(
                [],
                type="array",
                items={"type": "string"},
                description="only these files and folders",
            ),
            "confirm": _text("type the id of the schedule once more", pattern=_SCHEDULE),
        },
    )
    ConfirmedRestoreOperator(task_id="restore", dag=dag, pool=POOL)
    return dag


def verify_dag() -> DAG:
    """Make the DAG that verifies a set when a person asks for it."""
    dag = _dag(
        VERIFY,
        "Verify a set of a schedule",
        {
            "schedule": _text("whose set is verified", pattern=_SCHEDULE),
            "set_id": _text("which set; the newest when empty", empty=True),
            "level": Param("full", type="string", enum=[str(level) for level in VerificationLevel]),
        },
    )
    AskedVerifyOperator(task_id="verify", dag=dag, pool=POOL)
    return dag


VERBS: dict[str, Callable[[], DAG]] = {RESTORE: restore_dag, VERIFY: verify_dag}


def _dag(
    name: str, description: str, params: Any
) -> DAG:  # a plain mapping, as Airflow documents it
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
        params=params,
        render_template_as_native_obj=False,
    )


def _text(description: str, *, pattern: str | None = None, empty: bool = False) -> Param:
    more: dict[str, Any] = {} if pattern is None else {"pattern": pattern}
    if empty:
        return Param(None, type=["null", "string"], description=description, **more)
    return Param("", type="string", minLength=1, description=description, **more)
