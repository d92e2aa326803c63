"""How a running backup is watched and told: its progress, its limits, and what people ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from airflow.sdk import Context

from airflow_backup.actions.backup.control import Control, Limits
from airflow_backup.catalog import Catalog
from airflow_backup.core.words import Trigger
from airflow_backup.operators.shared.runs import run_of, trigger_of
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.windows import opening_at


def publisher_of(context: Context) -> Callable[[dict[str, Any]], None]:
    """Return what stores progress where the page finds it."""
    store = context.get("task_state_store")

    def publish(progress: dict[str, Any]) -> None:
        if store is not None:
            store.set("progress", progress)

    return publish


def control_of(
    catalog: Catalog,
    schedule: Schedule,
    context: Context,
    *,
    keep: Callable[[], None],
    clock: Callable[[], datetime],
) -> Control:
    """Return what watches the limits of a run and hears what people ask of it; ``keep`` renews its lease."""
    run_id, impatient = run_of(context).id, catalog.impatient()
    return Control(
        limits=Limits(
            max_duration=schedule.max_duration,
            closes_at=closing_time(schedule, context, clock()),
            max_pause=schedule.max_pause,
        ),
        clock=clock,
        orders=lambda: impatient.orders.last(schedule.id, run_id),
        publish=publisher_of(context),
        keep=keep,
    )


def closing_time(schedule: Schedule, context: Mapping[str, Any], now: datetime) -> datetime | None:
    """Return when a running backup must stop; None when it may finish, or a person started it."""
    if schedule.finish_in_window == "finish" or trigger_of(context) is Trigger.MANUAL:
        return None
    opening = opening_at(schedule.window, now, timezone=schedule.timezone)
    return None if opening is None else opening.closes_at
