"""Removes the sets that a schedule no longer keeps: the verb `prune` as an Airflow task."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from airflow_backup.actions.maintain.prune import prune
from airflow_backup.catalog import Catalog
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import StorageDenied
from airflow_backup.core.text.counts import counted
from airflow_backup.operators.shared.airflow_settings import PATIENCE, catalog_url, connection
from airflow_backup.operators.shared.of_schedule import ScheduleOperator
from airflow_backup.operators.shared.runs import run_id_of


class PruneOperator(ScheduleOperator):
    """
    Remove what the schedule's retention no longer keeps; log the verdict on every set.

    :param schedule: whose sets to judge; its id is enough, and is looked up when the task runs
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Prune; the result goes to XCom."""
        with Catalog.open(catalog_url(), patience=PATIENCE) as catalog:
            schedule = self.schedule_now(catalog)
            result = prune(
                schedule,
                catalog=catalog,
                connections=connection,
                clock=utc_now,
                actor=f"run {run_id_of(context)}",
            )
        for verdict in result.verdicts:
            word = "kept" if verdict.kept else "removed"
            self.log.info("%s %s: %s", word, verdict.set.set_id, ", ".join(verdict.reasons))
        if result.refused:
            raise StorageDenied(
                f"{counted(len(result.refused), 'set')} could not be removed: {next(iter(result.refused.values()))}",
                hint="are they locked in the storage? may these credentials delete?",
            )
        return {"removed": list(result.removed), "bytes_removed": result.bytes_removed}
