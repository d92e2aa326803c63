"""What waits in the triggerer: for a window to open, asking the same pure function, or for a while."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent
from pydantic import ValidationError

from airflow_backup.catalog import Catalog
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import BackupError
from airflow_backup.operators.shared.airflow_settings import catalog_url
from airflow_backup.schedules.times.start_policy import Decision, StartPolicy, decide

log = logging.getLogger(__name__)

LONGEST_SLEEP = 60.0
"""Seconds; the clock may be set while we sleep, or the window edited, so look again."""


SHORTEST_DEFERRAL = timedelta(seconds=10)
"""Airflow 3.3 may fail a task whose trigger fires before the first leg is accounted for; wait in place."""


class WindowTrigger(BaseTrigger):
    """
    Fires when a run may start, or when it is clear that it will be skipped.

    :param policy: window and calendars, as plain data, as they were when the wait began
    :param fire_time: when the run should have started, ISO 8601 with offset
    :param schedule_id: whose window counts if it is edited meanwhile; none when missing
    """

    def __init__(
        self, policy: dict[str, Any], fire_time: str, schedule_id: str | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped in Airflow
        self.policy = policy
        self.fire_time = fire_time
        self.schedule_id = schedule_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        return "airflow_backup.operators.triggers.WindowTrigger", {
            "policy": self.policy,
            "fire_time": self.fire_time,
            "schedule_id": self.schedule_id,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; yield one event with the action and its reason."""
        policy, fire_time = (
            StartPolicy.model_validate(self.policy),
            datetime.fromisoformat(self.fire_time),
        )
        while True:
            policy = await asyncio.to_thread(policy_now, self.schedule_id, policy)
            now = utc_now()
            decision = decide(policy, fire_time=fire_time, now=now)
            if decision.until is None:
                event = {"action": decision.action, "reason": decision.reason}
                yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # untyped in Airflow
                return
            left = (decision.until - now).total_seconds()
            await asyncio.sleep(min(max(left, 0.05), LONGEST_SLEEP))


class WaitTrigger(BaseTrigger):
    """
    Fires after some seconds; whoever waits then looks again.

    :param seconds: how long
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped in Airflow
        self.seconds = seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        return "airflow_backup.operators.triggers.WaitTrigger", {"seconds": self.seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; yield one event that says nothing."""
        await asyncio.sleep(self.seconds)
        yield TriggerEvent({})  # type: ignore[no-untyped-call]  # untyped in Airflow


def policy_now(schedule_id: str | None, known: StartPolicy) -> StartPolicy:
    """Return the window and calendars of a schedule as they are deployed now; ``known`` where nobody can tell."""
    if schedule_id is None:
        return known
    try:
        with Catalog.open(catalog_url()) as catalog:
            row = catalog.deployed.get(schedule_id)
        if row is None or not row.definition:
            return known
        return StartPolicy.model_validate(
            {
                name: row.definition[name]
                for name in StartPolicy.model_fields
                if name in row.definition
            }
        )
    except (BackupError, ValidationError) as error:
        log.warning(
            "whether the window of %s was edited cannot be read now: %s", schedule_id, error
        )
        return known


def wait_for_opening(
    task: BaseOperator,
    policy: StartPolicy,
    *,
    fire_time: datetime,
    clock: Callable[[], datetime],
    deferrable: bool = True,
    schedule_id: str | None = None,
) -> Decision:
    """
    Return the decision to start or to skip a run that was due at ``fire_time``.

    Where it has to wait for long, the task is deferred, and goes on with its method ``resume``. The window of the
    schedule ``schedule_id`` counts as it is at each moment: one that is edited meanwhile counts within a minute.
    """
    while (decision := decide(policy, fire_time=fire_time, now=clock())).until is not None:
        task.log.info("%s", decision.reason)
        left = decision.until - clock()
        if deferrable and left >= SHORTEST_DEFERRAL:
            trigger = WindowTrigger(
                policy.model_dump(mode="json", exclude_defaults=True),
                fire_time.isoformat(),
                schedule_id,
            )
            task.defer(trigger=trigger, method_name="resume")
        time.sleep(min(max(left.total_seconds(), 0.05), LONGEST_SLEEP))
        policy = policy_now(schedule_id, policy)
    return decision
