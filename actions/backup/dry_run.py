"""What a run would do, and what is in its way: looked at without reading the source or writing anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_backup.actions.backup.host import check_host
from airflow_backup.actions.backup.parent import choose_parent
from airflow_backup.actions.backup.result import Job
from airflow_backup.actions.backup.signer import signer_of
from airflow_backup.actions.sets import repository
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connections
from airflow_backup.core.errors import BackupError, ConfigError
from airflow_backup.core.words import Kind
from airflow_backup.core.worker import Worker
from airflow_backup.engines.capabilities import Estimate, Estimator
from airflow_backup.engines.protocol import Engine, EngineContext
from airflow_backup.engines.registry import Registry, registry
from airflow_backup.storage.folder import FolderStorage
from airflow_backup.storage.open import open_storage
from airflow_backup.storage.protocol import Storage

SECONDS = 45.0
"""How long a source is looked at; of a larger one it is said that it holds at least so much."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a run would do."""

    schedule_id: str
    kind: Kind
    reason: str | None
    """Why another kind would be taken than was asked for."""

    problems: tuple[BackupError, ...]
    """What would make it fail, as far as a look can tell: no file is read, and nothing is written to a storage."""

    estimate: Estimate | None
    """None where the engine cannot tell, and where the source cannot be looked at."""

    repository_is_new: bool
    """Whether the first run would make the repository."""

    host: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON and the API."""
        found = self.estimate
        return {
            "schedule_id": self.schedule_id,
            "kind": str(self.kind),
            "reason": self.reason,
            "host": self.host,
            "repository_is_new": self.repository_is_new,
            "bytes_read": None if found is None else found.bytes_read,
            "files": None if found is None else found.files,
            "is_all": found is None or found.is_all,
            "unread": [] if found is None else list(found.unread),
            "problems": [{"message": each.message, "hint": each.hint} for each in self.problems],
        }


def dry_run(
    schedule: Job,
    *,
    catalog: Catalog,
    connections: Connections,
    clock: Callable[[], datetime],
    kind: Kind | None = None,
    engines: Registry | None = None,
    allowed_commands: Sequence[str] = (),
    source_roots: Sequence[str] | None = None,
    worker: Worker | None = None,
    seconds: float = SECONDS,
) -> DryRun:
    """
    Look at source, repository and keys as a run would, and say what it would do; writes nothing.

    What a run would raise is in ``problems``, all of it and not only the first. The arguments are those of `backup`.
    """
    wanted = kind or schedule.kind or Kind.FULL
    engine = (engines or registry()).get(schedule.source.engine)
    context = EngineContext(
        connections=connections,
        clock=clock,
        schedule_id=schedule.id,
        kind=wanted,
        allowed_commands=allowed_commands,
        source_roots=source_roots,
        reading_is_limited=schedule.throttle.limits_reading,
    )
    problems: list[BackupError] = []
    try:
        check_host(schedule, worker)
    except BackupError as error:
        problems.append(error)
    problems += problems_of(engine, schedule, wanted, context)
    estimate = _estimate(engine, schedule, context, seconds, problems)
    taken, reason, is_new = wanted, None, False
    try:
        storage = open_storage(schedule.repository, connections, connection=schedule.connection)
        is_new = repository.check(storage, schedule.repository, catalog) is None
        if isinstance(storage, FolderStorage):
            storage.look(f"{schedule.id}/sets")
        taken, reason = _kind(schedule, wanted, engine, storage, catalog, context, worker)
    except BackupError as error:
        problems.append(error)
    return DryRun(
        schedule_id=schedule.id,
        kind=taken,
        reason=reason,
        problems=tuple(problems),
        estimate=estimate,
        repository_is_new=is_new,
        host=None if worker is None else worker.host,
    )


def problems_of(
    engine: Engine[Any], schedule: Job, kind: Kind, context: EngineContext
) -> list[BackupError]:
    """Return what is in the way of a set of this kind, as far as the source is concerned."""
    kinds = schedule.source.kinds or engine.kinds
    if kind not in kinds:
        return [
            ConfigError(
                f"the {engine.name} engine takes no {kind} set of this source",
                hint=f"use one of {', '.join(sorted(kinds))}",
            )
        ]
    return engine.check(schedule.source, context)


def _estimate(
    engine: Engine[Any],
    schedule: Job,
    context: EngineContext,
    seconds: float,
    problems: list[BackupError],
) -> Estimate | None:
    if problems or not isinstance(engine, Estimator):
        return None
    try:
        found = engine.estimate(schedule.source, context, seconds=seconds)
    except BackupError as error:
        problems.append(error)
        return None
    problems += found.problems
    return found


def _kind(
    schedule: Job,
    kind: Kind,
    engine: Engine[Any],
    storage: Storage,
    catalog: Catalog,
    context: EngineContext,
    worker: Worker | None,
) -> tuple[Kind, str | None]:
    """Choose as a run would, and look whether the keys are there with which it would sign."""
    signer_of(schedule, storage, catalog, context.connections)
    choice = choose_parent(schedule, kind, engine, storage, catalog, worker=worker)
    return choice.kind, choice.reason
