"""The triggerer's half of the sensor: sleeps until the window opens, asking the same pure function."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_backup.schedules.times.start_policy import StartPolicy, decide

LONGEST_SLEEP = 60.0
"""Seconds; the clock may be set while we sleep, so look at it again."""


class WindowTrigger(BaseTrigger):
    """
    Fires when a run may start, or when it is clear that it will be skipped.

    :param policy: window and calendars, as plain data
    :param fire_time: when the run should have started, ISO 8601 with offset
    """

    def __init__(self, policy: dict[str, Any], fire_time: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped in Airflow
        self.policy = policy
        self.fire_time = fire_time

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        return "airflow_backup.operators.triggers.WindowTrigger", {
            "policy": self.policy,
            "fire_time": self.fire_time,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; yield one event with the action and its reason."""
        policy, fire_time = (
            StartPolicy.model_validate(self.policy),
            datetime.fromisoformat(self.fire_time),
        )
        while True:
            now = datetime.now(UTC)
            decision = decide(policy, fire_time=fire_time, now=now)
            if decision.until is None:
                event = {"action": decision.action, "reason": decision.reason}
                yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # untyped in Airflow
                return
            left = (decision.until - now).total_seconds()
            await asyncio.sleep(min(max(left, 0.05), LONGEST_SLEEP))
