"""Which failures are tried again, and when: our rules in Airflow's own retry policy."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk import BaseOperator, RetryAction, RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

from airflow_backup.core.classify import classify
from airflow_backup.schedules.model.policies import Retry
from airflow_backup.schedules.times.retry_delays import retry_after

ONLY_WHAT_PASSES = Retry.model_validate(
    {"classes": {"unknown": {"max_retries": 0}, "source_changed": {"max_retries": 0}}}
)
"""For what a person asked for and waits for: tried again where something did not answer, and else told at once."""


class BackupRetryPolicy(RetryPolicy):
    """
    Wait exponentially, longer after network errors, and not at all where a retry cannot mend it.

    :param retry: the limits and delays; the defaults of a schedule when missing
    """

    def __init__(self, retry: Retry | None = None) -> None:
        self.retry = retry or Retry()

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        """Decide by the class of the failure; the reason shows in Airflow's task history."""
        if isinstance(exception, AirflowTaskTimeout):
            return RetryDecision.fail("longer than execution_timeout: a retry would take as long")
        answer = retry_after(
            classify(exception),
            attempt=max(1, try_number - self._before_it_was_cleared(max_tries, context)),
            retry=self.retry,
            chance=random.random(),  # noqa: S311 -- no secret
        )
        if answer.delay is None:
            return RetryDecision.fail(answer.reason)
        return RetryDecision.retry(delay=answer.delay, reason=answer.reason)

    def _before_it_was_cleared(self, max_tries: int, context: Any) -> int:
        """Return how many attempts came before a person cleared the task: Airflow counts on, and so does the limit."""
        task = context["task"] if context is not None and "task" in context else None
        retries = self.retry.most_retries if task is None else task.retries
        return max(0, max_tries - (retries or 0))

    def serialize(self) -> dict[str, Any]:
        """Return plain data."""
        return self.retry.model_dump(mode="json")

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> BackupRetryPolicy:
        """Rebuild from plain data."""
        return cls(Retry.model_validate(data))


def tries_again(task: BaseOperator, context: Mapping[str, Any]) -> Callable[[BaseException], bool]:
    """Return what Airflow will do after a failure of this attempt, asked of the policy that Airflow asks."""
    attempt, policy = context["ti"], task.retry_policy
    most = getattr(attempt, "max_tries", task.retries) or 0

    def again(error: BaseException) -> bool:
        if attempt.try_number > most or isinstance(error, AirflowFailException):
            return False
        if policy is None:
            return True
        answer = policy.evaluate(error, attempt.try_number, most, {"task": task})
        return answer.action is not RetryAction.FAIL

    return again


def is_own_retry(task: BaseOperator, context: Mapping[str, Any]) -> bool:
    """
    Whether Airflow itself tries again what failed; where somebody cleared the task it counts on from a higher limit.
    """
    attempt = context["ti"]
    most = getattr(attempt, "max_tries", None)
    return attempt.try_number > 1 and most == task.retries


def tried_again(retry: Retry, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's arguments, with how it is tried again where they do not say it."""
    usual = {
        "retries": retry.most_retries,
        "retry_delay": retry.delay,
        "retry_policy": BackupRetryPolicy(retry),
    }
    return {**usual, **given}
