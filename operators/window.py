"""Waits for the schedule's window, or skips the run with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseSensorOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from airflow_backup.catalog import Catalog
from airflow_backup.core.clock import utc_now
from airflow_backup.operators.shared.airflow_settings import PATIENCE, catalog_url
from airflow_backup.operators.shared.runs import fire_time_of, is_manual
from airflow_backup.operators.shared.unstarted import note_skipped
from airflow_backup.operators.triggers import wait_for_opening
from airflow_backup.schedules.model.calendars import Calendar
from airflow_backup.schedules.model.windows import Window
from airflow_backup.schedules.times.holds import hold_text, maintenance_of, pause_at, skips
from airflow_backup.schedules.times.start_policy import Decision, StartPolicy


class BackupWindowSensor(BaseSensorOperator):
    """
    Let a run pass when its window is open; wait for the opening, or skip with a reason.

    Waits in the triggerer, without a worker slot. A run that a person started passes at once, but for maintenance.

    :param window: weekly times in which a backup may start; always when empty
    :param outside_window: ``wait`` for the next opening, or ``skip`` the run
    :param skip_on: calendars on whose days no backup runs
    :param timezone: the zone in which times are meant
    :param schedule_id: whose holds (skip next, pause until) count; none when missing
    :param deferrable: wait in the triggerer; otherwise in this task
    """

    def __init__(
        self,
        *,
        window: Sequence[Window | dict[str, Any]] = (),
        outside_window: str = "wait",
        skip_on: Sequence[Calendar | dict[str, Any]] = (),
        timezone: str = "UTC",
        schedule_id: str | None = None,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retries", 2)
        kwargs.setdefault("retry_delay", timedelta(seconds=10))
        super().__init__(**kwargs)
        self.policy = StartPolicy.model_validate(
            {
                "window": list(window),
                "outside_window": outside_window,
                "skip_on": list(skip_on),
                "timezone": timezone,
            }
        )
        self.schedule_id = schedule_id
        self.deferrable = deferrable

    def execute(self, context: Context) -> str:
        """Return why the run may start; raise AirflowSkipException, or defer."""
        if is_manual(context):
            self._refuse_in_maintenance(context)
            self.log.info("started by hand: windows and calendars do not hold it")
            return "started by hand"
        decision = wait_for_opening(
            self,
            self.policy,
            fire_time=fire_time_of(context),
            clock=utc_now,
            deferrable=self.deferrable,
            schedule_id=self.schedule_id,
        )
        return self._conclude(decision, context)

    def resume(self, context: Context, event: dict[str, Any]) -> str:
        """Go on where the trigger left off."""
        return self._conclude(Decision(event["action"], event["reason"]), context)

    def _conclude(self, decision: Decision, context: Context) -> str:
        reason = decision.reason if decision.action == "skip" else self._held()
        if reason is not None:
            note_skipped(self.schedule_id, context, reason)
            raise AirflowSkipException(reason)
        self.log.info("%s", decision.reason)
        return decision.reason

    def _refuse_in_maintenance(self, context: Context) -> None:
        if self.schedule_id is None:
            return
        now = utc_now()
        with Catalog.open(catalog_url(), patience=PATIENCE) as catalog:
            found = maintenance_of(catalog.holds.active(self.schedule_id, now=now))
        if found is not None:
            reason = hold_text(found, self.policy.timezone)
            note_skipped(self.schedule_id, context, reason)
            raise AirflowSkipException(reason)

    def _held(self) -> str | None:
        """Say which hold forbids the run; a hold for one run ends with it."""
        if self.schedule_id is None:
            return None
        now = utc_now()
        with Catalog.open(catalog_url(), patience=PATIENCE) as catalog:
            holds = catalog.holds.active(self.schedule_id, now=now)
            pause = pause_at(holds, now)
            if pause is not None:
                return hold_text(pause, self.policy.timezone)
            for hold in skips(holds)[:1]:
                catalog.holds.end(hold.id, at=now)
                return hold_text(hold, self.policy.timezone)
        return None
