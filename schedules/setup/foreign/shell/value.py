"""What is known of one word of a shell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Value:
    """One argument, as far as it can be known without a shell."""

    text: str
    is_known: bool = True
    has_glob: bool = False
    """Whether the shell would look for files that match."""
