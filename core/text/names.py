"""Names as they may be shown: what a tree holds is data, and must not draw on a terminal or forge a line of a log."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

_UNSHOWN = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
"""Control characters, marks that turn the direction of text, ends of lines and halves of characters."""


def shown(name: bytes) -> str:
    r"""
    Return a name for people; what is no text, or would act on a terminal, is written as an escape.

    >>> print(shown(b"a\x1b[31mred\nforged \xff"))
    a\x1b[31mred\nforged \xff
    >>> print(shown("größer 文".encode()))
    größer 文
    """
    text = name.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(
        each.encode("unicode_escape").decode() if unicodedata.category(each) in _UNSHOWN else each
        for each in text
    )


def quoted(value: object) -> str:
    """
    Quote a value of the user's in a message; what is long is cut, and what has parts only named.

    A mapping may hold a password, and a text a megabyte.

    >>> quoted("noon"), quoted({"password": "x"}), quoted("y" * 100)[-12:]
    ("'noon'", 'a mapping', "yyyyyyyyyy…'")
    """
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple, set)):
        return "a list"
    if isinstance(value, str) and len(value) > _MOST_SHOWN:
        return repr(value[:_MOST_SHOWN] + "…")
    text = repr(value)
    return text if len(text) <= 2 * _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


_MOST_SHOWN = 60
