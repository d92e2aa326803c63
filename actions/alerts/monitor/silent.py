"""
Runs that are over, and did not say so themselves: the worker of the last attempt was killed, or no further one comes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import Attempt, Execution, Failure, Order, Outcome
from airflow_backup.catalog.stores.executions import SILENT
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import ExecutionStatus

ENDS = timedelta(minutes=3)
"""How long a run that was cancelled has to say so itself."""

GIVEN_UP = "it was ended in Airflow before it was tried again"


def close_silent(
    catalog: Catalog, is_over: Callable[[str, str], bool], *, now: datetime
) -> list[Execution]:
    """
    Note how they ended, so that people are told, each once; return them.

    ``is_over`` says of a schedule and a run id whether nobody works on that run any more, nor will.
    """
    found = []
    for execution in catalog.executions.active():
        key = execution.schedule_id, execution.run_id
        order = catalog.orders.last(*key)
        is_ending = order is not None and now - order.at < ENDS
        if execution.started_at is None or is_ending or not is_over(*key):
            continue
        closed = _close(catalog, execution, order, begun=execution.started_at, now=now)
        found += [] if closed is None else [closed]
    return found


def _close(
    catalog: Catalog, execution: Execution, order: Order | None, *, begun: datetime, now: datetime
) -> Execution | None:
    outcome = _outcome(execution, order, begun=begun)
    if execution.status is ExecutionStatus.PENDING:
        return catalog.executions.give_up(execution, outcome, at=now)
    attempt = Attempt(
        schedule_id=execution.schedule_id,
        run_id=execution.run_id,
        number=execution.attempts,
        status=execution.status,
        started_at=begun,
    )
    return catalog.executions.finish(attempt, outcome, at=now)


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
