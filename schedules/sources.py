"""What can be backed up: one model of options for each engine."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator, model_validator

from airflow_backup.core.errors import ConfigError
from airflow_backup.core.patterns import Patterns
from airflow_backup.core.words import Kind
from airflow_backup.schedules.base import AbsolutePath, Model
from airflow_backup.schedules.program_sources import CommandSource, FirebirdSource, ResticSource


class FilesSource(Model):
    """Folders and files, with their owners, modes, times and links."""

    engine: Literal["files"]
    """Which engine reads the source."""

    path: AbsolutePath | None = None
    """The folder or file to back up."""

    paths: Annotated[list[AbsolutePath], Field(min_length=1)] | None = None
    """Several folders or files, instead of `path`."""

    include: list[str] = []
    """Take only what matches one of these patterns; everything when empty."""

    exclude: list[str] = []
    """Leave out what matches one of these patterns, in the manner of gitignore: `*.tmp`, `cache/`, `!keep.tmp`."""

    compare: Literal["metadata", "content"] = "metadata"
    """How an incremental finds what changed: by size, times, inode and owner, or by reading all."""

    on_unreadable: Literal["fail", "warn"] = "fail"
    """Whether a file that cannot be read fails the run, or is left out, listed, and told of."""

    allow_empty: bool = False
    """Take a source folder with nothing in it. Off, because a disk that is not mounted looks like that."""

    @field_validator("include", "exclude")
    @classmethod
    def _patterns_mean_something(cls, patterns: list[str]) -> list[str]:
        try:
            Patterns(exclude=patterns)
        except ConfigError as error:
            advice = f"; {error.hint}" if error.hint else ""
            raise ValueError(f"{error.message}{advice}") from error
        return patterns

    @model_validator(mode="after")
    def _one_of_path_and_paths(self) -> FilesSource:
        if (self.path is None) == (self.paths is None):
            raise ValueError("write either `path` or `paths`")
        return self

    @property
    def roots(self) -> list[str]:
        """The folders and files to back up, at least one."""
        return self.paths if self.paths is not None else [self.path or ""]


class SqliteSource(Model):
    """One SQLite database, read through a consistent view while others write to it."""

    engine: Literal["sqlite"]
    """Which engine reads the source."""

    path: AbsolutePath | None = None
    """The database file."""

    connection: str | None = None
    """An Airflow connection of type `sqlite`, instead of `path`."""

    @model_validator(mode="after")
    def _one_of_path_and_connection(self) -> SqliteSource:
        if (self.path is None) == (self.connection is None):
            raise ValueError("write either `path` or `connection`")
        return self


class PostgresSource(Model):
    """One PostgreSQL database, or with `method: physical` the whole cluster."""

    engine: Literal["postgres"]
    """Which engine reads the source."""

    connection: str
    """The Airflow connection of type `postgres`."""

    database: str | None = None
    """Which database; the connection's when missing."""

    method: Literal["logical", "physical"] = "logical"
    """`logical` is pg_dump of one database, `physical` is pg_basebackup of the cluster with the WAL it needs."""

    format: Literal["custom", "directory"] = "custom"
    """Of a logical set: one stream, or a folder of one file for each table, which `jobs` write side by side."""

    jobs: Annotated[int, Field(ge=1, le=64)] = 1
    """How many tables `format: directory` reads at once."""

    wal: Literal["none", "slot", "archive"] = "none"
    """Of a physical source: where `archive_log` sets take the WAL from, a replication slot or an archive folder."""

    slot: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,63}$")] | None = None
    """The replication slot of `wal: slot`; named after the schedule when missing."""

    archive: AbsolutePath | None = None
    """The folder into which the server's `archive_command` copies, for `wal: archive`."""

    tools: AbsolutePath | None = None
    """The folder of the client programs, for example `/usr/lib/postgresql/17/bin`; `PATH` when missing."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds that can be taken of this source."""
        if self.method == "logical":
            return frozenset({Kind.FULL})
        logs = {Kind.ARCHIVE_LOG} if self.wal != "none" else set()
        return frozenset({Kind.FULL, Kind.INCREMENTAL, Kind.DIFFERENTIAL, *logs})

    @model_validator(mode="after")
    def _options_fit_the_method(self) -> PostgresSource:
        if self.method == "logical" and self.wal != "none":
            raise ValueError("`wal` needs `method: physical`: a dump cannot be rolled forward")
        if self.method == "physical" and (self.format, self.jobs) != ("custom", 1):
            raise ValueError("`format` and `jobs` belong to `method: logical`")
        if self.jobs > 1 and self.format != "directory":
            raise ValueError("`jobs` needs `format: directory`")
        return self

    @model_validator(mode="after")
    def _the_wal_has_a_place(self) -> PostgresSource:
        if (self.wal == "archive") != (self.archive is not None):
            raise ValueError("`wal: archive` and `archive`, its folder, go together")
        if self.slot is not None and self.wal != "slot":
            raise ValueError("`slot` needs `wal: slot`")
        return self


