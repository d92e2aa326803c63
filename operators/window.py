"""Waits for the schedule's window, or skips the run with a reason."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import BaseSensorOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from airflow_backup.catalog import Catalog
from airflow_backup.operators.airflow_settings import catalog_url
from airflow_backup.operators.runs import fire_time_of, is_manual
from airflow_backup.operators.triggers import WindowTrigger
from airflow_backup.schedules.model.calendars import Calendar
from airflow_backup.schedules.model.windows import Window
from airflow_backup.schedules.times.holds import hold_text, maintenance_of, pause_at, skips
from airflow_backup.schedules.times.start_policy import Decision, StartPolicy, decide

SHORTEST_DEFERRAL = timedelta(seconds=10)
"""Airflow 3.3 may fail a task whose trigger fires before the first leg is accounted for; wait in place."""


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
            self._refuse_in_maintenance()
            self.log.info("started by hand: windows and calendars do not hold it")
            return "started by hand"
        fire_time = fire_time_of(context)
        while True:
            now = datetime.now(UTC)
            decision = decide(self.policy, fire_time=fire_time, now=now)
            if decision.until is None:
                return self._conclude(decision)
            self.log.info("%s", decision.reason)
            left = decision.until - now
            if self.deferrable and left >= SHORTEST_DEFERRAL:
                trigger = WindowTrigger(
                    self.policy.model_dump(mode="json", exclude_defaults=True),
                    fire_time.isoformat(),
                )
                self.defer(trigger=trigger, method_name="resume")
            time.sleep(min(max(left.total_seconds(), 0.05), 60.0))

    def resume(self, context: Context, event: dict[str, Any]) -> str:
        """Go on where the trigger left off."""
        return self._conclude(Decision(event["action"], event["reason"]))

    def _conclude(self, decision: Decision) -> str:
        if decision.action == "skip":
            raise AirflowSkipException(decision.reason)
        held = self._held()
        if held is not None:
            raise AirflowSkipException(held)
        self.log.info("%s", decision.reason)
        return decision.reason

    def _refuse_in_maintenance(self) -> None:
        if self.schedule_id is None:
            return
        now = datetime.now(UTC)
        with Catalog.open(catalog_url()) as catalog:
            found = maintenance_of(catalog.holds.active(self.schedule_id, now=now))
        if found is not None:
            raise AirflowSkipException(hold_text(found, self.policy.timezone))

    def _held(self) -> str | None:
        """Say which hold forbids the run; a hold for one run ends with it."""
        if self.schedule_id is None:
            return None
        now = datetime.now(UTC)
        with Catalog.open(catalog_url()) as catalog:
            holds = catalog.holds.active(self.schedule_id, now=now)
            pause = pause_at(holds, now)
            if pause is not None:
                return hold_text(pause, self.policy.timezone)
            for hold in skips(holds)[:1]:
                catalog.holds.end(hold.id, at=now)
                return hold_text(hold, self.policy.timezone)
        return None
