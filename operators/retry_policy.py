"""Which failures are tried again, and when: our rules in Airflow's own retry policy."""

from __future__ import annotations

from typing import Any

from airflow.sdk import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_backup.core.errors import classify
from airflow_backup.schedules.model.policies import Retry
from airflow_backup.schedules.times.retry_delays import retry_after


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
            return RetryDecision.fail("longer than max_duration: a retry would take as long")
        answer = retry_after(classify(exception), attempt=try_number, retry=self.retry)
        if answer.delay is None:
            return RetryDecision.fail(answer.reason)
        return RetryDecision.retry(delay=answer.delay, reason=answer.reason)

    def serialize(self) -> dict[str, Any]:
        """Return plain data."""
        return self.retry.model_dump(mode="json")

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> BackupRetryPolicy:
        """Rebuild from plain data."""
        return cls(Retry.model_validate(data))
