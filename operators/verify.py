"""Proves the set of a run: the verb `verify` as an Airflow task."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from airflow_backup.actions.verify.scheduled import raise_what_is_bad, verify_as_scheduled
from airflow_backup.actions.verify.verify import Verifier
from airflow_backup.catalog import Catalog
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import NotFound
from airflow_backup.core.ids import set_id
from airflow_backup.core.progress import Reporter
from airflow_backup.operators.shared.airflow_settings import PATIENCE, catalog_url, connection
from airflow_backup.operators.shared.of_schedule import ScheduleOperator
from airflow_backup.operators.shared.runs import fire_time_of, run_id_of
from airflow_backup.operators.shared.telling import telling


class VerifyOperator(ScheduleOperator):
    """
    Prove the set that this run stored, as far as the schedule's `verify` asks for it now.

    Fails when the set is damaged or was tampered with: the set is quarantined, nothing is pruned
    after it, and the next run takes a full set. Skips, with the reason, when nothing is due.

    In a DAG of your own, named ``backup__reports``, after its `BackupOperator`::

        VerifyOperator(task_id="verify", schedule="reports")

    :param schedule: whose set to verify; its id is enough, and is looked up when the task runs
    """

    _cancelled = "the verification was cancelled"

    def execute(self, context: Context) -> dict[str, Any]:
        """Verify; the result goes to XCom."""
        with (
            Catalog.open(catalog_url(), patience=PATIENCE) as catalog,
            telling(context, check=self._require_wanted) as listener,
        ):
            schedule = self.schedule_now(catalog)
            verifier = Verifier(
                schedule,
                catalog=catalog,
                connections=connection,
                clock=utc_now,
                reporter=Reporter(listener),
            )
            wanted = set_id(schedule.id, run_id_of(context), fire_time_of(context))
            if catalog.sets.get(wanted) is None:
                raise NotFound(
                    f"the catalog does not know set '{wanted}' of this run",
                    hint="was it pruned? airflow-backup sync, if it is still stored",
                )
            found = verify_as_scheduled(verifier, schedule, catalog, wanted, now=utc_now())
        if not found.results:
            raise AirflowSkipException("; ".join(found.reasons))
        raise_what_is_bad(found.results, schedule.id)
        return found.results[0].as_dict()
