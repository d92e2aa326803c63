"""
What people tell runs that go on: wait, go on, stop. Kept in the catalog, with who and why; the worker looks there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import Order
from airflow_backup.core.errors import BackupError, Refused
from airflow_backup.core.ids import dag_id, schedule_id_of
from airflow_backup.core.words import EventKind
from airflow_backup.plugin.access import Access
from airflow_backup.plugin.airflow import changes as airflow_changes
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.airflow.records import AirflowRun
from airflow_backup.plugin.schemas.edits import BulkResult
from airflow_backup.plugin.schemas.schedules import Permissions
from airflow_backup.plugin.views.rows import Row
from airflow_backup.plugin.views.runs import trigger_of


@dataclass(frozen=True)
class Teller:
    """Whoever tells a run something, and when."""

    catalog: Catalog
    session: Session
    by: str
    now: datetime

    def cancel(self, dag: str, run_id: str, reason: str | None) -> None:
        """Stop a run; the order is written first, so that whoever ends it knows who wanted it."""
        found = airflow_changes.check_active(self.session, dag, run_id)
        run_at, trigger = found.logical_date or found.run_after, trigger_of(found.run_type)
        order = self._tell(dag, run_id, "cancel", reason, begun_at=found.queued_at)
        airflow_changes.cancel_run(self.session, dag, run_id)
        # Of a run that waits nobody else can say so: its backup never begins.
        self.catalog.executions.skip(
            _id_of(dag),
            run_id,
            run_at=run_at,
            trigger=trigger,
            at=self.now,
            reason=order.text,
            kind=EventKind.CANCELLED,
        )

    def pause(self, dag: str, run_id: str, reason: str | None) -> None:
        """Let a running backup stand still."""
        found = airflow_changes.check_running(self.session, dag, run_id)
        self._tell(dag, run_id, "pause", reason, begun_at=found.queued_at)

    def resume(self, dag: str, run_id: str) -> None:
        """Let a backup that stands still go on."""
        found = airflow_changes.check_running(self.session, dag, run_id)
        self._tell(dag, run_id, "resume", None, begun_at=found.queued_at)

    def pause_all(self, access: Access, rows: list[Row], reason: str | None) -> list[BulkResult]:
        """Let every backup that runs stand still; one answer for each that does not yet."""
        running = self._running(rows, is_paused=False)
        return self._each(access, running, lambda run: self.pause(run.dag_id, run.run_id, reason))

    def resume_all(self, access: Access, rows: list[Row]) -> list[BulkResult]:
        """Let every backup that stands still go on; one answer for each."""
        running = self._running(rows, is_paused=True)
        return self._each(access, running, lambda run: self.resume(run.dag_id, run.run_id))

    def _tell(
        self,
        dag: str,
        run_id: str,
        action: Literal["pause", "resume", "cancel"],
        reason: str | None,
        *,
        begun_at: datetime | None,
    ) -> Order:
        return self.catalog.orders.add(
            _id_of(dag),
            run_id,
            action,
            by=self.by,
            at=self.now,
            reason=reason,
            begun_at=begun_at,
        )

    def _running(self, rows: list[Row], *, is_paused: bool) -> list[AirflowRun]:
        dags = [dag_id(row.id) for row in rows]
        working = [run for run in airflow_reads.active_runs(self.session, dags) if run.is_working]
        told = self.catalog.orders.newest([(_id_of(run.dag_id), run.run_id) for run in working])
        paused = {key for key, order in told.items() if order.action == "pause"}
        return [run for run in working if ((_id_of(run.dag_id), run.run_id) in paused) == is_paused]

    def _each(
        self, access: Access, runs: list[AirflowRun], act: Callable[[AirflowRun], None]
    ) -> list[BulkResult]:
        may = access.permissions([_id_of(run.dag_id) for run in runs])
        return [_result(run, may[_id_of(run.dag_id)], act) for run in runs]


def _result(run: AirflowRun, may: Permissions, act: Callable[[AirflowRun], None]) -> BulkResult:
    schedule_id = _id_of(run.dag_id)
    try:
        if not may.cancel:
            raise Refused("your role does not allow this", hint=may.reason)
        act(run)
    except BackupError as error:
        return BulkResult(
            schedule_id=schedule_id, done=False, detail=error.message, hint=error.hint
        )
    return BulkResult(schedule_id=schedule_id, done=True)


def _id_of(dag: str) -> str:
    found = schedule_id_of(dag)
    assert found is not None
    return found
