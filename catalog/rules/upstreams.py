"""For which schedules one that runs after others waits, and why it waits for them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from airflow_backup.catalog.run_records import Execution
from airflow_backup.core.text.durations import spoken
from airflow_backup.core.words import ExecutionStatus

_OVER = {
    ExecutionStatus.FAILED: "failed",
    ExecutionStatus.SKIPPED: "was skipped",
    ExecutionStatus.CANCELLED: "was cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A schedule that another one runs after."""

    id: str
    exists: bool = True
    last: Execution | None = None
    """Its newest execution."""

    completed: Execution | None = None
    """Its newest one that completed."""


def why_it_waits(
    upstreams: Iterable[Upstream], *, since: datetime | None, now: datetime
) -> str | None:
    """
    Say for what a schedule waits since ``since``, when its own last run came into being; None where it waits for
    nothing.

    All of them must have completed since then.
    """
    found = [_why(each, since=since, now=now) for each in upstreams]
    waits = [each for each in found if each is not None]
    return "; ".join(waits) if waits else None


def outcome_text(upstream_id: str, execution: Execution) -> str:
    """Say what became of a run of an upstream; why is told where that is seen, which not everybody may."""
    return f"upstream {upstream_id} {_OVER[execution.status]}"


def is_refusal(execution: Execution) -> bool:
    """Whether a run is over, and will not let those that wait for it run."""
    return execution.status in _OVER


def _why(upstream: Upstream, *, since: datetime | None, now: datetime) -> str | None:
    if not upstream.exists:
        return f"there is no upstream {upstream.id}"
    done, last = upstream.completed, upstream.last
    if done is not None and (since is None or (done.finished_at or done.since) > since):
        return None
    if last is None or (since is not None and (last.finished_at or now) <= since):
        return f"upstream {upstream.id} has not run" + ("" if since is None else " since")
    if last.status in _OVER:
        ago = spoken(now - (last.finished_at or last.since))
        return f"upstream {upstream.id} {_OVER[last.status]} {ago} ago"
    if last.status is ExecutionStatus.PENDING:
        return f"upstream {upstream.id} failed, and is tried again"
    return f"upstream {upstream.id} is {last.status.value}"
