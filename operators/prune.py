"""Removes the sets that a schedule no longer keeps: the verb `prune` as an Airflow task."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator, Context

from airflow_backup.actions.maintain.prune import prune
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import StorageDenied
from airflow_backup.operators.airflow_settings import catalog_url, connection
from airflow_backup.operators.fence import roots_for
from airflow_backup.operators.retry_policy import BackupRetryPolicy
from airflow_backup.operators.runs import run_id_of
from airflow_backup.schedules.model.schedule import Schedule


class PruneOperator(BaseOperator):
    """
    Remove what the schedule's retention no longer keeps; log the verdict on every set.

    :param schedule: whose sets to judge
    """

    def __init__(self, *, schedule: Schedule, fenced: bool = False, **kwargs: Any) -> None:
        kwargs.setdefault("retries", schedule.retry.max_retries)
        kwargs.setdefault("retry_delay", schedule.retry.delay)
        kwargs.setdefault("retry_policy", BackupRetryPolicy(schedule.retry))
        super().__init__(**kwargs)
        self.schedule = schedule
        self.fenced = fenced

    def execute(self, context: Context) -> dict[str, Any]:
        """Prune; the result goes to XCom."""
        roots_for(self.schedule, fenced=self.fenced)
        with Catalog.open(catalog_url()) as catalog:
            result = prune(
                self.schedule,
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
