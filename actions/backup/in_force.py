"""
The definition of a schedule that counts now; whoever works for a schedule asks here first.

Of a schedule made on the page it is the newest version that was saved. Of one from a file it is what the DAG
processor last read: the catalog keeps that, so a worker needs neither the files nor an index of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import Deployed, Origin, ScheduleVersion
from airflow_backup.core.errors import ConfigError, NotFound
from airflow_backup.schedules.loading.dependencies import Elsewhere
from airflow_backup.schedules.loading.loaded import CATALOG
from airflow_backup.schedules.loading.loader import check_definition
from airflow_backup.schedules.model.schedule import Schedule, digest_of


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The definition of a schedule that counts now."""

    schedule: Schedule
    definition: Mapping[str, Any]
    """The schedule as plain data."""

    fenced: bool
    """Whether it was made on the page, and may name only what an administrator allows there."""

    version: int | None = None
    """The number of its version, where it was made on the page."""

    read: Origin | None = None
    """When the schedules files were last read; None when nobody has."""

    @property
    def digest(self) -> str:
        """What tells one definition from another."""
        return digest_of(self.definition)


def in_force(catalog: Catalog, schedule_id: str) -> InForce:
    """Return the definition of a schedule that counts now; NotFound where there is none, or it was deleted."""
    deployed = catalog.deployed.get(schedule_id)
    read = None if deployed is None else catalog.deployed.origin(deployed.origin)
    if deployed is not None and deployed.file != CATALOG:
        if not deployed.definition:
            raise _none(schedule_id, "it is wrong, and never was right")
        return _as_deployed(deployed, read, fenced=False)
    saved = catalog.schedules.newest(schedule_id)
    if saved is None:
        raise _none(schedule_id, "the catalog knows of none")
    if saved.is_deleted:
        raise _none(
            schedule_id, f"{saved.author} deleted it at {saved.created_at:%Y-%m-%d %H:%M} UTC"
        )
    return _as_saved(saved, deployed, read)


def _as_saved(saved: ScheduleVersion, deployed: Deployed | None, read: Origin | None) -> InForce:
    loaded = check_definition(
        saved.definition, elsewhere=Elsewhere(saved.definition.get("after") or ())
    )
    if loaded.schedules:
        schedule = loaded.schedules[0].schedule
        return InForce(
            schedule=schedule,
            definition=schedule.definition(),
            fenced=True,
            version=saved.version,
            read=read,
        )
    if deployed is not None and deployed.state == "last_known_good" and deployed.definition:
        return _as_deployed(deployed, read, fenced=True)
    raise ConfigError(
        f"version {saved.version} of schedule '{saved.id}' cannot be used: {loaded.problems[0].message}",
        hint="mend it on the page Backups",
    )


def _as_deployed(deployed: Deployed, read: Origin | None, *, fenced: bool) -> InForce:
    return InForce(
        schedule=Schedule.model_validate(deployed.definition),
        definition=deployed.definition,
        fenced=fenced,
        read=read,
    )


def _none(schedule_id: str, why: str) -> NotFound:
    return NotFound(
        f"no schedule '{schedule_id}': {why}",
        hint="is the DAG processor running, and does it read the schedules files?",
    )
