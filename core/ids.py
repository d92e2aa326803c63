"""Names that are derived, never invented: set ids and DAG ids."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

SCHEDULE_ID = re.compile(r"[a-z][a-z0-9_-]{0,62}")
SET_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{10}")
DAG_PREFIX = "backup__"


def set_id(schedule_id: str, run_id: str, run_at: datetime) -> str:
    """
    Derive the set id of a run: its moment in UTC, then ten hex digits of schedule and run.

    A retry of the run gives the same id, so it continues the same set; ids sort by time.

    >>> set_id("wiki", "manual__1", datetime(2026, 5, 4, 2, 0, tzinfo=UTC))
    '20260504T020000Z-2a642dede1'
    """
    digest = hashlib.sha256(f"{schedule_id}\0{run_id}".encode()).hexdigest()
    return f"{run_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest[:10]}"


def dag_id(schedule_id: str) -> str:
    """
    Return the id of the DAG that runs the schedule.

    >>> dag_id("wiki")
    'backup__wiki'
    """
    return DAG_PREFIX + schedule_id


def requested_dag_id(verb: str, place: str | None) -> str:
    """
    Return the id of the DAG that restores, or verifies, on demand in one place: that of the schedule.

    >>> requested_dag_id("restore", None), requested_dag_id("restore", "nas")
    ('backup_restore', 'backup_restore__nas')
    """
    return f"backup_{verb}" if place is None else f"backup_{verb}__{place}"


def schedule_id_of(dag_id: str) -> str | None:
    """
    Return the schedule that a DAG runs, or None when the DAG is not ours.

    >>> schedule_id_of("backup__wiki"), schedule_id_of("etl")
    ('wiki', None)
    """
    return dag_id.removeprefix(DAG_PREFIX) if dag_id.startswith(DAG_PREFIX) else None
