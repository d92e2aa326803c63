"""Notes how an attempt failed, in the catalog: also one that failed before its backup could begin."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from airflow_backup.actions.backup.result import Run
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.run_records import AttemptRow, Failure, Outcome
from airflow_backup.core.classify import classify
from airflow_backup.core.errors import BackupError, Cancelled
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.words import ExecutionStatus

logger = logging.getLogger(__name__)


def note_failure(
    catalog: Catalog,
    row: AttemptRow,
    error: BaseException,
    *,
    at: datetime,
    is_tried_again: bool,
) -> None:
    """Note how an attempt failed; where that fails, the failure itself matters more, and is raised by the caller."""
    outcome = replace(outcome_of(error), is_tried_again=is_tried_again)
    try:
        catalog.executions.finish(row, outcome, at=at)
    except BackupError as unnoted:
        logger.error("the failure of run %s is not in the catalog: %s", row.run_id, unnoted)


def note_refused(
    catalog: Catalog,
    schedule_id: str,
    run: Run,
    error: BackupError,
    *,
    clock: Callable[[], datetime],
) -> None:
    """Note an attempt that failed before its backup began: what was asked for, or the schedule, is not right."""
    try:
        row = catalog.executions.begin(
            schedule_id,
            run.id,
            run_at=run.at,
            trigger=run.trigger,
            at=clock(),
            attempt=run.attempt,
            note=run.note,
            queued_at=run.queued_at,
            definition=run.definition,
            definition_version=run.definition_version,
            worker=run.worker,
        )
    except BackupError as unnoted:
        logger.error("the failure of run %s is not in the catalog: %s", run.id, unnoted)
        return
    note_failure(catalog, row, error, at=clock(), is_tried_again=run.is_tried_again(error))


def outcome_of(error: BaseException) -> Outcome:
    """Return what became of an attempt that ended with an error."""
    failure_class = classify(error)
    if isinstance(error, BackupError):
        failure = Failure(error=error.message, hint=error.hint, failure_class=failure_class)
    else:
        text = str(error).strip() or type(error).__name__
        failure = Failure(error=text, hint="what does the log say?", failure_class=failure_class)
    if isinstance(error, Cancelled) or failure_class is FailureClass.CANCELLED:
        return Outcome(status=ExecutionStatus.CANCELLED, reason=failure.error, failure=failure)
    return Outcome(status=ExecutionStatus.FAILED, failure=failure)
