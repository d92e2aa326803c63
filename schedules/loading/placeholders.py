"""
Fills ``${NAME}`` and ``${NAME:-default}`` from the environment; ``$${`` stands for ``${`` itself.

Definitions are stored in the catalog and shown on the page, so a name that looks like a secret is refused:
secrets belong into Airflow connections.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_backup.schedules.loading.problems import PathPart, Problem
from airflow_backup.schedules.loading.yaml_reader import Document

_PLACEHOLDER = re.compile(r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|(\$\{)")
_NAMES = re.compile(rb"\$\{([A-Za-z_][A-Za-z0-9_]*)")
_SECRET = re.compile(
    r"passw|secret|token|credential|api_?key|private_?key|^AIRFLOW_CONN_|^AIRFLOW__", re.IGNORECASE
)


def names_in(content: bytes) -> list[str]:
    """List the variables that a file mentions, in order, each once."""
    return sorted({name.decode() for name in _NAMES.findall(content)})


def fill(document: Document, environ: Mapping[str, str]) -> Document:
    """Return the document with its placeholders filled; each that cannot be is a problem at its place."""
    problems: list[Problem] = []

    def filled(value: Any, path: tuple[PathPart, ...]) -> Any:
        if isinstance(value, str):
            return _text(value, path)
        if isinstance(value, dict):
            return {key: filled(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [filled(item, (*path, index)) for index, item in enumerate(value)]
        return value

    def _text(text: str, path: tuple[PathPart, ...]) -> str:
        def one(found: re.Match[str]) -> str:
            escaped, name, default, broken = found.groups()
            if escaped:
                return "${"
            problem = _problem(broken, name, default, environ)
            if problem is not None:
                problems.append(document.problem(path, *problem))
                return ""
            return environ.get(name) or default or ""

        return _PLACEHOLDER.sub(one, text) if "${" in text else text

    data = filled(document.data, ())
    return replace(document, data=data, problems=[*document.problems, *problems])


def _problem(
    broken: str | None, name: str, default: str | None, environ: Mapping[str, str]
) -> tuple[str, str] | None:
    if broken:
        return (
            "`${` is not closed, or holds no name",
            "write ${NAME}, ${NAME:-default}, or $${ for the text itself",
        )
    if _SECRET.search(name):
        return (
            f"`${{{name}}}` looks like a secret",
            "put it into an Airflow connection, and name that",
        )
    if default is None and not environ.get(name):
        return (
            f"`${{{name}}}` is not set",
            f"set it where Airflow runs, or write ${{{name}:-default}}",
        )
    return None
