"""Names as they may be shown: what a tree holds is data, and must not draw on a terminal or forge a line of a log."""

from __future__ import annotations

import unicodedata

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
