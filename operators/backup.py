"""Takes one backup: the verb `backup` as an Airflow task."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator, Context

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import Cancelled, ConfigError
from airflow_backup.core.ids import schedule_id_of
from airflow_backup.core.process import process
from airflow_backup.core.progress import Progress, Reporter
from airflow_backup.core.words import Kind, Trigger
from airflow_backup.operators.airflow_settings import (
    allowed_commands,
    catalog_url,
    connection,
)
from airflow_backup.operators.fence import roots_for
from airflow_backup.operators.retry_policy import BackupRetryPolicy
from airflow_backup.operators.runs import conf_of, fire_time_of, trigger_of
from airflow_backup.schedules.model.policies import Retry
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.windows import opening_at
from airflow_backup.schedules.times.fire_times import kind_at, rhythm_of

PAUSE_CHECK = 2.0
"""Seconds between two looks at whether a paused run may go on."""


class BackupOperator(BaseOperator):
    """
    Back up one source into a repository; return the set as plain data.

    In a DAG of your own, say what and where to::

        BackupOperator(
            task_id="backup",
            source={"engine": "files", "path": "/srv/wiki"},
            repository="file:///var/backups",
        )

    Progress shows on the Backups page while it runs. A retry continues the same set; a failed attempt leaves none.

    :param source: the engine's name and its options (templated)
    :param repository: the storage URL under which sets lie (templated)
    :param schedule_id: the name under which sets and history are kept; from DAG and task id when missing
    :param kind: ``full``, ``incremental``, ``differential`` or ``archive_log``
    :param options: further keys of a schedule, for example ``{"checksum": "blake3", "retry": {...}}``
    :param schedule: a whole schedule instead of all of the above; nothing of it is a template
    :param definition: that schedule as plain data, where the caller has it already
    :param fenced: let the schedule name only paths within ``[backup] source_roots`` and ``repository_roots``
    """

    template_fields = ("source", "repository", "options")

    def __init__(
        self,
        *,
        source: Mapping[str, Any] | None = None,
        repository: str | None = None,
        schedule_id: str | None = None,
        kind: Kind | str | None = None,
        options: Mapping[str, Any] | None = None,
        schedule: Schedule | None = None,
        definition: Mapping[str, Any] | None = None,
        fenced: bool = False,
        **kwargs: Any,
    ) -> None:
        if schedule is None and (source is None or repository is None):
            raise ConfigError("a BackupOperator needs `source` and `repository`, or `schedule`")
        retry = schedule.retry if schedule is not None else _retry_of(options)
        kwargs.setdefault("retries", retry.max_retries)
        kwargs.setdefault("retry_delay", retry.delay)
        kwargs.setdefault("retry_policy", BackupRetryPolicy(retry))
        super().__init__(**kwargs)
        shown = {} if schedule is None else dict(definition or schedule.definition())
        self.source = dict(source) if source is not None else shown.pop("source")
        self.repository = repository if repository is not None else shown.pop("repository")
        self.options = dict(options) if options is not None else shown
        self.schedule_id = schedule_id
        self.kind = kind
        self.schedule = schedule
        self.fenced = fenced
        self._killed = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Take the backup; the result goes to XCom."""
        schedule = self._schedule()
        roots = roots_for(schedule, fenced=self.fenced)
        run = run_of(context)
        reporter = Reporter(self._listener(context, schedule))
        with Catalog.open(catalog_url()) as catalog:
            result = backup(
                schedule,
                run,
                catalog=catalog,
                connections=connection,
                kind=_kind(schedule, context),
                reporter=reporter,
                clock=_now,
                allowed_commands=allowed_commands(),
                source_roots=roots,
            )
        facts = result.as_dict()
        self.log.info(
            "set %s: %s bytes read, %s stored",
            facts["set_id"],
            facts["bytes_read"],
            facts["bytes_stored"],
        )
        return facts

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render a hand-written task; a schedule's own text is never code, and is shown as it is."""
        if self.schedule is None:
            super().render_template_fields(context, jinja_env)

    def on_kill(self) -> None:
        """End the tools that run for us; the backup then fails as cancelled."""
        self._killed = True
        process.end_all()

    def _schedule(self) -> Schedule:
        if self.schedule is not None:
            return self.schedule
        given = (
            {"preset": "daily"}
            | self.options
            | {
                "id": self.schedule_id or _id_from(self.dag_id, self.task_id),
                "source": self.source,
                "repository": self.repository,
            }
        )
        if self.kind is not None:
            given["kind"] = self.kind
        return Schedule.model_validate(given)

    def _listener(self, context: Context, schedule: Schedule) -> Callable[[Progress], None]:
        """Store progress where the page finds it; stop when killed, paused or out of the window."""
        store = context.get("task_state_store")
        stop_at = closing_time(schedule, context)

        def listen(progress: Progress) -> None:
            self._raise_if_stopped(stop_at)
            if store is None:
                return
            store.set("progress", progress.as_dict())
            while store.get("control") == "pause":
                self._raise_if_stopped(stop_at)
                store.set(
                    "progress", progress.as_dict() | {"stage": "paused", "rate": None, "eta": None}
                )
                time.sleep(PAUSE_CHECK)

        return listen

    def _raise_if_stopped(self, stop_at: datetime | None) -> None:
        if self._killed:
            raise Cancelled("the run was cancelled")
        if stop_at is not None and _now() >= stop_at:
            raise Cancelled("window_closed: the backup was not finished when its window closed")


def run_of(context: Mapping[str, Any]) -> Run:
    """Describe the run that a task belongs to."""
    return Run(
        id=context["dag_run"].run_id,
        at=fire_time_of(context),
        trigger=trigger_of(context),
        attempt=context["ti"].try_number,
        note=conf_of(context).get("note"),
    )


def closing_time(schedule: Schedule, context: Mapping[str, Any]) -> datetime | None:
    """Return when a running backup must stop; None when it may finish, or a person started it."""
    if schedule.finish_in_window == "finish" or trigger_of(context) is Trigger.MANUAL:
        return None
    opening = opening_at(schedule.window, _now(), timezone=schedule.timezone)
    return None if opening is None else opening.closes_at


def _kind(schedule: Schedule, context: Mapping[str, Any]) -> Kind:
    asked = conf_of(context).get("kind")
    if asked is not None:
        return Kind(asked)
    return kind_at(rhythm_of(schedule), fire_time_of(context))


def _id_from(dag_id: str, task_id: str) -> str:
    """
    Make a schedule id of a hand-written DAG's task.

    >>> _id_from("Nightly.wiki", "backup")
    'nightly-wiki-backup'
    """
    own = schedule_id_of(dag_id)
    text = own if own is not None else f"{dag_id}-{task_id}"
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")[:63]


def _retry_of(options: Mapping[str, Any] | None) -> Retry:
    return Retry.model_validate((options or {}).get("retry", {}))


def _now() -> datetime:
    return datetime.now(UTC)
