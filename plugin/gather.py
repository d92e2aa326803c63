"""Read what the board needs, in a handful of queries whatever the number of schedules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import Deployed
from airflow_backup.core.errors import NotFound
from airflow_backup.core.ids import dag_id
from airflow_backup.plugin import airflow_db
from airflow_backup.plugin.board import Material
from airflow_backup.plugin.facts import RunFacts
from airflow_backup.plugin.security import Access


def now() -> datetime:
    """Return this moment; the one place where the API looks at the clock."""
    return datetime.now(UTC)


def visible(catalog: Catalog, access: Access) -> list[Deployed]:
    """List the schedules that the user may read."""
    rows = catalog.deployed.all()
    readable = access.readable(row.id for row in rows)
    return [row for row in rows if row.id in readable]


def one(catalog: Catalog, access: Access, schedule_id: str) -> Deployed:
    """Return a schedule; one that the user may not read does not exist for them."""
    row = catalog.deployed.get(schedule_id)
    if row is None or not access.readable([schedule_id]):
        raise NotFound(f"no schedule {schedule_id!r}", hint="GET /backup/api/v1/schedules lists them")
    return row


def material(catalog: Catalog, session: Session, rows: list[Deployed]) -> Material:
    """Read all that is known about some schedules."""
    ids = [row.id for row in rows]
    dags = [dag_id(schedule_id) for schedule_id in ids]
    active = airflow_db.active_runs(session, dags)
    return Material(
        now=now(),
        deployed=rows,
        dags=airflow_db.dags(session, dags),
        active=_oldest(active),
        newest=airflow_db.last_runs(session, dags),
        last=catalog.executions.last(ids),
        last_good=catalog.executions.last_completed(ids),
        executions={execution.run_id: execution for execution in catalog.executions.active()},
        progress=airflow_db.progress(session, active),
    )


def _oldest(runs: Iterable[RunFacts]) -> dict[str, RunFacts]:
    found: dict[str, RunFacts] = {}
    for run in runs:
        found.setdefault(run.dag_id, run)
    return found
