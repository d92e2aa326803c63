"""What executions tell: an event for each step, to be added last to the transaction that writes the step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from airflow_backup.catalog.run_records import AttemptRow, Failure, Outcome
from airflow_backup.catalog.stores.events import add_event
from airflow_backup.core.words import EventKind, ExecutionStatus

_KINDS = {
    ExecutionStatus.COMPLETED: EventKind.COMPLETED,
    ExecutionStatus.CANCELLED: EventKind.CANCELLED,
    ExecutionStatus.SKIPPED: EventKind.SKIPPED,
}


def tell_begun(
    connection: Connection,
    attempt: AttemptRow,
    *,
    about: Mapping[str, Any],
    given_up: Failure | None,
) -> None:
    """Tell that an attempt began; before it that the one before ended without a word, if it did (``given_up``)."""
    is_first = attempt.number == 1
    if given_up is not None:
        before = {"attempt": attempt.number - 1, **failure_detail(given_up)}
        _tell(connection, EventKind.FAILED, attempt, at=attempt.started_at, detail=before)
    kind = EventKind.STARTED if is_first else EventKind.RETRY
    _tell(connection, kind, attempt, at=attempt.started_at, detail=about)


def tell_finished(
    connection: Connection, attempt: AttemptRow, outcome: Outcome, *, at: datetime
) -> None:
    """Tell how an attempt ended."""
    kind = _KINDS.get(outcome.status)
    if kind is None:
        kind = EventKind.FAILED if outcome.is_tried_again else EventKind.FAILED_FINAL
    detail: dict[str, Any] = {
        "kind": outcome.kind,
        "set_id": outcome.set_id,
        "files": outcome.files,
        "bytes_read": outcome.bytes_read,
        "bytes_stored": outcome.bytes_stored,
        "reason": outcome.reason,
        "seconds": (at - attempt.started_at).total_seconds(),
    }
    if outcome.failure is not None:
        detail |= failure_detail(outcome.failure)
    _tell(connection, kind, attempt, at=at, detail=detail)


def failure_detail(failure: Failure) -> dict[str, Any]:
    """Return what an event says of a failure."""
    return {
        "error": failure.error,
        "hint": failure.hint,
        "failure_class": failure.failure_class,
    }


def _tell(
    connection: Connection,
    kind: EventKind,
    attempt: AttemptRow,
    *,
    at: datetime,
    detail: Mapping[str, Any],
) -> None:
    known = {key: value for key, value in detail.items() if value is not None}
    add_event(
        connection,
        at=at,
        action=kind,
        subject=attempt.schedule_id,
        detail={"run_id": attempt.run_id, "attempt": attempt.number, **known},
    )
