"""From an engine's name to the engine: those that come with the package, then entry points."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from airflow_backup.core.errors import ConfigError, EngineError
from airflow_backup.engines.protocol import Engine

ENTRY_POINT_GROUP = "airflow_backup.engines"

_BUILT_IN = {
    "files": "airflow_backup.engines.files.engine:FilesEngine",
    "sqlite": "airflow_backup.engines.sqlite.engine:SqliteEngine",
    "postgres": "airflow_backup.engines.postgres.engine:PostgresEngine",
    "mysql": "airflow_backup.engines.mysql.engine:MysqlEngine",
    "firebird": "airflow_backup.engines.firebird.engine:FirebirdEngine",
    "restic": "airflow_backup.engines.restic.engine:ResticEngine",
    "command": "airflow_backup.engines.command.engine:CommandEngine",
}


def _installed() -> Iterable[EntryPoint]:
    return entry_points(group=ENTRY_POINT_GROUP)


class Registry:
    """
    Finds engines by name. An entry point names a class, or a function, that makes the engine.

    >>> sorted(Registry(installed=list).names())
    ['command', 'files', 'firebird', 'mysql', 'postgres', 'restic', 'sqlite']
    >>> Registry(installed=list).get("tape")
    Traceback (most recent call last):
    airflow_backup.core.errors.ConfigError: no engine 'tape'
    HINT: use one of files, sqlite, postgres, mysql, firebird, restic, command; is the package that brings it installed?
    """

    def __init__(self, *, installed: Callable[[], Iterable[EntryPoint]] = _installed) -> None:
        self._installed = installed

    def names(self) -> list[str]:
        """Return the names of all engines, the built-in ones first."""
        brought = sorted(point.name for point in self._installed())
        return [*_BUILT_IN, *(name for name in brought if name not in _BUILT_IN)]

    def get(self, name: str) -> Engine:
        """Return the engine; a built-in name cannot be taken over by another package."""
        if name in _BUILT_IN:
            module, _, attribute = _BUILT_IN[name].partition(":")
            return cast("Engine", getattr(import_module(module), attribute)())
        for point in self._installed():
            if point.name == name:
                return _load(point)
        raise ConfigError(
            f"no engine '{name}'",
            hint=f"use one of {', '.join(self.names())}; is the package that brings it installed?",
        )


def _load(point: EntryPoint) -> Engine:
    try:
        engine = point.load()()
    except Exception as error:
        raise EngineError(
            f"engine '{point.name}' of {point.value} cannot be loaded: {error}",
            hint="does the package that brings it fit this release?",
        ) from error
    return cast("Engine", engine)


@cache
def registry() -> Registry:
    """Return the registry of this process."""
    return Registry()
