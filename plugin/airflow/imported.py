"""Tells Airflow of schedules that were imported: its audit log, and the switches of DAGs that come back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.log import Log
from sqlalchemy.orm import Session

from airflow_backup.plugin.airflow.transactions import at_once


@dataclass(frozen=True)
class Told:
    """One schedule that was imported."""

    dag_id: str
    event: str
    detail: Mapping[str, Any]
    paused: bool | None
    """How the switch of a DAG that was there before is set; None leaves it."""


@at_once
def tell(session: Session, told: Sequence[Told], *, user_id: str, user_name: str) -> None:
    """Write a row of the audit log for each, in one transaction."""
    for each in told:
        dag = session.get(DagModel, each.dag_id) if each.paused is not None else None
        if dag is not None:
            dag.is_paused = bool(each.paused)
        session.add(
            Log(
                event=each.event,
                task_instance=None,
                owner=user_id,
                owner_display_name=user_name,
                extra=json.dumps(each.detail, default=str),
                dag_id=each.dag_id,
            )
        )
