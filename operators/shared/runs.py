"""What a task's context says about the run it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from airflow.sdk import BaseOperator

from airflow_backup.actions.backup.backup import Run
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.text.names import quoted
from airflow_backup.core.words import Kind, Trigger
from airflow_backup.operators.retry_policy import tries_again
from airflow_backup.operators.shared.worker import worker_of

LONGEST_NOTE = 1000
_OF_AIRFLOW = "airflow/"
"""Begins the keys that Airflow itself reads."""

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


class Asked(NamedTuple):
    """What a run was asked for when it was started, by its `conf`."""

    kind: Kind | None = None
    note: str | None = None


def asked_of(context: Mapping[str, Any], *, others: bool) -> Asked:
    """
    Return what a run was asked for; ConfigError where that is nothing that a run can be asked for.

    ``others``: the DAG is somebody's own, and its `conf` may hold more than is for us.
    """
    given = dict(context["dag_run"].conf or {})
    unknown = [
        str(name)
        for name in given
        if name not in Asked._fields and not str(name).startswith(_OF_AIRFLOW)
    ]
    if unknown and not others:
        raise ConfigError(
            f"a run cannot be asked for {', '.join(map(quoted, sorted(unknown)[:3]))}",
            hint="its conf may hold `kind` and `note`",
        )
    return Asked(_kind(given.get("kind")), _note(given.get("note")))


def _kind(given: Any) -> Kind | None:
    if given is None or given in list(Kind):
        return None if given is None else Kind(given)
    raise ConfigError(
        f"there is no kind {quoted(given)} of sets",
        hint=f"`kind` of the run's conf is one of {', '.join(Kind)}",
    )


def _note(given: Any) -> str | None:
    if given is None or (isinstance(given, str) and len(given) <= LONGEST_NOTE):
        return given
    raise ConfigError(
        "the note of the run is no short text",
        hint=f"`note` of the run's conf is a text of at most {LONGEST_NOTE} characters",
    )


def run_id_of(context: Mapping[str, Any]) -> str:
    """Return the id of the run."""
    return str(context["dag_run"].run_id)


def run_of(context: Mapping[str, Any]) -> Run:
    """Describe the run that a task belongs to."""
    return Run(
        id=context["dag_run"].run_id,
        at=fire_time_of(context),
        trigger=trigger_of(context),
        attempt=context["ti"].try_number,
    )


def started_run(task: BaseOperator, context: Mapping[str, Any]) -> Run:
    """Describe the run that a task begins to work for, here and now."""
    return replace(
        run_of(context),
        is_tried_again=tries_again(task, context),
        worker=worker_of(context, executor=task.executor),
    )
