"""The reference page of the schedules file, made from the model so that it cannot lag."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_backup.core.words import EventKind
from airflow_backup.schedules.model.presets import PRESETS
from airflow_backup.schedules.schema.json_schema import json_schema

_INTRODUCTION = """\
# The schedules file

*Made from the model by `scripts/reference`; change the model, not this page.*

`schedules.yaml`, or a folder `schedules/` of `*.yaml` files, which works like one file. Check it with
`airflow-backup validate`; editors complete and check it with the schema that `airflow-backup schema` prints:

```yaml
# yaml-language-server: $schema=schedules.schema.json
version: 1
```

`defaults` are under everything, then the schedule's `group` where `groups` says something of it, then the templates
that a schedule `extends`, then the schedule itself. A key given higher up replaces the one below as a whole, except
that `source`, `retry` and `verify` are joined key by key, and that whatever says *when* (`cron`, `every`, `preset`,
`levels`, `after`) replaces all of these together.

Text is YAML 1.2: only `true` and `false` are booleans, and `22:00` is text. Durations are written `30s`, `5m`, `4h`,
`1h30m`, `14d`; sizes `500MB`, `2GiB`.
"""
_OPTIONS = "Options"
_HEADINGS = {
    "Schedule": "A schedule",
    "Levels": "Levels",
    "Window": "A window",
    "Calendar": "A calendar",
    "AtOnce": "Limits",
    "Throttle": "Throttle",
    "ThrottleTime": "A time of a throttle",
    "Retry": "Retry",
    "ClassRetry": "Retry of one class",
    "Retention": "Retention",
    "Verify": "Verify",
    "Objectives": "Objectives",
    "Notice": "A notice",
    "Receiver": "A receiver",
    "Compression": "Compression",
    "Encryption": "Encryption",
    "Signing": "Signing",
    "Preset": "A preset",
    "Unprotected": "An exception",
}


def markdown() -> str:
    """Return the reference page of all keys of a schedules file, as Markdown."""
    schema = json_schema()
    parts = [_INTRODUCTION, "## Top level\n", _table(schema, required=schema["required"])]
    definitions = schema["$defs"]
    headings = _headings(definitions)
    for name, heading in headings.items():
        definition = definitions[name]
        parts.append(f"## {heading}\n")
        if definition.get("description"):
            parts.append(f"{definition['description']}\n")
        parts.append(_table(definition, required=definition.get("required", [])))
    parts.append("## Presets that are always there\n")
    rows = [
        f"| `{name}` | `{preset.cron}` | {preset.description} |" for name, preset in PRESETS.items()
    ]
    parts.append("\n".join(["| name | cron | meaning |", "|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _headings(definitions: Mapping[str, Any]) -> dict[str, str]:
    """Order the sections: a schedule, each engine with the models that only it uses, the rest."""
    own = [
        name for name in definitions if name not in {*_HEADINGS, "Template", "Kind", "EventKind"}
    ]
    engines = [name for name in own if name.endswith(_OPTIONS)]
    found = {"Schedule": _heading("Schedule")}
    for engine in engines:
        used = [
            name for name in own if name not in engines and _mentions(definitions, engine, name)
        ]
        found |= {name: _heading(name) for name in (engine, *used)}
    return found | _HEADINGS


def _heading(name: str) -> str:
    if name.endswith(_OPTIONS):
        return f"Source: {name.removesuffix(_OPTIONS).lower()}"
    return _HEADINGS.get(name, f"A {name.lower()}")


def _mentions(definitions: Mapping[str, Any], name: str, other: str) -> bool:
    text = json.dumps(definitions[name])
    if f'/{other}"' in text:
        return True
    return any(
        f'/{between}"' in text and f'/{other}"' in json.dumps(definitions[between])
        for between in definitions
    )


def _table(definition: dict[str, Any], *, required: list[str]) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, facts in definition["properties"].items():
        default = "**required**" if key in required else _default(facts)
        rows.append(f"| `{key}` | {_value(facts)} | {default} | {facts.get('description', '')} |")
    return "\n".join(rows) + "\n"


def _default(facts: dict[str, Any]) -> str:
    default = facts.get("default")
    if default in (None, [], {}) or isinstance(default, dict):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _value(facts: dict[str, Any]) -> str:
    if "$ref" in facts:
        return _link(facts["$ref"])
    if "const" in facts:
        return f"`{facts['const']}`"
    if "enum" in facts:
        return " ".join(f"`{word}`" for word in facts["enum"])
    if "anyOf" in facts:
        known = [_value(option) for option in facts["anyOf"] if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(known))
    if facts.get("type") == "array":
        return f"list of {_value(facts.get('items', {}))}"
    if facts.get("type") == "object":
        return f"mapping of names to {_value(facts.get('additionalProperties') or {})}"
    if "wdhms" in facts.get("pattern", ""):
        return "duration"
    return {"string": "text", "integer": "whole number", "boolean": "`true` `false`"}.get(
        facts.get("type", ""), ""
    )


def _link(reference: str) -> str:
    name = reference.rsplit("/", 1)[-1]
    if name == "EventKind":
        return " ".join(f"`{kind}`" for kind in EventKind)
    if name == "Kind":
        return "`full` `incremental` `differential` `archive_log`"
    heading = _heading("Schedule" if name == "Template" else name)
    anchor = heading.lower().replace(":", "").replace(" ", "-")
    return f"[{heading.lower()}](#{anchor})"
