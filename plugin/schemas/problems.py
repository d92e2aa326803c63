"""What is answered when something is wrong (RFC 9457)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class ProblemDocument(BaseModel):
    """What went wrong, and what to try."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    type: str
    title: str
    status: int
    detail: str
    """What went wrong, in one sentence."""
    hint: str | None
    """A question or a command to try."""
    errors: list[dict[str, Any]] = []
    """Each thing that is wrong with what was sent, where there are several: the field, a message, a hint."""
    results: dict[str, Any] | None = None
    """Of an import that is refused: what would become of each schedule of the file."""
