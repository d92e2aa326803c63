"""The page's types say what the server's models say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from airflow_backup.core.words import (
    ExecutionStatus,
    Kind,
    VerificationLevel,
    VerificationOutcome,
)
from airflow_backup.plugin.schemas import calendar as calendar_models
from airflow_backup.plugin.schemas import edits as edit_models
from airflow_backup.plugin.schemas import schedules as models
from airflow_backup.plugin.schemas import sets as set_models
from airflow_backup.plugin.schemas import status as status_models

TYPES = Path(__file__).parents[3] / "ui" / "src" / "api" / "types.ts"
_TYPE = re.compile(r"export type (\w+) = (?:(\w+) & )?\{\n(.*?)\n\};", re.DOTALL)
_FIELD = re.compile(r"^  (\w+): (.+);$", re.MULTILINE)

MODELS = {
    name: found
    for module in (models, status_models, edit_models, calendar_models, set_models)
    for name, found in vars(module).items()
    if isinstance(found, type)
    and issubclass(found, BaseModel)
    and found.__module__ == module.__name__
    and name != "Model"
}


def page_types() -> dict[str, dict[str, str]]:
    """Read the fields of every type of the page."""
    found: dict[str, dict[str, str]] = {}
    for name, base, body in _TYPE.findall(TYPES.read_text()):
        found[name] = found.get(base, {}) | dict(_FIELD.findall(body))
    return found


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_the_same_fields_on_the_page(name: str) -> None:
    fields = MODELS[name].model_fields
    assert set(page_types()[name]) == set(fields)
    for field, kind in page_types()[name].items():
        may_be_null = type(None) in getattr(fields[field].annotation, "__args__", ())
        assert kind.endswith(" | null") == may_be_null, f"{name}.{field}"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ExecutionStatus", ExecutionStatus),
        ("Kind", Kind),
        ("VerificationLevel", VerificationLevel),
        ("VerificationOutcome", VerificationOutcome),
        ("State", models.State),
        ("Condition", models.Condition),
    ],
)
def test_the_vocabularies_are_the_same(name: str, words: type[str]) -> None:
    found = re.search(rf"export type {name} = ([^;]+);", TYPES.read_text())
    assert found is not None
    assert re.findall(r'"(\w+)"', found[1]) == [str(word) for word in words]  # type: ignore[attr-defined]  # an enum
