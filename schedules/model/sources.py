"""The source of a schedule: the name of an engine, and that engine's own options."""

from __future__ import annotations

import logging
from typing import Annotated, Any, ClassVar, NamedTuple, get_args
from urllib.parse import quote

from pydantic import BeforeValidator, Field, SerializeAsAny

from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.installed import engines as installed_engines
from airflow_backup.core.paths.places import ALL, local_places
from airflow_backup.core.text.names import quoted
from airflow_backup.core.words import Kind
from airflow_backup.core.worker import machine_of
from airflow_backup.schedules.model.base import ConnectionId, Model

log = logging.getLogger(__name__)


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

    default_port: ClassVar[int | None] = None
    """Where the server of a connection listens that names no port."""

    connection_types: ClassVar[tuple[str, ...]] = ()
    """
    The types of Airflow's connections that lead to what the engine can back up; of these it is said which no schedule
    protects.
    """

    place_extras: ClassVar[tuple[str, ...]] = ()
    """The extras of a connection that say where it leads. No others are read to tell which place a schedule reads."""

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

    def places(self, connections: Connections) -> tuple[str, ...]:
        """
        Name what is read, so that two schedules which read the same one give the same name.

        What a connection points to, else the local paths, else the options themselves.
        """
        connection = getattr(self, "connection", None)
        if connection is not None:
            found = connections(connection)
            database = self.database_of(found)
            name = ALL if database is None else quote(database, safe="")
            return (f"{self.engine}://{self.server_of(found)}/{name}",)
        if self.local_paths and self.own_program is None:
            return local_places(self.local_paths)
        return (self.model_dump_json(exclude_defaults=True),)

    @classmethod
    def server_of(cls, found: Connection) -> str:
        """Name the server that a connection leads to: two that are not the same never get the same name."""
        return f"{machine_of(found.host)}:{found.port or cls.default_port}"

    def database_of(self, found: Connection) -> str | None:
        """Name the database that is read on the server of a connection; None where it is all of them."""
        return getattr(self, "database", None) or found.schema or ""

    def takes(self, folder: str, place: str) -> bool:
        """Whether a place is read that lies within ``folder``, one of `places`."""
        return True

    @classmethod
    def places_behind(cls, connection: Connection) -> tuple[str, ...]:
        """Name what a connection leads to, as `places` of a source does that names it; none where nobody can tell."""
        engine = get_args(cls.model_fields["engine"].annotation)
        facts: dict[str, Any] = {"engine": engine[0] if engine else "", "connection": connection.id}
        made = cls.model_construct(**facts)
        return made.places(lambda _: connection)

    @classmethod
    def source_behind(cls, engine: str, connection: Connection) -> dict[str, Any]:
        """Return what a schedule would write as `source` to back up what a connection leads to."""
        return {"engine": engine, "connection": connection.id}

    def summary(self) -> str:
        """Name the source in a few words, for lists."""
        given: dict[str, Any] = self.model_dump(exclude_none=True)
        if self.local_paths:
            return ", ".join(self.local_paths)
        return str(given.get("connection") or given.get("database") or self.engine)


class Unprotected(Model):
    """A connection that no schedule protects, and why that is right."""

    connection: ConnectionId
    """The id of the Airflow connection."""

    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
    """Why nothing of it is backed up here, for whoever asks."""


def options_model(engine: str) -> type[EngineOptions] | None:
    """
    Return the model of an engine's options; None when no package brings that engine, ConfigError when it is broken.
    """
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
