"""Schedules of hand-written DAGs: what their `BackupOperator` may say, and how the page learns of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, TypedDict

from airflow.sdk import BaseOperator

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import Deployed, DeployedState
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.ids import schedule_id_of
from airflow_backup.core.text.durations import format_duration
from airflow_backup.schedules.loading.loaded import CATALOG
from airflow_backup.schedules.model.cron import check_cron
from airflow_backup.schedules.model.schedule import Schedule

ORIGIN = "dag:"
"""Begins the origin of what a hand-written DAG backs up; the DAG's id follows."""

LONGEST_ID = 63
_OTHER_ID = "give one of them another id: their sets would be one chain"

WHEN = frozenset({"cron", "every", "preset", "levels"})
"""The keys of a schedule that say when it runs."""

_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}


class ScheduleOptions(TypedDict, total=False):
    """Keys of a schedule that a hand-written task may have; they mean what they mean in a schedules file."""

    description: str
    group: str
    tags: Sequence[str]
    connection: str
    timezone: str
    cron: str
    every: str
    preset: str
    levels: Mapping[str, str]
    window: Sequence[Mapping[str, Any]]
    outside_window: Literal["wait", "skip"]
    finish_in_window: Literal["finish", "stop"]
    skip_on: Sequence[Mapping[str, Any]]
    max_duration: str
    max_pause: str
    retry: Mapping[str, Any]
    host: str
    limits: Mapping[str, int]
    throttle: Mapping[str, Any]
    retention: Mapping[str, Any]
    verify: Mapping[str, Any]
    compression: Mapping[str, Any] | Literal["none"]
    encryption: Mapping[str, Any]
    signing: Mapping[str, Any]
    checksum: Literal["sha256", "sha512", "sha1", "md5", "blake3"]
    alert_after: str
    objectives: Mapping[str, str]
    notify: Sequence[Mapping[str, Any]]


def check_keys(options: Mapping[str, Any]) -> None:
    """Raise ConfigError for a key that no schedule of a hand-written task has."""
    unknown = sorted(set(options) - set(ScheduleOptions.__annotations__))
    if unknown:
        raise ConfigError(
            f"`options` of a BackupOperator has no key `{unknown[0]}`",
            hint=f"there are {', '.join(ScheduleOptions.__annotations__)}",
        )


def rhythm(dag: Any) -> dict[str, Any]:
    """
    Return when a hand-written DAG runs, as keys of a schedule: what its sets are late by.

    A DAG that runs after assets or by a timetable of its own counts as daily; ``alert_after`` says it better.
    """
    told = getattr(dag, "schedule", None)
    zone = str(getattr(getattr(dag, "timezone", None), "name", None) or "UTC")
    if isinstance(told, timedelta) and told >= timedelta(seconds=1):
        return {"every": format_duration(told), "timezone": zone}
    if isinstance(told, str):
        cron = _PRESETS.get(told, told)
        try:
            check_cron(cron)
        except ValueError:
            return {"preset": "daily"}
        return {"cron": cron, "timezone": zone}
    return {"preset": "daily"}


@dataclass(frozen=True)
class _Entry:
    """One schedule of a hand-written DAG, for the catalog."""

    id: str
    definition: Mapping[str, Any]
    file: str
    content_hash: str
    line: int = 1
    state: DeployedState = "loaded"
    problems: Sequence[Any] = field(default_factory=tuple)


def note_deployed(catalog: Catalog, schedule: Schedule, dag: Any) -> None:
    """
    Let page, metrics and `status` know what a hand-written DAG backs up, if the DAG is named for it.

    They find a schedule's DAG, and who may see it, by the name ``backup__<schedule id>``: a DAG of another name has a
    history, and no more. ConfigError when a schedules file, the page or another DAG has a schedule of that id.
    """
    if dag is None:
        return
    known, origin = catalog.deployed.get(schedule.id), f"{ORIGIN}{dag.dag_id}"
    if known is not None and known.origin != origin:
        raise ConfigError(
            f"DAG '{dag.dag_id}' and {_where(known)} both have a schedule '{schedule.id}'",
            hint=_OTHER_ID,
        )
    made = catalog.schedules.newest(schedule.id)
    if made is not None and not made.is_deleted:  # the DAG processor may not have seen it yet
        raise ConfigError(
            f"DAG '{dag.dag_id}' and the page both have a schedule '{schedule.id}'", hint=_OTHER_ID
        )
    if schedule_id_of(dag.dag_id) == schedule.id:
        definition = schedule.definition()
        digest = hashlib.sha256(json.dumps(definition, sort_keys=True, default=str).encode())
        file = str(dag.relative_fileloc or "")
        catalog.deployed.replace(
            origin, [_Entry(schedule.id, definition, file, digest.hexdigest())]
        )


def _where(known: Deployed) -> str:
    if known.origin.startswith(ORIGIN):
        return f"DAG '{known.origin.removeprefix(ORIGIN)}'"
    return "the page" if known.file == CATALOG else f"{known.file}:{known.line}"


def check_alone(dag: Any, kind: type[BaseOperator]) -> None:
    """Raise ConfigError when several tasks of a DAG would have the schedule that the DAG is named for."""
    if dag is None:
        return
    tasks = [each for each in dag.tasks if isinstance(each, kind)]
    nameless = [each.task_id for each in tasks if getattr(each, "schedule_id", None) is None]
    if len(nameless) > 1 and schedule_id_of(dag.dag_id) is not None:
        raise ConfigError(
            f"tasks {' and '.join(nameless)} of DAG '{dag.dag_id}' have one schedule",
            hint="give each a `schedule_id`: their sets would be one chain",
        )


def id_from(dag_id: str, task_id: str, map_index: int | None = None) -> str:
    """
    Make a schedule id of a hand-written DAG's task; each mapped one, and each of a long name, has its own.

    >>> id_from("Nightly.wiki", "backup"), id_from("nightly", "backup", 3)
    ('nightly-wiki-backup', 'nightly-backup-3')
    """
    own = schedule_id_of(dag_id)
    text = own if own is not None else f"{dag_id}-{task_id}"
    if map_index is not None and map_index >= 0:
        text += f"-{map_index}"
    plain = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")
    if len(plain) <= LONGEST_ID:
        return plain
    return f"{plain[: LONGEST_ID - 11]}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
