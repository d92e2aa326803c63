"""What a form asks for a source: the options of its engine, read from their JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.schedules.schema.asked import X_FORM
from airflow_backup.schedules.schema.json_schema import options_schema

Kind = Literal["text", "number", "switch", "choice", "list", "numbers", "yaml"]
Default = str | int | float | bool | list[str | int | float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the values that an option may have, and the words for it."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One key of a source, and how a form asks for it."""

    key: str
    label: str
    description: str
    """What its docstring says."""

    kind: Kind
    """
    ``list`` is a list of texts, ``numbers`` one of numbers; ``yaml`` has parts of its own, and no field of a form
    holds it.
    """

    required: bool
    is_usual: bool
    """Whether most schedules write it; the others stand apart."""

    default: Default
    example: str
    choices: tuple[Choice, ...]
    several: str | None
    """The key that takes the values where there is more than one."""


@cache
def options_of(model: type[EngineOptions]) -> tuple[Option, ...]:
    """Return every option of an engine but its name, in the order of the model; the same as long as it is installed."""
    schema = options_schema(model)
    properties = {key: facts for key, facts in schema["properties"].items() if key != "engine"}
    instead = {facts.get(X_FORM, {}).get("several") for facts in properties.values()}
    required = schema.get("required", [])
    return tuple(
        _option(key, _resolved(facts, schema), is_required=key in required)
        for key, facts in properties.items()
        if key not in instead
    )


_MAY_BE_NULL = "may be null"


def _option(key: str, facts: Mapping[str, Any], *, is_required: bool) -> Option:
    hints: dict[str, Any] | None = facts.get(X_FORM)
    label = key.replace("_", " ").capitalize() if hints is None else facts["title"]
    hints = hints or {}
    default = facts.get("default")
    kind = _kind(facts)
    if hints.get("several"):
        kind = "numbers" if kind == "number" else "list"
    elif facts.get(_MAY_BE_NULL) and default is not None:
        kind = "yaml"  # an empty field means what is usual, and nothing typed would mean null
    return Option(
        key=key,
        label=label,
        description=facts.get("description", ""),
        kind=kind,
        required=is_required or bool(hints.get("required")),
        is_usual=bool(hints.get("usual")) or (is_required and kind != "yaml"),
        default=None if kind == "yaml" else default,
        example=str(facts.get("examples", [""])[0]),
        choices=tuple(
            Choice(value=each, label=hints.get("words", {}).get(each, each))
            for each in (facts["enum"] if kind == "choice" else ())
        ),
        several=hints.get("several"),
    )


def _resolved(facts: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return an option's facts, with null apart from the other ways to write it, and without a reference."""
    ways = [way for way in facts.get("anyOf", []) if way.get("type") != "null"]
    own = {key: fact for key, fact in facts.items() if key != "anyOf"}
    found = _followed({**ways[0], **own} if len(ways) == 1 else facts, schema)
    if isinstance(found.get("items"), Mapping):
        found["items"] = _followed(found["items"], schema)
    return found | {_MAY_BE_NULL: len(ways) < len(facts.get("anyOf", []))}


def _followed(facts: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    name = str(facts.get("$ref", "")).rpartition("/")[2]
    return {**schema["$defs"][name], **facts} if name else dict(facts)


_LISTS: Mapping[Any, Kind] = {"string": "list", "integer": "numbers", "number": "numbers"}


def _kind(facts: Mapping[str, Any]) -> Kind:
    ways = facts.get("anyOf", [])
    several = {way.get("type") for way in ways if way.get("type") != "null"}
    if len(several) > 1:  # a size is a text or a number: as a text it can be written either way
        return "text" if several <= {"string", "integer", "number"} else "yaml"
    of_type = facts.get("type")
    if "enum" in facts:
        return "choice" if all(isinstance(each, str) for each in facts["enum"]) else "yaml"
    if of_type == "array":
        return _LISTS.get(facts.get("items", {}).get("type"), "yaml")
    kinds: dict[Any, Kind] = {
        "string": "text",
        "integer": "number",
        "number": "number",
        "boolean": "switch",
    }
    return kinds.get(of_type, "yaml")
