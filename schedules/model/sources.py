"""The source of a schedule: the name of an engine, and that engine's own options."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BeforeValidator, SerializeAsAny

from airflow_backup.core import installed_engines
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.names import quoted
from airflow_backup.core.words import Kind
from airflow_backup.schedules.model.base import Model


class Driver(NamedTuple):
    """A module that an engine imports when it runs, and the extra of this package that installs it."""

    module: str
    extra: str


class EngineOptions(Model):
    """The base of every engine's options: what a schedule writes below ``source``."""

    engine: Any  # each engine's own model narrows it to the one name: Literal["files"]
    """Which engine reads the source."""

    driver: ClassVar[Driver | None] = None
    """What must be installed besides this package."""

    @property
    def kinds(self) -> frozenset[Kind] | None:
        """The kinds that can be taken of this source; None: all that the engine can take."""
        return None

    @property
    def local_paths(self) -> tuple[str, ...]:
        """The files and folders that the engine reads on the machine where it runs."""
        return ()

    @property
    def local_places(self) -> tuple[str, ...]:
        """The files and folders that the engine writes on the machine where it runs."""
        return ()

    @property
    def own_program(self) -> str | None:
        """The program of somebody's own that the engine runs, where that is what it does."""
        return None

    @property
    def own_variables(self) -> tuple[str, ...]:
        """The names of the variables that the schedule sets for that program."""
        return ()

    def summary(self) -> str:
        """Name the source in a few words, for lists."""
        given: dict[str, Any] = self.model_dump(exclude_none=True)
        if self.local_paths:
            return ", ".join(self.local_paths)
        return str(given.get("connection") or given.get("database") or self.engine)


def options_model(engine: str) -> type[EngineOptions] | None:
    """Return the model of an engine's options; None when no package brings that engine, ConfigError when it is broken."""
    model = installed_engines.options_of(engine)
    if model is None and engine not in installed_engines.names():
        return None
    if not (isinstance(model, type) and issubclass(model, EngineOptions)):
        raise ConfigError(
            f"engine {quoted(engine)} has no model of options",
            hint="its class needs an attribute `options`, a subclass of airflow_backup.engine.EngineOptions",
        )
    return model


def _read(value: Any) -> Any:
    """Turn a mapping into the options of its engine."""
    if isinstance(value, EngineOptions):
        return value
    engine = value.get("engine") if isinstance(value, dict) else None
    try:
        model = options_model(engine) if isinstance(engine, str) else None
    except ConfigError as error:
        raise ValueError(f"{error.message}; {error.hint}") from error
    if model is None:
        raise ValueError(
            f"no engine {quoted(engine)}; there are {', '.join(installed_engines.names())}"
        )
    return model.model_validate(value)


Source = Annotated[SerializeAsAny[EngineOptions], BeforeValidator(_read)]
"""The options of any engine."""


def tools_of(source: object) -> str | None:
    """
    Return the folder of programs, or the program, that a source names.

    >>> class Options(EngineOptions):
    ...     tools: str | None = None
    >>> tools_of(Options(engine="x", tools="/opt/pg/bin")), tools_of(EngineOptions(engine="files"))
    ('/opt/pg/bin', None)
    """
    found = getattr(source, "tools", None) or getattr(source, "program", None)
    return None if found is None else str(found)
