"""Brings a source back: the verb `restore` as an Airflow task."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context

from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.restore.target import ServerTarget, Target, target_of
from airflow_backup.actions.sets.encryption import secret_keys
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import Cancelled, ConfigError, NotFound, Refused
from airflow_backup.core.process import process
from airflow_backup.core.progress import Progress, Reporter
from airflow_backup.operators.airflow_settings import (
    airflow_home,
    catalog_url,
    connection,
    option,
)
from airflow_backup.operators.runs import run_id_of
from airflow_backup.schedules.model.schedule import Schedule


class RestoreOperator(BaseOperator):
    """
    Restore what a schedule backed up, as it was at a moment.

    In a DAG of your own, where the target is your own affair::

        RestoreOperator(task_id="copy", schedule_id="orders", target="/srv/copy", at="2026-11-21T02:00:00Z")

    The target must be an empty or missing folder, or ``connection:ID[/database]``. A retry goes on with what an
    earlier attempt left.

    :param schedule_id: whose sets (templated)
    :param target: where to (templated)
    :param at: a moment, ISO 8601; the newest set when missing (templated)
    :param set_id: a set, instead of ``at`` (templated)
    :param paths: only these files and folders
    """

    template_fields: Collection[str] = ("schedule_id", "target", "at", "set_id", "paths")

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
        kwargs.setdefault("retries", 0)
        super().__init__(**kwargs)
        self.schedule_id, self.target = schedule_id, target
        self.at, self.set_id, self.paths = at, set_id, list(paths)
        self._killed = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Restore; the result goes to XCom."""
        wanted = self.wanted(context)
        target = self.checked(wanted)
        store = context.get("task_state_store")

        def listen(progress: Progress) -> None:
            if self._killed:
                raise Cancelled("the restore was cancelled; run it again to go on with it")
            if store is not None:
                store.set("progress", progress.as_dict())

        with Catalog.open(catalog_url()) as catalog:
            schedule = deployed(catalog, wanted["schedule"])
            result = restore(
                schedule.id,
                repository=schedule.repository,
                connection=schedule.connection,
                target=target,
                connections=connection,
                clock=lambda: datetime.now(UTC),
                at=_moment(wanted.get("at")),
                set_id=wanted.get("set_id") or None,
                only=wanted.get("paths") or (),
                keys=secret_keys(schedule.encryption, connection),
                reporter=Reporter(listen),
                catalog=catalog,
                actor=f"run {run_id_of(context)}",
            )
        return result.as_dict()

    def on_kill(self) -> None:
        """End the tools that run for us; the target stays marked as unfinished."""
        self._killed = True
        process.end_all()

    def wanted(self, context: Context) -> Mapping[str, Any]:
        """Return what to restore."""
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


class ConfirmedRestoreOperator(RestoreOperator):
    """
    Restore what a person asked for in the parameters of the run, within limits that an administrator set.

    The person types the schedule's id once more. Folders must lie below one of ``[backup] restore_roots``, and
    connections be among ``restore_connections``: who may start a DAG may not therefore write anywhere.
    """

    template_fields: Collection[str] = ()

    def wanted(self, context: Context) -> Mapping[str, Any]:
        """Read the parameters of the run."""
        return dict(context.get("params", {}))

    def checked(self, wanted: Mapping[str, Any]) -> Target:
        """Return the target; Refused where it is not confirmed, or not allowed."""
        if wanted.get("confirm") != wanted.get("schedule"):
            raise Refused(
                "the restore was not confirmed",
                hint=f"type the schedule's id, '{wanted.get('schedule')}', as `confirm`",
            )
        target = target_of(str(wanted["target"]))
        if isinstance(target, ServerTarget):
            _check_connection(target)
            return target
        return _below_a_root(target)


def deployed(catalog: Catalog, schedule_id: str) -> Schedule:
    """Return a schedule as it is deployed; NotFound when there is none."""
    row = catalog.deployed.get(schedule_id)
    if row is None or not row.definition:
        raise NotFound(f"no schedule '{schedule_id}'", hint="airflow-backup list")
    return Schedule.model_validate(row.definition)


def restore_roots() -> list[Path]:
    """Return the folders below which the restore DAG may write."""
    configured = option("restore_roots")
    if configured is None:
        return [airflow_home() / "restores"]
    return [Path(each.strip()).expanduser() for each in configured.split(",") if each.strip()]


def _below_a_root(target: Path) -> Path:
    roots = restore_roots()
    path = target if target.is_absolute() else roots[0] / target
    clean = Path(os.path.realpath(path))
    for root in roots:
        if clean != (real := Path(os.path.realpath(root))) and clean.is_relative_to(real):
            clean.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return clean
    raise Refused(
        f"'{target}' does not lie below {', '.join(map(str, roots))}",
        hint="an administrator names folders in [backup] restore_roots; or use airflow-backup restore",
    )


def _check_connection(target: ServerTarget) -> None:
    allowed = {each.strip() for each in (option("restore_connections") or "").split(",")}
    if target.connection not in allowed:
        raise Refused(
            f"nothing may be restored into connection '{target.connection}'",
            hint="an administrator names connections in [backup] restore_connections",
        )


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
