"""Proves the set of a run: the verb `verify` as an Airflow task."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from airflow_backup.actions.verify.scheduled import raise_what_is_bad, verify_as_scheduled
from airflow_backup.actions.verify.verify import Verifier
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import Cancelled, NotFound
from airflow_backup.core.ids import set_id
from airflow_backup.core.process import running
from airflow_backup.core.progress import Progress, Reporter
from airflow_backup.operators.shared.airflow_settings import PATIENCE, catalog_url, connection
from airflow_backup.operators.shared.of_schedule import ScheduleOperator
from airflow_backup.operators.shared.runs import fire_time_of, run_id_of


class VerifyOperator(ScheduleOperator):
    """
    Prove the set that this run stored, as far as the schedule's `verify` asks for it now.

    Fails when the set is damaged or was tampered with: the set is quarantined, nothing is pruned
    after it, and the next run takes a full set. Skips, with the reason, when nothing is due.

    In a DAG of your own, named ``backup__reports``, after its `BackupOperator`::

        VerifyOperator(task_id="verify", schedule="reports")

    :param schedule: whose set to verify; its id is enough, and is looked up when the task runs
    """

    _killed = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Verify; the result goes to XCom."""
        with Catalog.open(catalog_url(), patience=PATIENCE) as catalog:
            schedule = self.schedule_now(catalog)
            verifier = Verifier(
                schedule,
                catalog=catalog,
                connections=connection,
                clock=_now,
                reporter=Reporter(self._listener(context)),
            )
            wanted = set_id(schedule.id, run_id_of(context), fire_time_of(context))
            if catalog.sets.get(wanted) is None:
                raise NotFound(
                    f"the catalog does not know set '{wanted}' of this run",
                    hint="was it pruned? airflow-backup sync, if it is still stored",
                )
            found = verify_as_scheduled(verifier, schedule, catalog, wanted, now=_now())
        if not found.results:
            raise AirflowSkipException("; ".join(found.reasons))
        raise_what_is_bad(found.results, schedule.id)
        return found.results[0].as_dict()

    def on_kill(self) -> None:
        """End the tools that run for us."""
        self._killed = True
        running.end_all()

    def _listener(self, context: Context) -> Callable[[Progress], None]:
        tell = tell_progress(context)

        def listen(progress: Progress) -> None:
            if self._killed:
                raise Cancelled("the verification was cancelled")
            tell(progress)

        return listen


def tell_progress(context: Context) -> Callable[[Progress], None]:
    """Return a listener that shows progress in Airflow."""
    store = context.get("task_state_store")

    def listen(progress: Progress) -> None:
        if store is not None:
            store.set("progress", progress.as_dict())

    return listen


def _now() -> datetime:
    return datetime.now(UTC)
