"""What killed runs left outside the repositories: on the servers they read from, and in the scratch folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connections
from airflow_backup.core.errors import BackupError
from airflow_backup.engines.capabilities import Sweeper
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.registry import Registry, registry
from airflow_backup.engines.shared import scratch
from airflow_backup.schedules.model.schedule import Schedule


@dataclass(frozen=True, slots=True)
class SourceLeftovers:
    """What was removed, in words, and which sources could not be asked."""

    removed: tuple[str, ...]
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, list[str]]:
        """Return plain JSON data."""
        return {"removed": list(self.removed), "problems": list(self.problems)}


def remove_source_leftovers(
    schedules: Iterable[Schedule],
    catalog: Catalog,
    *,
    connections: Connections,
    before: datetime,
    dry_run: bool = False,
    engines: Registry | None = None,
) -> SourceLeftovers:
    """
    Let each engine remove what a killed run of a schedule left behind; the catalog must know all sets.

    What a schedule with sets has on its server is in use, and so is what belongs to an attempt that is
    active and began after ``before``.
    """
    working = _working(catalog, since=before)
    removed: list[str] = []
    problems: list[str] = []
    for schedule in schedules:
        try:
            engine = (engines or registry()).get(schedule.source.engine)
            if not isinstance(engine, Sweeper):
                continue
            in_use = schedule.id in working or bool(catalog.sets.of(schedule.id, limit=1))
            context = EngineContext(connections=connections, schedule_id=schedule.id)
            removed += engine.sweep(schedule.source, context, in_use=in_use, dry_run=dry_run)
        except BackupError as error:
            problems.append(f"the source of '{schedule.id}' cannot be asked: {error.message}")
    if not dry_run:
        folders = scratch.sweep(Path(tempfile.gettempdir()))
        removed += [f"the scratch folder '{name}' of a run that was killed" for name in folders]
    return SourceLeftovers(tuple(removed), tuple(problems))


def _working(catalog: Catalog, *, since: datetime) -> set[str]:
    return {
        execution.schedule_id
        for execution in catalog.executions.active()
        if any(each.started_at >= since for each in catalog.executions.attempts(execution))
    }
