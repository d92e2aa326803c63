"""Removes the sets that a schedule no longer keeps: the verb `prune` as an Airflow task."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator, Context

from airflow_backup.actions.maintain.prune import prune
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import StorageDenied
from airflow_backup.operators.retry_policy import BackupRetryPolicy
from airflow_backup.operators.shared.airflow_settings import PATIENCE, catalog_url, connection
from airflow_backup.operators.shared.fence import roots_for
from airflow_backup.operators.shared.in_force import schedule_in_force
from airflow_backup.operators.shared.runs import run_id_of
from airflow_backup.schedules.model.policies import Retry
from airflow_backup.schedules.model.schedule import Schedule


class PruneOperator(BaseOperator):
    """
    Remove what the schedule's retention no longer keeps; log the verdict on every set.

    :param schedule: whose sets to judge; its id is enough, and is looked up when the task runs
    """

    def __init__(self, *, schedule: Schedule | str, fenced: bool = False, **kwargs: Any) -> None:
        retry = Retry() if isinstance(schedule, str) else schedule.retry
        kwargs.setdefault("retries", retry.max_retries)
        kwargs.setdefault("retry_delay", retry.delay)
        kwargs.setdefault("retry_policy", BackupRetryPolicy(retry))
        super().__init__(**kwargs)
        self.schedule = schedule
        self.fenced = fenced

    def execute(self, context: Context) -> dict[str, Any]:
        """Prune; the result goes to XCom."""
        if not isinstance(self.schedule, str):
            roots_for(self.schedule, fenced=self.fenced)
        with Catalog.open(catalog_url(), patience=PATIENCE) as catalog:
            schedule = (
                schedule_in_force(catalog, self.schedule)
                if isinstance(self.schedule, str)
                else self.schedule
            )
            result = prune(
                schedule,
                catalog=catalog,
                connections=connection,
                clock=lambda: datetime.now(UTC),
                actor=f"run {run_id_of(context)}",
            )
        for verdict in result.verdicts:
            word = "kept" if verdict.kept else "removed"
            self.log.info("%s %s: %s", word, verdict.set.set_id, ", ".join(verdict.reasons))
        if result.refused:
            raise StorageDenied(
                f"{len(result.refused)} sets could not be removed: {next(iter(result.refused.values()))}",
                hint="are they locked in the storage? may these credentials delete?",
            )
        return {"removed": list(result.removed), "bytes_removed": result.bytes_removed}
