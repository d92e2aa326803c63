"""All that is known of one run: what became of it, each of its attempts, and what people told it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import AttemptRow, Order
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import NotFound
from airflow_backup.core.ids import dag_id
from airflow_backup.plugin.airflow import reads as airflow_reads
from airflow_backup.plugin.schemas.runs import RunAttempt, RunDetail, RunOrder
from airflow_backup.plugin.views.rhythms import schedule_of
from airflow_backup.plugin.views.rows import Row
from airflow_backup.plugin.views.runs import history


def run_detail(catalog: Catalog, session: Session, row: Row, run_id: str) -> RunDetail:
    """Read one run of a schedule from both sides; NotFound where neither knows it."""
    execution = catalog.executions.get(row.id, run_id)
    airflow_runs = airflow_reads.runs_by_id(session, [(dag_id(row.id), run_id)])
    if execution is None and not airflow_runs:
        raise NotFound(f"no run {run_id!r}", hint="look at the history of the schedule")
    orders = catalog.orders.of_run(row.id, run_id)
    (run,) = history(
        [] if execution is None else [execution],
        airflow_runs,
        now=utc_now(),
        progress=airflow_reads.progress(session, [each for each in airflow_runs if each.active]),
        schedule=schedule_of(row.definition),
        orders={(dag_id(row.id), run_id): orders[-1]} if orders else {},
    )
    attempts = [] if execution is None else catalog.executions.attempts(execution)
    return RunDetail(
        run=run,
        attempts=[_attempt(each) for each in attempts],
        orders=[_order(each) for each in orders],
    )


def _attempt(attempt: AttemptRow) -> RunAttempt:
    return RunAttempt(
        number=attempt.number,
        status=attempt.status,
        started_at=attempt.started_at,
        finished_at=attempt.finished_at,
        error=attempt.error,
        hint=attempt.hint,
        failure_class=attempt.failure_class,
        host=attempt.host,
        queue=attempt.queue,
        executor=attempt.executor,
        definition=attempt.definition,
        definition_version=attempt.definition_version,
    )


def _order(order: Order) -> RunOrder:
    return RunOrder(action=order.action, by=order.by, at=order.at, reason=order.reason)
