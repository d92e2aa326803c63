"""Executions on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_backup.cli.output import iso, local, print_table
from airflow_backup.cli.terminal import say
from airflow_backup.core.text.durations import format_duration, format_size

if TYPE_CHECKING:
    from airflow_backup.catalog.run_records import Execution


def execution_dict(execution: Execution) -> dict[str, Any]:
    """Return an execution as plain data."""
    return {
        "schedule": execution.schedule_id,
        "run_id": execution.run_id,
        "status": execution.status.value,
        "kind": execution.kind.value if execution.kind is not None else None,
        "trigger": execution.trigger.value,
        "reason": execution.reason,
        "started_at": iso(execution.started_at),
        "finished_at": iso(execution.finished_at),
        "attempts": execution.attempts,
        "host": execution.host,
        "queue": execution.queue,
        "executor": execution.executor,
        "definition": execution.definition,
        "definition_version": execution.definition_version,
        "bytes_read": execution.bytes_read,
        "bytes_stored": execution.bytes_stored,
        "files": execution.files,
        "set_id": execution.set_id,
        "error": execution.error,
        "hint": execution.hint,
    }


def print_executions(executions: Sequence[Execution], *, timezone: str) -> None:
    """Print executions, a line each, and the error under those that failed."""
    if not executions:
        say("no executions yet")
        return
    columns = ("STARTED", "STATUS", "KIND", "TOOK", "READ", "STORED", "HOST", "SET")
    print_table(columns, [_row(execution, timezone) for execution in executions])
    for execution in executions:
        if execution.error:
            say(f"\n{execution.run_id}: {execution.error}")
            if execution.hint:
                say(f"    HINT: {execution.hint}")


def _row(execution: Execution, timezone: str) -> tuple[str, ...]:
    took = "-"
    if execution.started_at is not None and execution.finished_at is not None:
        span = execution.finished_at - execution.started_at
        took = (
            f"{span.total_seconds():.1f}s" if span < timedelta(minutes=1) else format_duration(span)
        )
    return (
        local(execution.started_at, timezone),
        execution.status.value,
        execution.kind.value if execution.kind is not None else "-",
        took,
        _size(execution.bytes_read),
        _size(execution.bytes_stored),
        execution.host or "-",
        execution.set_id or "-",
    )


def _size(count: int | None) -> str:
    return "-" if count is None else format_size(count)
