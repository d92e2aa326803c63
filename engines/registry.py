"""From an engine's name to the engine."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from airflow_backup.core.errors import BackupError, ConfigError, EngineError
from airflow_backup.core.installed import engines as installed_engines
from airflow_backup.engines.capabilities import PauseTeller
from airflow_backup.engines.protocol import Engine


class Registry:
    """
    Makes engines by name: those that come with the package, and those that other packages bring.

    >>> Registry().get("tape")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    airflow_backup.core.errors.ConfigError: no engine 'tape'
    HINT: use one of ...; is the package that brings it installed?
    """

    def names(self) -> list[str]:
        """Return the names of all engines."""
        return installed_engines.names()

    def get(self, name: str) -> Engine[Any]:
        """Return the engine; a built-in name cannot be taken over by another package."""
        found = installed_engines.class_of(name)
        if found is None:
            raise ConfigError(
                f"no engine '{name}'",
                hint=f"use one of {', '.join(self.names())}; is the package that brings it installed?",
            )
        try:
            return cast("Engine[Any]", found())
        except Exception as error:
            raise EngineError(
                f"engine '{name}' cannot be made: {error}",
                hint="does the package that brings it fit this release?",
            ) from error


@cache
def registry() -> Registry:
    """Return the registry of this process."""
    return Registry()


def held_while_paused(engine: str) -> str | None:
    """Say what stays as it is while a run of this engine is paused; None where nothing does, or nobody knows."""
    try:
        found = registry().get(engine)
    except BackupError:
        return None
    return found.held_while_paused if isinstance(found, PauseTeller) else None
