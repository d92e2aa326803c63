"""Takes one backup: the verb `backup` as an Airflow task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException
from pydantic import ValidationError

from airflow_backup.actions.backup.backup import Run, backup
from airflow_backup.actions.backup.control import Control
from airflow_backup.actions.backup.limits.source_lease import SourceLease
from airflow_backup.catalog import Catalog
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    PlaceFull,
    SourceBusy,
    WindowClosed,
    WorkerStopped,
)
from airflow_backup.core.words import Kind
from airflow_backup.operators.own_dags import (
    WHEN,
    ScheduleOptions,
    check_alone,
    check_keys,
    id_from,
    note_deployed,
    rhythm,
)
from airflow_backup.operators.retry_policy import tried_again
from airflow_backup.operators.shared.airflow_settings import (
    PATIENCE,
    allowed_commands,
    catalog_url,
    connection,
)
from airflow_backup.operators.shared.control import control_of, publisher_of
from airflow_backup.operators.shared.fence import roots_for
from airflow_backup.operators.shared.runs import (
    asked_of,
    fire_time_of,
    is_manual,
    run_of,
    started_run,
)
from airflow_backup.operators.shared.supervised import SupervisedOperator
from airflow_backup.operators.shared.unstarted import note_skipped, note_unstarted
from airflow_backup.operators.triggers import WaitTrigger, wait_for_opening
from airflow_backup.schedules.loading.problems import findings
from airflow_backup.schedules.model.placement import KEYS
from airflow_backup.schedules.model.policies import Retry
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.schedules.times.fire_times import kind_at, rhythm_of
from airflow_backup.schedules.times.start_policy import start_policy_of

SOURCE_CHECK = 15.0
"""Seconds between two looks at whether another schedule still reads the source."""


class BackupOperator(SupervisedOperator):
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
    :param options: further keys of a schedule, for example ``{"checksum": "blake3", "retry": {...}}`` (templated)
    """

    template_fields = ("source", "repository", "options")

    def __init__(
        self,
        *,
        source: EngineOptions | Mapping[str, Any],
        repository: str,
        schedule_id: str | None = None,
        kind: Kind | str | None = None,
        options: ScheduleOptions | None = None,
        **kwargs: Any,
    ) -> None:
        misplaced = [key for key in KEYS if key in (options or {})]
        if misplaced:
            raise ConfigError(
                f"`{misplaced[0]}` in `options` places nothing",
                hint="give it to the operator itself",
            )
        check_keys(options or {})
        if "retry_policy" not in kwargs:
            kwargs = tried_again(Retry.model_validate((options or {}).get("retry", {})), kwargs)
        super().__init__(**kwargs)
        self.source: Any = (
            source.model_dump(mode="json", exclude_unset=True)
            if isinstance(source, EngineOptions)
            else dict(source)
        )
        self.repository = repository
        self.options: dict[str, Any] = {**(options or {})}
        self.schedule_id = schedule_id
        self.kind = kind
        self.schedule: Schedule | None = None
        self.fenced = False
        self.version: int | None = None
        self._killed = False
        self._control: Control | None = None

    @classmethod
    def of(
        cls,
        schedule: Schedule,
        *,
        definition: Mapping[str, Any] | None = None,
        fenced: bool = False,
        version: int | None = None,
        **kwargs: Any,
    ) -> BackupOperator:
        """
        Make the task of a whole schedule; nothing of it is a template.

        :param definition: the schedule as plain data, where the caller has it already
        :param version: the number of its version in the catalog, where it was made there
        :param fenced: let the schedule name only paths within ``[backup] source_roots`` and ``repository_roots``
        """
        shown = dict(definition or schedule.definition())
        task = cls(
            source=shown.pop("source"),
            repository=shown.pop("repository"),
            **tried_again(schedule.retry, kwargs),
        )
        task.options = shown
        task.schedule, task.fenced, task.version = schedule, fenced, version
        return task

    def execute(self, context: Context) -> dict[str, Any]:
        """Take the backup; the result goes to XCom."""
        schedule = self._schedule(getattr(context.get("ti"), "map_index", None))
        run = replace(
            started_run(self, context),
            definition=schedule.digest(),
            definition_version=self.version,
        )
        try:
            asked = asked_of(context, others=self.schedule is None)
            self._wait_for_the_window(schedule, context)
            roots = roots_for(schedule, fenced=self.fenced)
        except BackupError as error:
            note_unstarted(schedule.id, run, error)
            raise
        run = replace(run, note=asked.note)
        with (
            Catalog.open(catalog_url(), patience=PATIENCE) as catalog,
            self._source(schedule, run, catalog, context) as lease,
        ):
            if self.schedule is None:
                note_deployed(catalog, schedule, self.get_dag())
            self._control = control = control_of(
                catalog, schedule, context, keep=lease.renew, clock=utc_now
            )
            if self._killed:
                control.stop(_stopped())
            result = backup(
                schedule,
                run,
                catalog=catalog,
                connections=connection,
                kind=asked.kind or kind_at(rhythm_of(schedule), run.at),
                control=control,
                clock=utc_now,
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

    def resume(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Go on where the trigger left off; the window is asked again."""
        return self.execute(context)

    def on_kill(self) -> None:
        """End the tools that run for us; the backup then fails, with who asked for it."""
        self._killed = True
        if self._control is not None:
            self._control.stop(_stopped())

    def _source(
        self, schedule: Schedule, run: Run, catalog: Catalog, context: Context
    ) -> SourceLease:
        """
        Have the source for this run; wait in the triggerer, without a place in the pool, while another reads it, or a
        limit is reached.
        """
        lease = SourceLease(
            schedule.source,
            connection,
            catalog=catalog,
            clock=utc_now,
            schedule_id=schedule.id,
            run_id=run.id,
            limits=schedule.limits,
            repository=schedule.repository,
        )
        try:
            lease.take()
        except (SourceBusy, PlaceFull) as error:
            self.log.info("%s", error.message)
            try:
                publisher_of(context)({"stage": "waiting", "waits_for": error.message})
            except Exception as unshown:  # noqa: BLE001 -- Airflow's may be any
                self.log.warning("nobody can be told that it waits: %s", unshown)
            self.defer(trigger=WaitTrigger(SOURCE_CHECK), method_name="resume")
        return lease

    def _wait_for_the_window(self, schedule: Schedule, context: Context) -> None:
        """
        Ask the window again when work really begins: a queue, or a failed attempt, may have outlasted it.

        Waits in the triggerer, without a place in the pool.
        """
        if is_manual(context):
            return
        decision = wait_for_opening(
            self,
            start_policy_of(schedule),
            fire_time=fire_time_of(context),
            clock=utc_now,
            schedule_id=schedule.id if self.schedule is not None else None,
        )
        if decision.action == "skip":
            if run_of(context).attempt > 1:
                raise WindowClosed(f"could not be tried again: {decision.reason}")
            note_skipped(schedule.id, context, decision.reason)
            raise AirflowSkipException(decision.reason)

    def _schedule(self, map_index: int | None = None) -> Schedule:
        if self.schedule is not None:
            return self.schedule
        check_alone(self.get_dag(), BackupOperator)
        when = {} if WHEN & set(self.options) else rhythm(self.get_dag())
        given = (
            when
            | self.options
            | {
                "id": self.schedule_id or id_from(self.dag_id, self.task_id, map_index),
                "source": self.source,
                "repository": self.repository,
            }
        )
        if self.kind is not None:
            given["kind"] = self.kind
        try:
            return Schedule.model_validate(given)
        except ValidationError as error:
            found = [
                f"{'.'.join(map(str, each.path))}: {each.message}"
                for each in findings(error, Schedule)
            ]
            raise ConfigError(
                f"the task is no schedule: {'; '.join(found)}", hint="see its arguments"
            ) from None


def _stopped() -> WorkerStopped:
    return WorkerStopped(
        "the worker was asked to end the run",
        hint="was it marked in Airflow, or did its worker stop? a retry begins anew",
    )
