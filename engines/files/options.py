"""What a schedule may say about files."""

from __future__ import annotations

import os
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import ConfigError
from airflow_backup.core.paths.patterns import Patterns
from airflow_backup.core.paths.places import local_places
from airflow_backup.engines.shared.options import FirstPath, SeveralPaths, Unreadable
from airflow_backup.schedules.model.base import Pattern
from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.schedules.schema.asked import asked

_MOST_CHARACTERS = 100_000
"""Of all patterns of a list: they are one expression, and who writes a larger one waits for it each time it is read."""


class FilesOptions(EngineOptions):
    """Folders and files, with their owners, modes, times and links."""

    engine: Literal["files"]
    """Which engine reads the source."""

    connection_types: ClassVar[tuple[str, ...]] = ("fs",)  # a folder on the machine of the worker

    place_extras: ClassVar[tuple[str, ...]] = ("path",)

    path: FirstPath = None
    """The folder or file to back up."""

    paths: SeveralPaths | None = None
    """Several folders or files, instead of `path`."""

    include: Annotated[
        list[Pattern], Field(max_length=10_000), asked("Take only", usual=False, example="*.pdf")
    ] = []
    """Take only what matches one of these patterns; everything when empty."""

    exclude: Annotated[
        list[Pattern], Field(max_length=10_000), asked("Leave out", example="*.tmp, cache/")
    ] = []
    """Leave out what matches one of these patterns, in the manner of gitignore: `*.tmp`, `cache/`, `!keep.tmp`."""

    compare: Annotated[
        Literal["metadata", "content"],
        asked(
            "An incremental finds changes by",
            usual=False,
            words={"metadata": "size, times, inode and owner", "content": "reading everything"},
        ),
    ] = "metadata"
    """How an incremental finds what changed: by size, times, inode and owner, or by reading all."""

    on_unreadable: Unreadable = "fail"
    """Whether a file that cannot be read fails the run, or is left out, listed, and told of."""

    allow_empty: Annotated[bool, asked("May be empty", usual=False)] = False
    """Take a source folder with nothing in it. Off, because a disk that is not mounted looks like that."""

    @field_validator("include", "exclude")
    @classmethod
    def _patterns_mean_something(cls, patterns: list[str]) -> list[str]:
        size = sum(map(len, patterns))
        if size > _MOST_CHARACTERS:
            raise ValueError(
                f"all patterns together have {size:,} characters, and at most {_MOST_CHARACTERS:,} are read; "
                "name the folders above, or give them a star"
            )
        try:
            Patterns(exclude=patterns)
        except ConfigError as error:
            advice = f"; {error.hint}" if error.hint else ""
            raise ValueError(f"{error.message}{advice}") from error
        return patterns

    @model_validator(mode="after")
    def _one_of_path_and_paths(self) -> FilesOptions:
        if (self.path is None) == (self.paths is None):
            raise ValueError("write either `path` or `paths`")
        return self

    @property
    def roots(self) -> list[str]:
        """The folders and files to back up, at least one."""
        return self.paths if self.paths is not None else [self.path or ""]

    def takes(self, folder: str, place: str) -> bool:
        """Whether the patterns take a folder below one of the roots; a root itself is what the schedule is about."""
        if place == folder or not (self.include or self.exclude):
            return True
        patterns = Patterns(include=self.include, exclude=self.exclude)
        inside = os.fsencode(place.removeprefix(folder).lstrip("/")).split(b"/")
        ways = (b"/".join(inside[: depth + 1]) for depth in range(len(inside)))
        is_left_out = any(patterns.skips(each, is_folder=True) for each in ways)
        return not is_left_out and patterns.takes(b"/".join(inside), is_folder=True)

    @classmethod
    def places_behind(cls, connection: Connection) -> tuple[str, ...]:
        """Name the folder of a connection of type `fs`; none where it names none."""
        path = _folder_of(connection)
        return local_places([path]) if path.startswith("/") else ()

    @classmethod
    def source_behind(cls, engine: str, connection: Connection) -> dict[str, Any]:
        """Return the folder as the source."""
        return {"engine": engine, "path": _folder_of(connection)}

    @property
    def local_paths(self) -> tuple[str, ...]:
        """The folders and files to back up, at least one."""
        return tuple(self.roots)


def _folder_of(connection: Connection) -> str:
    path = str(connection.extra.get("path") or "")
    return path.encode("utf-8", "replace").decode()  # half a letter is in no answer, and in no name
