"""How a form asks for an option: its label and an example, written in the model, told by its JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, JsonValue

X_FORM = "x-form"
"""The keyword of the JSON Schema under which a form finds what no standard keyword says."""


def asked(
    label: str,
    *,
    example: str = "",
    required: bool = False,
    several: str | None = None,
    usual: bool = True,
    words: Mapping[str, str] | None = None,
) -> Any:
    """
    Say how a form asks for an option, for `Annotated`.

    ``required`` marks one without which the source is not whole, although the model lets it be missing: something
    else may stand for it. ``several`` names the key that takes a list where more than one value is given. What is
    not ``usual`` stands apart, as do options of which nothing is said here. ``words`` says in words what each value
    of a choice means.

    >>> from typing import Annotated
    >>> from pydantic import TypeAdapter
    >>> TypeAdapter(Annotated[str, asked("Database", example="orders")]).json_schema()
    {'examples': ['orders'], 'title': 'Database', 'type': 'string', 'x-form': {'usual': True}}
    """
    hints: dict[str, JsonValue] = {
        "required": required,
        "several": several,
        "usual": usual,
        "words": dict(words or {}),
    }
    return Field(
        title=label,
        examples=[example] if example else None,
        json_schema_extra={X_FORM: {key: value for key, value in hints.items() if value}},
    )
