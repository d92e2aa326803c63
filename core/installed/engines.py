"""
Which engines are installed: the folders of ``airflow_backup.engines``, and the entry points of other packages.

Nothing of them is imported to know their names. A folder is an engine when it has a module ``engine``; its
class and its options are named after the folder (``files``: ``FilesEngine`` in ``engine``, ``FilesOptions`` in
``options``). An entry point names the engine's class, whose attribute ``options`` is the model of its options.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from airflow_backup.core.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "airflow_backup.engines"
"""Under this group other packages register engines."""

_PACKAGE = "airflow_backup.engines"


@cache
def built_in() -> tuple[str, ...]:
    """Return the names of the engines that come with this package."""
    spec = find_spec(_PACKAGE)
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    return tuple(
        sorted(
            name
            for folder in folders
            for name in os.listdir(folder)
            if os.path.exists(os.path.join(folder, name, "engine.py"))
        )
    )


def points() -> Iterable[EntryPoint]:
    """Return the entry points of other packages."""
    from importlib.metadata import (
        entry_points,  # slow to load, and most schedules name a built-in engine
    )

    return entry_points(group=ENTRY_POINT_GROUP)


def names() -> list[str]:
    """Return the names of all engines."""
    return sorted({*built_in(), *(point.name for point in points())})


def class_of(name: str) -> Any:
    """
    Return the class of an engine, or None when nobody brings it.

    A built-in name cannot be taken over. ConfigError: the package that brings it cannot be loaded.
    """
    if name in built_in():
        return _own(name, "engine", "Engine")
    for point in points():
        if point.name == name:
            return _load(point)
    return None


def options_of(name: str) -> Any:
    """Return the model of an engine's options like `class_of`, without importing a built-in engine."""
    if name in built_in():
        return _own(name, "options", "Options")
    found = class_of(name)
    return None if found is None else getattr(found, "options", None)


def _own(name: str, module: str, suffix: str) -> Any:
    return getattr(import_module(f"{_PACKAGE}.{name}.{module}"), f"{name.capitalize()}{suffix}")


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (Exception, SystemExit) as error:  # somebody else's code; it must cost only who uses it
        raise ConfigError(
            f"engine {point.name!r} of {point.value} cannot be loaded: {type(error).__name__}: {error}",
            hint="is the package that brings it whole, and does it fit this release?",
        ) from error
