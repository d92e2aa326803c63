"""A number is a number: `daily: yes` keeps no single set."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from airflow_backup.engines.command.options import CommandOptions
from airflow_backup.engines.postgres.options import PostgresOptions
from airflow_backup.schedules.model.base import Model
from airflow_backup.schedules.model.limits import AtOnce, Throttle
from airflow_backup.schedules.model.policies import Compression, Retention, Retry, Verify
from airflow_backup.schedules.model.schedule import Schedule

SCHEDULE = {"id": "a", "source": {"engine": "files", "path": "/srv"}, "repository": "file:///b"}


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize(
    ("model", "given", "key"),
    [
        *((Retention, {}, key) for key in ("last", "daily", "weekly", "yearly", "min_chains")),
        *((Retention, {}, key) for key in ("within", "max_age", "max_bytes", "lock")),
        (Retry, {}, "max_retries"),
        (Verify, {}, "every"),
        (Verify, {}, "share"),
        (Compression, {}, "level"),
        (AtOnce, {}, "repository"),
        (AtOnce, {}, "host"),
        (Throttle, {}, "nice"),
        (Throttle, {}, "upload"),
        (Schedule, {**SCHEDULE, "preset": "daily"}, "priority"),
        (Schedule, {**SCHEDULE, "preset": "daily"}, "disable_after_failures"),
        (PostgresOptions, {"engine": "postgres", "connection": "c"}, "jobs"),
        (CommandOptions, {"engine": "command", "workflow": {"command": ["/x"]}}, "timeout"),
    ],
)
def test_yes_and_no_are_no_numbers(
    model: type[Model], given: dict[str, Any], key: str, value: bool
) -> None:
    model.model_validate(given)
    with pytest.raises(ValidationError):
        model.model_validate({**given, key: value})
