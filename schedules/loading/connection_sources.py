"""Which engine backs up what a connection leads to, and what a schedule writes as its source."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.installed import engines as installed_engines
from airflow_backup.schedules.model.sources import EngineOptions, options_model

log = logging.getLogger(__name__)


class Way(NamedTuple):
    """How what a connection leads to is backed up."""

    engine: str
    options: type[EngineOptions]

    def source(self, connection: Connection) -> dict[str, Any]:
        """Return the source of a schedule that backs it up."""
        return self.options.source_behind(self.engine, connection)


def ways_by_type() -> dict[str, Way]:
    """Return the engine that can back up what a connection leads to, by the type of the connection."""
    found: dict[str, Way] = {}
    for name in installed_engines.names():
        try:
            model = options_model(name)
        except (
            ConfigError
        ) as error:  # somebody else's package; the schedules that need it say so, too
            log.error("connections of the engine %s are not looked at: %s", name, error)
            continue
        if model is not None:
            found |= {
                each: Way(name, model) for each in model.connection_types if each not in found
            }
    return found


def extras_by_type() -> dict[str, tuple[str, ...]]:
    """Return the extras that say where a connection leads, by its type; no others need be read."""
    return {name: way.options.place_extras for name, way in ways_by_type().items()}
