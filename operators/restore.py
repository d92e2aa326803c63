"""Brings a source back: the verb `restore` as an Airflow task."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context

from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.restore.target import Target, target_of
from airflow_backup.actions.sets.encryption import secret_keys
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.progress import Reporter
from airflow_backup.operators.retry_policy import ONLY_WHAT_PASSES, BackupRetryPolicy
from airflow_backup.operators.shared.airflow_settings import (
    PATIENCE,
    catalog_url,
    connection,
)
from airflow_backup.operators.shared.in_force import schedule_in_force
from airflow_backup.operators.shared.runs import run_id_of
from airflow_backup.operators.shared.supervised import SupervisedOperator
from airflow_backup.operators.shared.telling import telling
from airflow_backup.operators.shared.worker import worker_of


class RestoreOperator(SupervisedOperator):
    """
    Restore what a schedule backed up, as it was at a moment.

    In a DAG of your own, where the target is your own affair::

        RestoreOperator(task_id="copy", schedule_id="orders", target="/srv/copy", at="2026-11-21T02:00:00Z")

    The target must be an empty or missing folder, or ``connection:ID[/database]``. Where a storage, a server or the
    catalog does not answer it is tried again, and goes on with what the attempt before left.

    :param schedule_id: whose sets (templated)
    :param target: where to (templated)
    :param at: a moment, ISO 8601; the newest set when missing (templated)
    :param set_id: a set, instead of ``at`` (templated)
    :param paths: only these files and folders
    """

    template_fields: Collection[str] = ("schedule_id", "target", "at", "set_id", "paths")

    _cancelled = "the restore was cancelled; run it again to go on with it"

    def __init__(
        self,
        *,
        schedule_id: str = "",
        target: str = "",
        at: str | None = None,
        set_id: str | None = None,
        paths: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retries", ONLY_WHAT_PASSES.max_retries)
        kwargs.setdefault("retry_delay", ONLY_WHAT_PASSES.delay)
        kwargs.setdefault("retry_policy", BackupRetryPolicy(ONLY_WHAT_PASSES))
        super().__init__(**kwargs)
        self.schedule_id, self.target = schedule_id, target
        self.at, self.set_id, self.paths = at, set_id, list(paths)

    def execute(self, context: Context) -> dict[str, Any]:
        """Restore; the result goes to XCom."""
        wanted = self.wanted(context)
        target = self.checked(wanted)
        host = worker_of(context, executor=self.executor).host
        self.log.info("restores into %s on host %s", wanted["target"], host)
        with (
            Catalog.open(catalog_url(), patience=PATIENCE) as catalog,
            telling(context, check=self._require_wanted) as listener,
        ):
            schedule = schedule_in_force(catalog, wanted["schedule"])
            result = restore(
                Trust.of(schedule),
                repository=schedule.repository,
                connection=schedule.connection,
                target=target,
                connections=connection,
                clock=utc_now,
                at=_moment(wanted.get("at")),
                set_id=wanted.get("set_id") or None,
                only=wanted.get("paths") or (),
                keys=secret_keys(schedule.encryption, connection),
                source=schedule.source,
                reporter=Reporter(listener),
                catalog=catalog,
                actor=wanted.get("actor") or f"run {run_id_of(context)}",
            )
        return result.as_dict() | {"host": host}

    def wanted(self, context: Context) -> Mapping[str, Any]:
        """Return what to restore: schedule, target, at, set_id, paths."""
        return {
            "schedule": self.schedule_id,
            "target": self.target,
            "at": self.at,
            "set_id": self.set_id,
            "paths": self.paths,
        }

    def checked(self, wanted: Mapping[str, Any]) -> Target:
        """Return the target; the author of a DAG may write where he likes."""
        return target_of(str(wanted["target"]))


def _moment(text: Any) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is not a moment", hint="write for example 2026-11-21T02:00:00+01:00"
        ) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