class MysqlSource(Model):
    """A MariaDB or MySQL database, or all of a server, or with `method: physical` its data folder."""

    engine: Literal["mysql"]
    """Which engine reads the source."""

    connection: str
    """The Airflow connection of type `mysql`."""

    database: str | None = None
    """Which database of a logical set; the connection's when missing, all but the server's own without either."""

    method: Literal["logical", "physical"] = "logical"
    """`logical` is mariadb-dump or mysqldump, `physical` is mariadb-backup on the server's own machine."""

    tools: AbsolutePath | None = None
    """The folder of the client programs; `PATH` when missing."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds that can be taken of this source; `archive_log` needs the server's binary log."""
        if self.method == "logical":
            return frozenset({Kind.FULL, Kind.ARCHIVE_LOG})
        return frozenset(Kind)

    @model_validator(mode="after")
    def _a_data_folder_is_copied_whole(self) -> MysqlSource:
        if self.method == "physical" and self.database is not None:
            raise ValueError("`method: physical` copies all databases; leave `database` out")
        return self


BUILT_IN: dict[str, type[Model]] = {
    "files": FilesSource,
    "sqlite": SqliteSource,
    "postgres": PostgresSource,
    "mysql": MysqlSource,
    "firebird": FirebirdSource,
    "restic": ResticSource,
    "command": CommandSource,
}
"""The engines that come with the package, and their options."""


ENTRY_POINTS = "airflow_backup.engines"
"""Under this group other packages register engines; the object has a ``source`` model of options."""


def engine_names() -> list[str]:
    """List the engines that schedules may name."""
    return sorted({*BUILT_IN, *(found.name for found in entry_points(group=ENTRY_POINTS))})


def source_model(engine: str) -> type[Model] | None:
    """Return the model of an engine's options; None when no package brings that engine."""
    if engine in BUILT_IN:
        return BUILT_IN[engine]
    for found in entry_points(group=ENTRY_POINTS, name=engine):
        try:
            model = found.load().source
        except (
            Exception,
            SystemExit,
        ) as error:  # somebody else's code; it must cost only who uses it
            raise ConfigError(
                f"engine {engine!r} of {found.value} cannot be loaded: {type(error).__name__}: {error}",
                hint="is the package that brings it whole, and does it fit this release?",
            ) from error
        if not (isinstance(model, type) and issubclass(model, Model)):
            raise ConfigError(f"engine {engine!r} of {found.value} has no model of options")
        return model
    return None


def _read(value: Any) -> Any:
    """Turn a mapping into the options of its engine."""
    if isinstance(value, Model):
        return value
    engine = value.get("engine") if isinstance(value, dict) else None
    try:
        model = source_model(engine) if isinstance(engine, str) else None
    except ConfigError as error:
        raise ValueError(f"{error.message}; {error.hint}") from error
    if model is None:
        raise ValueError(f"no engine {engine!r}; there are {', '.join(engine_names())}")
    return model.model_validate(value)


Source = Annotated[SerializeAsAny[Model], BeforeValidator(_read)]
"""The options of any engine."""


def describe(source: Model) -> str:
    """
    Name a source in a few words, for lists.

    >>> describe(FilesSource(engine="files", path="/srv/wiki"))
    '/srv/wiki'
    """
    given: dict[str, Any] = source.model_dump(exclude_none=True)
    if given.get("paths"):
        return ", ".join(given["paths"])
    return str(
        given.get("path") or given.get("connection") or given.get("database") or given["engine"]
    )
