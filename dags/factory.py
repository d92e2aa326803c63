"""One schedule becomes one DAG: small, dumb and the same every time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from airflow.sdk import DAG, Asset, BaseOperator
from airflow.sdk.configuration import conf
from airflow.utils.types import DagRunType

from airflow_backup.core.ids import dag_id
from airflow_backup.dags.timetable import BackupTimetable
from airflow_backup.operators.backup import BackupOperator
from airflow_backup.operators.prune import PruneOperator
from airflow_backup.operators.shared.fence import check_placement
from airflow_backup.operators.shared.placement import task_arguments
from airflow_backup.operators.verify import VerifyOperator
from airflow_backup.operators.window import BackupWindowSensor
from airflow_backup.schedules.model.placement import Placement
from airflow_backup.schedules.model.schedule import Schedule

POOL = "backup"
TAG = "backup"
START = datetime(2020, 1, 1, tzinfo=UTC)
"""Fixed, so that a DAG never changes by itself; the timetable decides what of the past is run."""

TASKS = ("window", "backup", "verify", "prune")
"""The tasks that a DAG of ours can have, in order."""

_MOST_TASKS = 16
"""More than a DAG of ours has; given so that Airflow does not look it up for each of thousands of DAGs."""

_LONGEST_WAIT = 9 * 86_400.0
"""Seconds; a window opens once a week at least, and daylight saving may put it an hour off."""


@lru_cache(maxsize=1)
def _bundle_versioning_is_off() -> bool:
    # The same for every DAG, and slow to look up for each of them.
    return bool(conf.getboolean("dag_processor", "disable_bundle_versioning"))


def build(
    schedule: Schedule,
    definition: Mapping[str, Any] | None = None,
    *,
    fenced: bool = False,
    version: int | None = None,
    for_task: bool = False,
) -> DAG:
    """
    Make the DAG of a schedule. Not registered: the caller publishes it when it is whole.

    ``definition`` is the schedule as plain data, where the caller has it. ``fenced``: it was made on the page,
    and may name only paths that an administrator allows; ``version`` is its number there. ``for_task``: with every
    task that a DAG of ours can have, since a run goes on that began before its schedule was edited.
    """
    placement = Placement.of(vars(schedule))
    # A task's process runs where it was sent to already, and need not know the templates.
    placed = {} if for_task else _placed(schedule, placement, fenced=fenced)
    dag = DAG(
        dag_id(schedule.id),
        description=schedule.description,
        schedule=_when(schedule),
        start_date=START,
        catchup=False,
        auto_register=False,
        max_active_runs=1,
        max_active_tasks=_MOST_TASKS,
        disable_bundle_versioning=_bundle_versioning_is_off(),
        max_consecutive_failed_dag_runs=schedule.disable_after_failures or 0,
        is_paused_upon_creation=not schedule.enabled,
        allowed_run_types=_run_types(schedule),
        tags={TAG, *schedule.tags, *([schedule.group] if schedule.group else [])},
        doc_md=_text(schedule.description),
    )
    window = BackupWindowSensor(
        task_id="window",
        dag=dag,
        window=schedule.window,
        outside_window=schedule.outside_window,
        skip_on=schedule.skip_on,
        timezone=schedule.timezone,
        schedule_id=schedule.id,
        timeout=_LONGEST_WAIT,
        **placed,
    )
    backup = BackupOperator.of(
        schedule,
        task_id="backup",
        dag=dag,
        definition=definition,
        fenced=fenced,
        version=version,
        pool=schedule.pool or POOL,
        priority_weight=schedule.priority,
        weight_rule="absolute",
        outlets=[asset(schedule.id)],
        **placed,
    )
    window.set_downstream(backup)
    _add_verify_and_prune(dag, backup, schedule, placed, for_task=for_task)
    return dag


def _placed(schedule: Schedule, placement: Placement, *, fenced: bool) -> dict[str, Any]:
    """Return what places tasks; Refused where a schedule made on the page chose what is not for it."""
    if not any(placement):
        return {}
    if fenced:
        check_placement(schedule)
    return task_arguments(placement)


def _add_verify_and_prune(
    dag: DAG, backup: BackupOperator, schedule: Schedule, placed: dict[str, Any], *, for_task: bool
) -> None:
    before: list[BaseOperator] = [backup]
    policy = schedule.verify
    if for_task or policy.level != "none" or policy.restore_test not in (None, "never"):
        verify = VerifyOperator(
            task_id="verify",
            dag=dag,
            schedule=schedule,
            fenced=backup.fenced,
            pool=schedule.pool or POOL,
            priority_weight=schedule.priority,
            weight_rule="absolute",
            **placed,
        )
        backup.set_downstream(verify)
        before.append(verify)
    if for_task or schedule.retention is not None:
        # Not after a failure of either. A verification that was not due counts for nothing, and a
        # backup that was skipped leaves nothing to prune after.
        prune = PruneOperator(
            task_id="prune",
            dag=dag,
            schedule=schedule,
            fenced=backup.fenced,
            trigger_rule="none_failed_min_one_success",
            **({} if schedule.pool is None else {"pool": schedule.pool}),
            **placed,
        )
        prune.set_upstream(before)


def asset(schedule_id: str) -> Asset:
    """Return the asset that a completed backup updates; ``after:`` and DAGs of your own may follow it."""
    return Asset(name=f"backup/{schedule_id}", uri=f"backup://{schedule_id}")


def _when(schedule: Schedule) -> Any:
    if schedule.after:
        return [asset(name) for name in schedule.after]
    return BackupTimetable.of(schedule)


def _run_types(schedule: Schedule) -> Any:  # the SDK has its own copy of this enum, and converts
    """Forbid backfill: a backup of the past cannot be taken."""
    own = DagRunType.ASSET_TRIGGERED if schedule.after else DagRunType.SCHEDULED
    return {own, DagRunType.MANUAL}


def _text(description: str | None) -> str | None:
    """Keep text what it is: Airflow would read the file that a `doc_md` ending in ``.md`` names."""
    return None if description is None else f"{description}\n"
