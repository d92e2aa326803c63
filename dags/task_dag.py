"""
The DAG of one task, built on a worker by the definition in force.

The catalog says which definition that is, so the start of a task reads neither schedules files nor an index, and a
worker whose files or index are old does what all others do. Files that changed a moment ago, and that the DAG
processor may not have read yet, are the one thing that a worker knows better: it waits until the two agree.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator, Context

from airflow_backup.actions.backup.in_force import InForce, in_force
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import BackupError, CatalogError, StaleDefinition
from airflow_backup.core.ids import dag_id
from airflow_backup.dags.factory import TASKS, build
from airflow_backup.operators.retry_policy import BackupRetryPolicy
from airflow_backup.operators.shared.airflow_settings import PATIENCE, catalog_url
from airflow_backup.operators.shared.runs import started_run
from airflow_backup.operators.shared.unstarted import note_unstarted
from airflow_backup.schedules.loading.index import Entry, schedule_of
from airflow_backup.schedules.loading.loaded import CATALOG
from airflow_backup.schedules.loading.loader import schedule_files
from airflow_backup.schedules.model.schedule import digest_of

log = logging.getLogger(__name__)

MARGIN = timedelta(seconds=60)
"""Files that changed no longer than this before they were read count as unread: clocks differ, and links are moved."""

WHILE_PARSING = 8.0
"""Seconds for which a silent catalog is asked while Airflow waits for the DAG; it gives up after 30."""

_LONGEST_WAIT = 300.0
_PAUSE = 2.0

Local = Callable[[], Entry | None]
"""Reads what the files on this machine say of the schedule."""


def dag_in_force(schedule_id: str, path: Path, local: Local) -> DAG:
    """
    Build the DAG of a task by the definition in force; ``path`` is the schedules path of this machine.

    Where that definition is not to be had, the DAG's tasks ask again when they start, and fail where they get none,
    or another one than they were built by.
    """
    try:
        found = _ask(schedule_id, patience=WHILE_PARSING)
    except BackupError as error:
        log.warning("schedule %s: %s", schedule_id, error)
        return _doubtful(schedule_id, _definition(local()), path)
    if not _may_be_unread(found, path):
        return _certain(found)
    here = local()
    if here is None or here.file == CATALOG or here.state != "loaded":
        return _certain(found)  # files that say nothing right of it are no newer definition
    if here.content_hash == found.digest:
        return _certain(found)
    return _doubtful(schedule_id, here.definition, path)


def _ask(schedule_id: str, *, patience: float) -> InForce:
    with Catalog.open(catalog_url(), patience=patience) as catalog:
        return in_force(catalog, schedule_id)


def _certain(found: InForce) -> DAG:
    return build(
        found.schedule, found.definition, fenced=found.fenced, version=found.version, for_task=True
    )


def _doubtful(schedule_id: str, definition: dict[str, Any] | None, path: Path) -> DAG:
    """Build a DAG whose tasks make sure when they start; without a definition they can only say so."""
    if definition is None:
        dag = DAG(dag_id(schedule_id), schedule=None, auto_register=False)
        for name in TASKS:
            BaseOperator(task_id=name, dag=dag, retry_policy=BackupRetryPolicy())
    else:
        # Fenced in any case: who made it is one of the things that are not known yet.
        dag = build(schedule_of(definition), definition, fenced=True, for_task=True)
    built = None if definition is None else digest_of(definition)

    def make_sure(context: Context) -> None:
        task = context.get("task")
        assert isinstance(task, BaseOperator)
        try:
            found = agree(schedule_id, built, path)
        except BackupError as error:
            if task.task_id == "backup" and not isinstance(error, CatalogError):
                note_unstarted(schedule_id, started_run(task, context), error)
            raise
        vars(task).update(fenced=found.fenced, version=found.version)

    for task in dag.tasks:
        vars(task)["_pre_execute_hook"] = make_sure
    return dag


def agree(schedule_id: str, built: str | None, path: Path) -> InForce:
    """
    Return the definition in force when it is the one of the digest ``built``; wait while that may become so.

    StaleDefinition when it is another one, or nobody reads the files any more.
    """
    give_up_at = time.monotonic() + _LONGEST_WAIT
    while True:
        found = _ask(schedule_id, patience=PATIENCE)
        if found.digest == built:
            return found
        if not _may_be_unread(found, path):
            raise StaleDefinition(
                f"schedule '{schedule_id}' was changed while the task started",
                hint="a retry begins with the new definition",
            )
        if time.monotonic() > give_up_at:
            raise StaleDefinition(
                f"the files at {path} say something new of schedule '{schedule_id}', and no DAG processor has read it",
                hint="is the DAG processor running, and does it read the same files?",
            )
        time.sleep(_PAUSE)


def _may_be_unread(found: InForce, path: Path) -> bool:
    """Whether files on this machine changed since, or shortly before, the DAG processor read its own."""
    if found.read is None:
        return True
    changed = _changed_at(path, found.read.also)
    return changed is not None and changed + MARGIN >= found.read.read_at


def _changed_at(path: Path, also: Sequence[str]) -> datetime | None:
    """Return when the youngest of the files was changed or put there; None where there is none."""
    moments = []
    for file in (path, *schedule_files(path), *map(Path, also)):
        try:
            moments.append(file.stat().st_ctime)  # unlike its mtime, nobody sets it back
        except OSError:
            continue
    return datetime.fromtimestamp(max(moments), UTC) if moments else None


def _definition(entry: Entry | None) -> dict[str, Any] | None:
    return None if entry is None else entry.definition
