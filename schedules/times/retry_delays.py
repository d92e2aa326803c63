"""How long to wait before a failed run is tried again: a pure function with a reason."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from airflow_backup.core.failure_class import FailureClass
from airflow_backup.core.text.durations import format_duration
from airflow_backup.schedules.model.policies import ClassRetry, Retry


class Answer(NamedTuple):
    """Try again after ``delay``, or not at all when it is None; and why."""

    delay: timedelta | None
    reason: str


def retry_after(
    failure: FailureClass, *, attempt: int, retry: Retry, chance: float = 0.0
) -> Answer:
    """
    Decide what follows the failure of ``attempt`` (from 1).

    The delay doubles from attempt to attempt and is capped; ``chance`` (0 to 1) says how much of the jitter is
    taken off, so that what failed together is not tried again together.

    >>> retry = Retry(delay="30s", max_delay="2m")
    >>> for attempt in (1, 2, 3, 4):
    ...     print(retry_after(FailureClass.UNKNOWN, attempt=attempt, retry=retry).reason)
    unknown error, trying again in 30s
    unknown error, trying again in 1m
    unknown error, trying again in 2m
    no retries left after 4 attempts
    >>> retry_after(FailureClass.SPACE, attempt=1, retry=retry).reason
    'space error: a retry cannot mend it'
    """
    words = failure.value.replace("_", " ")
    rule = next((rule for name, rule in retry.classes.items() if name == failure), ClassRetry())
    most = retry.max_retries if rule.max_retries is None else rule.max_retries
    if failure is FailureClass.CANCELLED or not (failure.retryable or rule.max_retries):
        return Answer(None, f"{words} error: a retry cannot mend it")
    if attempt > most:
        return Answer(None, f"no retries left after {_count(attempt)}")
    base, cap = (
        (retry.network_delay, retry.network_max_delay)
        if failure.waits_longer
        else (retry.delay, retry.max_delay)
    )
    base = base if rule.delay is None else rule.delay
    cap = max(cap, base) if rule.max_delay is None else rule.max_delay
    delay = min(base * 2 ** (attempt - 1) if retry.exponential else base, cap)
    delay -= timedelta(seconds=int(delay.total_seconds() * retry.jitter * chance))
    return Answer(delay, f"{words} error, trying again in {format_duration(delay)}")


def _count(attempts: int) -> str:
    return "1 attempt" if attempts == 1 else f"{attempts} attempts"
