"""How long an assertion may take, whatever is asked, and what is said of one that takes longer or does not hold."""

from __future__ import annotations

LIMIT = 600.0
"""Seconds for one assertion: it asks about a database, and is no job of its own."""


def limit() -> float:
    """Return the seconds that one assertion may take."""
    return LIMIT


def too_long(text: str) -> str:
    """
    Say that an assertion did not come to an end.

    >>> too_long("SELECT 1")
    "the assertion 'SELECT 1' was ended after 600 seconds: it did not come to an answer"
    """
    return f"the assertion {text!r} was ended after {limit():.0f} seconds: it did not come to an answer"


def shown(answer: object) -> str:
    """
    Return what a message may say of an answer: numbers and none, never what a row holds.

    >>> shown(0), shown(None), shown("a name of a person")
    ('0', 'None', 'something else')
    """
    return repr(answer) if isinstance(answer, bool | int | None) else "something else"
