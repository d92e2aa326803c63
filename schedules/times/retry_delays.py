"""How long to wait before a failed run is tried again: a pure function with a reason."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from airflow_backup.core.durations import format_duration
from airflow_backup.core.errors import FailureClass
from airflow_backup.schedules.model.policies import Retry


class Answer(NamedTuple):
    """Try again after ``delay``, or not at all when it is None; and why."""

    delay: timedelta | None
    reason: str


def retry_after(failure: FailureClass, *, attempt: int, retry: Retry) -> Answer:
    """
    Decide what follows the failure of ``attempt`` (from 1).

    The delay doubles from attempt to attempt and is capped; it has no random part, so that what the page
    announces is what happens.

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
    if not failure.retryable:
        return Answer(None, f"{words} error: a retry cannot mend it")
    if attempt > retry.max_retries:
        return Answer(None, f"no retries left after {attempt} attempts")
    base, cap = (
        (retry.network_delay, retry.network_max_delay)
        if failure.waits_longer
        else (retry.delay, retry.max_delay)
    )
    delay = min(base * 2 ** (attempt - 1), cap) if retry.exponential else base
    return Answer(delay, f"{words} error, trying again in {format_duration(delay)}")
