"""
Publishes a DAG for every schedule, and reports what is wrong with the others.

One import error in a file makes Airflow stop every DAG of that file. So a schedule that cannot be built is left
out, or goes on in its last good version, and is reported: to the catalog, and by a second file without DAGs.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_parsing_context

from airflow_backup.core.clock import utc_now
from airflow_backup.core.collecting import collection_paused
from airflow_backup.core.errors import BackupError, ConfigError
from airflow_backup.core.ids import dag_id, schedule_id_of
from airflow_backup.core.text.counts import counted
from airflow_backup.dags.factory import build
from airflow_backup.dags.published import ask_catalog, known_definitions, note_read, publish
from airflow_backup.dags.task_dag import dag_in_force
from airflow_backup.dags.verbs import verb_dag_of_task, verb_dags
from airflow_backup.operators.shared.airflow_settings import airflow_home, option
from airflow_backup.schedules.loading.index import (
    CatalogSchedules,
    Entry,
    Index,
    compile_index,
    fingerprint,
    index_file,
    read_index,
    reject,
    schedule_of,
    write_index,
)
from airflow_backup.schedules.loading.loaded import CATALOG
from airflow_backup.schedules.model.placement import Placement

log = logging.getLogger(__name__)


def publish_dags(namespace: MutableMapping[str, Any]) -> None:
    """
    Put the DAGs into ``namespace`` (the ``globals()`` of the calling file).

    In a task's process only the DAG of that task is built.
    """
    path = schedules_path(namespace)
    wanted = get_parsing_context().dag_id
    if wanted is not None:
        _generate_one(namespace, path, wanted)
        return
    begun = utc_now()
    index = current_index(path)
    with collection_paused():
        built = _build_all(index)
    for dag in (*built, *verb_dags(_placements(index, built))):
        namespace[dag.dag_id] = dag
    if not (index.proven and index.published):
        index.proven = True
        index.published = publish(index)
        write_index(_file(path), index)
    if index.published:
        note_read(index, at=begun)


def raise_problems(namespace: MutableMapping[str, Any]) -> None:
    """Raise ConfigError with every problem of the schedules, for Airflow's list of import errors."""
    if get_parsing_context().dag_id is not None:
        return
    problems = current_index(schedules_path(namespace)).problems
    if problems:
        text = "\n".join(str(problem) for problem in problems)
        raise ConfigError(f"{counted(len(problems), 'problem')} in the schedules\n{text}")


def schedules_path(namespace: MutableMapping[str, Any]) -> Path:
    """Return ``[backup] schedules_path``, or ``schedules.yaml`` or ``schedules/`` beside the calling file."""
    configured = option("schedules_path")
    if configured is not None:
        return Path(configured).expanduser()
    folder = Path(str(namespace.get("__file__", "."))).absolute().parent
    return folder / "schedules" if (folder / "schedules").is_dir() else folder / "schedules.yaml"


def current_index(path: Path) -> Index:
    """Return the index of what files and catalog say now, compiled anew only when they changed."""
    file = _file(path)
    index = read_index(file)
    known_there = ask_catalog(str(path))
    from_catalog = known_there.from_catalog if known_there is not None else _made_before(index)
    if _is_current(index, path) and index is not None and index.from_catalog == from_catalog.stamp:
        if known_there is not None and known_there.deployed != len(index.entries):
            index.published = False  # the catalog was lost, or is another one
        return index
    known = index.last_good() if index is not None else known_definitions(str(path))
    fresh = compile_index(
        path, known=known, from_catalog=from_catalog, is_optional=option("schedules_path") is None
    )
    write_index(file, fresh)
    return fresh


def _made_before(index: Index | None) -> CatalogSchedules:
    """While the catalog is out of reach, its schedules go on as they were."""
    if index is None:
        return CatalogSchedules()
    entries = (entry for entry in index.entries.values() if entry.file == CATALOG)
    return CatalogSchedules(
        index.from_catalog, tuple(entry.definition for entry in entries if entry.definition)
    )


def _is_current(index: Index | None, path: Path) -> bool:
    return index is not None and index.fingerprint == fingerprint(path, also=index.also)


def _file(path: Path) -> Path:
    configured = option("index_folder")
    folder = (
        Path(configured).expanduser() if configured else airflow_home() / "airflow_backup_index"
    )
    return index_file(folder, path)


def _generate_one(namespace: MutableMapping[str, Any], path: Path, wanted: str) -> None:
    """Build the DAG of a task, by the definition in force."""
    verb = verb_dag_of_task(wanted)
    if verb is not None:
        namespace[wanted] = verb
        return
    identifier = schedule_id_of(wanted)
    if identifier is not None:
        namespace[wanted] = dag_in_force(identifier, path, lambda: _local(path, identifier))


def _local(path: Path, identifier: str) -> Entry | None:
    """Return what the files on this machine say of a schedule: from the index where it is current."""
    index = read_index(_file(path), only=identifier)
    if index is None or not _is_current(index, path) or identifier not in index.entries:
        index = current_index(path)
    return index.entries.get(identifier)


def _build_all(index: Index) -> list[DAG]:
    built = []
    for identifier, definition in index.runnable().items():
        try:
            fenced = index.entries[identifier].file == CATALOG
            dag = build(schedule_of(definition), definition, fenced=fenced)
            if not index.proven:
                _prove(dag)
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not cost the other schedules theirs
            log.warning("schedule %s is left out: %s", identifier, error)
            reject(index, identifier, _reason(error), None)
            index.proven = False
            continue
        built.append(dag)
    return built


def _placements(index: Index, built: list[DAG]) -> list[Placement]:
    """Return where the schedules with a DAG are placed: there is something to restore, and to verify, on each."""
    ids = {schedule_id_of(dag.dag_id) for dag in built}
    definitions = index.runnable().items()
    return [Placement.of(definition) for identifier, definition in definitions if identifier in ids]


def _prove(dag: DAG) -> None:
    """Do what Airflow will do with the DAG, while a failure costs only this one."""
    from airflow.serialization.serialized_objects import DagSerialization

    dag.validate()  # type: ignore[no-untyped-call]  # untyped in Airflow
    dag.check_cycle()
    DagSerialization.to_dict(dag)


def _reason(error: Exception) -> str:
    if isinstance(error, BackupError):
        return error.message
    text = str(error).strip().splitlines()
    return f"the DAG cannot be built: {text[0] if text else type(error).__name__}"


def dag_ids(index: Index) -> list[str]:
    """List the DAGs that the index stands for."""
    return sorted(dag_id(identifier) for identifier in index.runnable())
