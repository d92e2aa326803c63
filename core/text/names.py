"""Names as they may be shown: what a tree holds is data, and must not draw on a terminal or forge a line of a log."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping

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


def shown_text(text: str) -> str:
    r"""
    Return text of several lines for people: as `shown`, but for tabs and the ends of lines.

    >>> print(shown_text("two\nlines\x1b[2J"))
    two
    lines\x1b[2J
    """
    if text.isprintable():
        return text
    parts = re.split(r"([\n\t]+)", text)
    parts[::2] = [shown(each.encode("utf-8", "backslashreplace")) for each in parts[::2]]
    return "".join(parts)


def shown_json(text: str) -> str:
    r"""
    Return JSON text that says the same, and in which nothing acts on a terminal.

    >>> print(shown_json('"größer \x9b2J\u202e"'))
    "größer \u009b2J\u202e"
    """
    if text.isascii():
        return text
    return "".join(map(_json_letter, text))


def _json_letter(each: str) -> str:
    if each == "\n" or unicodedata.category(each) not in _UNSHOWN:
        return each
    return json.dumps(each)[1:-1]


def shown_path(path: Iterable[object]) -> str:
    r"""
    Return the way to a value in plain data; keys may be what somebody chose.

    >>> print(shown_path(("tools", "\x1b[2J\nforged", 0)))
    tools.\x1b[2J\nforged.0
    """
    text = ".".join(map(str, path))
    return shown((text if len(text) <= 200 else text[:200] + "…").encode("utf-8", "replace"))


def quoted(value: object) -> str:
    """
    Quote a value of the user's in a message; what is long is cut, and what has parts only named.

    A mapping may hold a password, an address too, and a text a megabyte.

    >>> quoted("noon"), quoted({"password": "x"}), quoted("y" * 100)[-12:], quoted("rest:http://me:pass@host")
    ("'noon'", 'a mapping', "yyyyyyyyyy…'", "'rest:***@host'")
    """
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple, set)):
        return "a list"
    if isinstance(value, str):
        # Before it is cut: what tells a password may be behind the cut.
        value = _without_logins(value)
    if isinstance(value, str) and len(value) > _MOST_SHOWN:
        return repr(value[:_MOST_SHOWN] + "…")
    text = repr(value)
    return text if len(text) <= 2 * _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


_MOST_SHOWN = 60


def _without_logins(text: str) -> str:
    """Leave out what stands in an address between a colon and its host: a name and a password."""
    *before, last = text.split("@")
    hidden = [f"{part[: part.index(':')]}:***" if ":" in part else part for part in before]
    return "@".join([*hidden, last])
