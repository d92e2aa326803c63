"""Which engines there are, and what a form asks for a source of each."""

from __future__ import annotations

from typing import Literal

from airflow_backup.plugin.schemas.base import ApiModel


class OptionChoice(ApiModel):
    """One of the values that an option may have."""

    value: str
    label: str
    """What it means, in words."""


class EngineOption(ApiModel):
    """One key of a source, and how a form asks for it."""

    key: str
    label: str
    description: str
    kind: Literal["text", "number", "switch", "choice", "list", "numbers", "yaml"]
    """
    `list`: a list of texts; `numbers`: one of numbers; `yaml`: it has parts of its own, and no single field holds it.
    """
    required: bool
    is_usual: bool
    """Whether most schedules write it."""
    default: str | int | float | bool | list[str | int | float] | None
    """What holds where nothing is written."""
    example: str
    choices: list[OptionChoice]
    """What it may be, where `kind` is `choice`."""
    several: str | None
    """The key that takes the values where there is more than one."""


class EngineInfo(ApiModel):
    """An engine that is installed on the API server, and the options of its source."""

    name: str
    """The word after `engine:`."""
    description: str
    options: list[EngineOption]
    problem: str | None = None
    """Why its options cannot be told: the package that brings it is broken."""


class EngineList(ApiModel):
    """All engines that are installed, by name."""

    engines: list[EngineInfo]
