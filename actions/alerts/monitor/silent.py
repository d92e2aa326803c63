"""
Runs that are over, and did not say so themselves: the worker of the last attempt was killed, or no further one comes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from airflow_backup.actions.backup.limits.source_lease import LASTS
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import AttemptRow, Execution, Failure, Order, Outcome
from airflow_backup.catalog.stores.executions import SILENT
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.ids import set_id
from airflow_backup.core.words import ExecutionStatus

ENDS = timedelta(minutes=3)
"""How long a run that was cancelled has to say so itself."""

HEARD = timedelta(minutes=1)
"""How long after it renewed its lease, which it does a few times in that time, a worker counts as at work."""

GIVEN_UP = "it was ended in Airflow before it was tried again"

UNSAID = "its set is stored, and its worker ended before it could say so"


def close_silent(
    catalog: Catalog, is_over: Callable[[str, str], bool], *, now: datetime
) -> list[Execution]:
    """
    Note how they ended, so that people are told, each once; return them.

    ``is_over`` says of a schedule and a run id whether it is over for Airflow; a worker that has not heard so yet, or
    cannot reach Airflow, still works, and has the last word as long as it renews its lease.
    """
    found, at_work = [], _at_work(catalog, now=now)
    for execution in catalog.executions.active():
        key = execution.schedule_id, execution.run_id
        order = catalog.orders.last(*key)
        is_ending = order is not None and now - order.at < ENDS
        if execution.started_at is None or is_ending or key in at_work or not is_over(*key):
            continue
        closed = _close(catalog, execution, order, begun=execution.started_at, now=now)
        found += [] if closed is None else [closed]
    return found


def _at_work(catalog: Catalog, *, now: datetime) -> set[tuple[str, str]]:
    """Return the runs, by schedule and run id, whose workers were heard of a moment ago."""
    return {
        (each.schedule_id, each.run_id)
        for each in catalog.leases.active(now=now)
        if now - HEARD < each.expires_at - LASTS
    }


def _close(
    catalog: Catalog, execution: Execution, order: Order | None, *, begun: datetime, now: datetime
) -> Execution | None:
    outcome = _stored(catalog, execution) or _outcome(execution, order, begun=begun)
    if execution.status is ExecutionStatus.PENDING:
        return catalog.executions.give_up(execution, outcome, at=now)
    attempt = AttemptRow(
        schedule_id=execution.schedule_id,
        run_id=execution.run_id,
        number=execution.attempts,
        status=execution.status,
        started_at=begun,
    )
    return catalog.executions.close(attempt, outcome, at=now)


def _stored(catalog: Catalog, execution: Execution) -> Outcome | None:
    """A run whose set is stored has completed, though its worker was killed before it could say so."""
    row = catalog.sets.get(set_id(execution.schedule_id, execution.run_id, execution.run_at))
    if row is None or execution.status is ExecutionStatus.PENDING:
        return None
    return Outcome(
        status=ExecutionStatus.COMPLETED,
        reason=UNSAID,
        kind=row.kind,
        set_id=row.set_id,
        files=row.files,
        bytes_read=row.bytes_read,
        bytes_stored=row.bytes_stored,
        warnings=len(row.warnings),
    )


def _outcome(execution: Execution, order: Order | None, *, begun: datetime) -> Outcome:
    if order is None or order.action != "cancel" or order.at < begun:
        if execution.status is not ExecutionStatus.PENDING:
            return Outcome(status=ExecutionStatus.FAILED, failure=SILENT)
        last = Failure(
            error=execution.error or SILENT.error,
            hint=execution.hint,
            failure_class=execution.failure_class or FailureClass.UNKNOWN,
        )
        return Outcome(status=ExecutionStatus.FAILED, reason=GIVEN_UP, failure=last)
    failure = Failure(error=order.text, hint=None, failure_class=FailureClass.CANCELLED)
    return Outcome(status=ExecutionStatus.CANCELLED, reason=order.text, failure=failure)
