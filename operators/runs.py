"""What a task's context says about the run it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_backup.core.words import Trigger

_TRIGGERS = {
    "scheduled": Trigger.SCHEDULE,
    "manual": Trigger.MANUAL,
    "asset_triggered": Trigger.DEPENDENCY,
    "asset_materialization": Trigger.DEPENDENCY,
}


def trigger_of(context: Mapping[str, Any]) -> Trigger:
    """Return what started the run."""
    return _TRIGGERS.get(
        str(getattr(context["dag_run"].run_type, "value", context["dag_run"].run_type)),
        Trigger.MANUAL,
    )


def is_manual(context: Mapping[str, Any]) -> bool:
    """Whether a person started the run."""
    return trigger_of(context) is Trigger.MANUAL


def fire_time_of(context: Mapping[str, Any]) -> datetime:
    """Return when the run was due (UTC): its slot, or for a run without one the moment it was asked for."""
    run = context["dag_run"]
    moment: datetime = run.logical_date or run.run_after
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def conf_of(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the run's own parameters, as given to run-now."""
    return dict(context["dag_run"].conf or {})


def run_id_of(context: Mapping[str, Any]) -> str:
    """Return the id of the run."""
    return str(context["dag_run"].run_id)
