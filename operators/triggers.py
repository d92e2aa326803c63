"""The triggerer's half of the sensor: sleeps until the gate opens, asking the same pure function."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_backup.schedules.times.start_policy import Gate, decide

LONGEST_SLEEP = 60.0
"""Seconds; the clock may be set while we sleep, so look at it again."""


class WindowTrigger(BaseTrigger):
    """
    Fires when a run may start, or when it is clear that it will be skipped.

    :param gate: window and calendars, as plain data
    :param due: when the run was due, ISO 8601 with offset
    """

    def __init__(self, gate: dict[str, Any], due: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped in Airflow
        self.gate = gate
        self.due = due

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        return "airflow_backup.operators.triggers.WindowTrigger", {
            "gate": self.gate,
            "due": self.due,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; yield one event with the action and its reason."""
        gate, due = Gate.model_validate(self.gate), datetime.fromisoformat(self.due)
        while True:
            now = datetime.now(UTC)
            decision = decide(gate, due=due, now=now)
            if decision.until is None:
                event = {"action": decision.action, "reason": decision.reason}
                yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # untyped in Airflow
                return
            left = (decision.until - now).total_seconds()
            await asyncio.sleep(min(max(left, 0.05), LONGEST_SLEEP))
