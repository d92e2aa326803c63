"""
The docstrings below the keys of a model, put into its JSON Schema: what an editor shows, and the reference prints.
"""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue


class Described(GenerateJsonSchema):
    """
    A JSON Schema with those descriptions.

    pydantic can read them itself, but does so as each class is made: every process that knows
    schedules would parse its own source, and that was a tenth of the time until it begins.
    """

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        """Return the schema of one model."""
        made = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        texts = _texts(model)
        for name, field in model.model_fields.items():
            key = field.alias or name
            if name in texts and key in made.get("properties", {}):
                made["properties"][key].setdefault("description", texts[name])
        return made


def _texts(model: type[BaseModel]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            texts |= _own_texts(base)
    return texts


def _own_texts(model: type[BaseModel]) -> dict[str, str]:
    definition = _definition(model)
    return {
        key.target.id: inspect.cleandoc(text.value.value)
        for key, text in pairwise([] if definition is None else definition.body)
        if isinstance(key, ast.AnnAssign)
        and isinstance(key.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _definition(model: type[BaseModel]) -> ast.ClassDef | None:
    """Return how a class is written; None where nobody can tell: it was compiled, or made by a function."""
    try:
        source = inspect.getsource(model)
    except (OSError, TypeError):
        return None
    # A class within another one is indented, and a text in it need not be: so nothing is cut off its lines.
    nested = ast.parse(f"if True:\n{source}" if source[:1].isspace() else source)
    return next((node for node in ast.walk(nested) if isinstance(node, ast.ClassDef)), None)
