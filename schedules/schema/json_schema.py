"""The JSON Schema of a schedules file, made from the model, for editors and for whoever writes the file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from airflow_backup.core.installed.engines import built_in
from airflow_backup.core.text.durations import format_duration
from airflow_backup.schedules.loading.shared import NOT_INHERITED, TOP_LEVEL
from airflow_backup.schedules.model.calendars import Calendar
from airflow_backup.schedules.model.notify import Receiver
from airflow_backup.schedules.model.presets import PRESETS, Preset
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.sources import EngineOptions, Unprotected, options_model
from airflow_backup.schedules.model.windows import Window
from airflow_backup.schedules.schema.descriptions import Described

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "airflow-backup schedules"
_EXTENDS = {"type": "string", "description": "The name of a template whose keys this inherits."}
_DESCRIPTIONS = {
    "version": "The version of this format.",
    "defaults": "What every schedule inherits.",
    "presets": "Well-known times of your own: a name and a cron expression.",
    "windows": "Weekly times in which backups may start, by name.",
    "calendars": "Days on which no backup runs, by name.",
    "receivers": "Where messages go, by name.",
    "templates": "Keys that schedules inherit with `extends`, by name.",
    "groups": "Keys that all schedules of a `group` inherit, by the group's name; above the defaults, below templates.",
    "unprotected": "Connections that no schedule protects on purpose, each with the reason.",
    "schedules": "What is backed up, when and how.",
}


def json_schema() -> dict[str, Any]:
    """Return the schema of a whole file (JSON Schema 2020-12)."""
    models: list[type[BaseModel]] = [
        Schedule,
        Window,
        Calendar,
        Preset,
        Receiver,
        Unprotected,
        *_options(),
    ]
    _, made = models_json_schema(
        [(model, "validation") for model in models], schema_generator=Described
    )
    definitions: dict[str, Any] = made["$defs"]
    definitions.pop("Model", None)
    definitions.pop("EngineOptions", None)
    _write_durations(definitions)
    _allow_names(definitions["Schedule"]["properties"])
    _allow_one_for_many(definitions)
    _template_of(definitions)
    properties: dict[str, Any] = {
        "version": {"const": 1},
        "defaults": {"$ref": "#/$defs/Template"},
        "presets": _named({"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Preset"}]}),
        "windows": _named({"$ref": "#/$defs/Window"}),
        "calendars": _named({"$ref": "#/$defs/Calendar"}),
        "receivers": _named({"$ref": "#/$defs/Receiver"}),
        "templates": _named({"$ref": "#/$defs/Template"}),
        "groups": _named({"$ref": "#/$defs/Template"}),
        "unprotected": {"type": "array", "items": {"$ref": "#/$defs/Unprotected"}},
        "schedules": {"type": "array", "items": {"$ref": "#/$defs/Schedule"}},
    }
    return {
        "$schema": DIALECT,
        "title": TITLE,
        "type": "object",
        "additionalProperties": False,
        "required": ["version"],
        "properties": {
            key: properties[key] | {"description": _DESCRIPTIONS[key]} for key in TOP_LEVEL
        },
        "$defs": dict(sorted(definitions.items())),
    }


def options_schema(model: type[EngineOptions]) -> dict[str, Any]:
    """Return the schema of an engine's options alone, what a form is made from."""
    made = model.model_json_schema(schema_generator=Described)
    for name, field in model.model_fields.items():
        usual = _made_list(field)
        if usual is not None:
            made["properties"][field.alias or name]["default"] = usual
    _write_durations(made)
    return made


def _made_list(field: FieldInfo) -> list[Any] | None:
    """Return the list that a function makes where nothing is written; pydantic tells of no such default."""
    if field.default_factory is None or field.default_factory_takes_validated_data:
        return None
    made = field.get_default(call_default_factory=True)
    is_list = isinstance(made, list | tuple | set | frozenset)
    return TypeAdapter(list[Any]).dump_python(list(made), mode="json") if is_list else None


def _options() -> list[type[BaseModel]]:
    """Return the models of the engines that come with this package."""
    return [model for name in built_in() if (model := options_model(name)) is not None]


def _write_durations(node: Any) -> None:
    """Describe durations as they are written (``1h30m``); pydantic would show ISO 8601."""
    if isinstance(node, list):
        for item in node:
            _write_durations(item)
    if not isinstance(node, dict):
        return
    if node.get("ge") == "PT0S":
        del node["ge"]
        node["pattern"] = r"^\s*([0-9]+[wdhmsWDHMS])+\s*$"
    default = node.get("default")
    if isinstance(default, str) and default.startswith("P"):
        node["default"] = format_duration(TypeAdapter(timedelta).validate_python(default))
    for value in node.values():
        _write_durations(value)


def _named(value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": value}


def _allow_names(properties: dict[str, Any]) -> None:
    """Say what the loader allows beyond the model: names for windows and calendars, any preset, ``extends``."""
    for key, model in (("window", "Window"), ("skip_on", "Calendar")):
        one = {"anyOf": [{"type": "string"}, {"$ref": f"#/$defs/{model}"}]}
        description = properties[key]["description"]
        properties[key] = {
            "anyOf": [one, {"type": "array", "items": one}],
            "description": description,
        }
    sources = [{"$ref": f"#/$defs/{model.__name__}"} for model in _options()]
    properties["source"] = {"anyOf": sources, "description": properties["source"]["description"]}
    properties["preset"] = {
        "anyOf": [{"enum": sorted(PRESETS)}, {"type": "string"}],
        "description": properties["preset"]["description"],
    }
    properties["extends"] = _EXTENDS


def _allow_one_for_many(definitions: dict[str, Any]) -> None:
    """Say that of notices one may stand for a list of them, and a name for a receiver or a window."""
    notice, receiver = definitions["Notice"]["properties"], {"$ref": "#/$defs/Receiver"}
    named = {"anyOf": [{"type": "string"}, receiver]}
    window = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Window"}]}
    for properties, key, one in (
        (definitions["Schedule"]["properties"], "notify", {"$ref": "#/$defs/Notice"}),
        (notice, "to", named),
        (notice, "quiet", window),
        (notice, "events", {"$ref": "#/$defs/EventKind"}),
        (definitions["Receiver"]["properties"], "email", {"type": "string"}),
    ):
        facts = {
            name: properties[key][name]
            for name in ("description", "default")
            if name in properties[key]
        }
        properties[key] = {"anyOf": [one, {"type": "array", "items": one}], **facts}


def _template_of(definitions: dict[str, Any]) -> None:
    """Make the schema of defaults and templates: a schedule's keys, none of them required."""
    schedule = definitions["Schedule"]
    schedule["required"] = ["id"]  # the rest may come from a template or the defaults
    keys = {
        key: value
        for key, value in schedule["properties"].items()
        if key not in NOT_INHERITED or key == "extends"
    }
    keys["source"] = {"type": "object", "description": keys["source"]["description"]}
    definitions["Template"] = {
        "type": "object",
        "additionalProperties": False,
        "description": "Keys that schedules inherit.",
        "properties": keys,
    }
