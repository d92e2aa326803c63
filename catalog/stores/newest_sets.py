"""
The newest good set of each of many schedules, on SQLite, in milliseconds.

The page asks this of a thousand schedules with every look. Half of the time that SQLAlchemy takes
goes into types and rows of its own, so on SQLite the driver's plain tuples are read here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from airflow_backup.catalog.columns import Moment
from airflow_backup.catalog.records import SetRow
from airflow_backup.catalog.tables import sets
from airflow_backup.core.words import Kind, VerificationLevel, VerificationOutcome

_GIVEN = "json_each(?) AS wanted"
_EVERY = "wanted"
# From the last schedule to the first: so a step ends on the page of the index that holds the newest sets.
_LOOSE_SCAN = """
WITH RECURSIVE wanted(value) AS (
  SELECT max(schedule_id) FROM sets
  UNION ALL
  SELECT (SELECT max(schedule_id) FROM sets WHERE schedule_id < wanted.value)
  FROM wanted WHERE wanted.value IS NOT NULL)
"""
_KINDS = {str(kind): kind for kind in Kind}


def newest_good_sets(connection: Connection, ids: Iterable[str] | None) -> list[SetRow]:
    """Return the newest good set of each schedule that has one; of all without ``ids``."""
    if ids is None:
        found = connection.exec_driver_sql(_LOOSE_SCAN + _query(_EVERY))
    else:
        given = json.dumps(list(dict.fromkeys(ids)))
        found = connection.exec_driver_sql(_query(_GIVEN), (given,))
    return [_set(row) for row in found.cursor.fetchall()] if found.cursor else []


def _query(wanted: str) -> str:
    # One probe for each schedule into ix_sets_latest, and the row by its number.
    columns = ", ".join(
        f"sets.{column.name} || '+00:00'"
        if isinstance(column.type, Moment)
        else f"sets.{column.name}"
        for column in sets.columns
    )
    return f"""
SELECT {columns} FROM {wanted} CROSS JOIN sets ON sets.rowid = (
  SELECT probe.rowid FROM sets AS probe
  WHERE probe.schedule_id = wanted.value AND probe.state = 'good'
  ORDER BY probe.consistent_at DESC, probe.set_id DESC LIMIT 1)
"""  # noqa: S608 -- names of our own columns


def _set(row: tuple[Any, ...]) -> SetRow:
    (
        set_id, schedule_id, repository, run_id, engine, kind, parent, base,
        run_at, started_at, consistent_at, finished_at, files, bytes_read, bytes_stored,
        counts, warnings, manifest_hash, previous_set_id, previous_hash, state, pinned,
        verified_at, verified_level, verified_outcome, locked_until, host,
    ) = row  # fmt: skip
    return SetRow(
        set_id,
        schedule_id,
        repository,
        run_id,
        engine,
        _KINDS[kind],
        parent,
        base,
        datetime.fromisoformat(run_at),
        datetime.fromisoformat(started_at),
        datetime.fromisoformat(consistent_at),
        datetime.fromisoformat(finished_at),
        files,
        bytes_read,
        bytes_stored,
        {} if counts == "{}" else json.loads(counts),
        [] if warnings == "[]" else json.loads(warnings),
        manifest_hash,
        previous_set_id,
        previous_hash,
        state,
        bool(pinned),
        None if verified_at is None else datetime.fromisoformat(verified_at),
        None if verified_level is None else VerificationLevel(verified_level),
        None if verified_outcome is None else VerificationOutcome(verified_outcome),
        None if locked_until is None else datetime.fromisoformat(locked_until),
        host,
    )
