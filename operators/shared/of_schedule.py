"""What the operators share that work on the sets of a schedule, after its backup."""

from __future__ import annotations

from typing import Any

from airflow_backup.catalog import Catalog
from airflow_backup.operators.retry_policy import BackupRetryPolicy
from airflow_backup.operators.shared.fence import roots_for
from airflow_backup.operators.shared.in_force import schedule_in_force
from airflow_backup.operators.shared.supervised import SupervisedOperator
from airflow_backup.schedules.model.policies import Retry
from airflow_backup.schedules.model.schedule import Schedule


class ScheduleOperator(SupervisedOperator):
    """
    The base of an operator that is given a schedule, or its id.

    :param schedule: whose sets; its id is enough, and is looked up when the task runs
    """

    def __init__(self, *, schedule: Schedule | str, fenced: bool = False, **kwargs: Any) -> None:
        retry = Retry() if isinstance(schedule, str) else schedule.retry
        kwargs.setdefault("retries", retry.max_retries)
        kwargs.setdefault("retry_delay", retry.delay)
        kwargs.setdefault("retry_policy", BackupRetryPolicy(retry))
        super().__init__(**kwargs)
        self.schedule = schedule
        self.fenced = fenced

    def schedule_now(self, catalog: Catalog) -> Schedule:
        """Return the schedule, the one in force where only its id is known; Refused where it leaves its fence."""
        if isinstance(self.schedule, str):
            return schedule_in_force(catalog, self.schedule)
        roots_for(self.schedule, fenced=self.fenced)
        return self.schedule
