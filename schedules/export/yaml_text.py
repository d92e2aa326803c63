"""Plain data and comments as YAML, in which any text may stand."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_backup.core.text.names import shown

WIDTH = 110
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@+-]*(?:://[A-Za-z0-9_./@:+%-]+)?")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_UNSAFE = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})


def block(value: Any, *, indent: int = 0) -> Iterator[str]:
    r"""
    Write plain data in lines, so that it is read as what it is.

    >>> data = {"tags": ["no", "1e5"], "levels": {"full": "0 2 * * *"}, "jobs": 2, "none": [], "gone": None}
    >>> print(*block(data), sep="\n")
    tags:
      - "no"
      - "1e5"
    levels:
      full: "0 2 * * *"
    jobs: 2
    none: []
    gone: null
    """
    space = " " * indent
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _after(f"{space}{_name(key)}:", item, indent)
    elif isinstance(value, (list, tuple)) and value:
        for item in value:
            first, *rest = block(item, indent=indent + 2)
            yield f"{space}- {first.lstrip(' ')}"
            yield from rest
    else:
        yield f"{space}{_leaf(value)}"


def _after(key: str, value: Any, indent: int) -> Iterator[str]:
    if isinstance(value, (Mapping, list, tuple)) and value:
        yield key
        yield from block(value, indent=indent + 2)
    else:
        yield f"{key} {_leaf(value)}"


def _leaf(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    return scalar(value)


def _name(key: Any) -> str:
    # In the name of a key no variable is filled in, so none is escaped.
    text = str(key)
    return text if _is_plain(text) else _quoted(text)


def flow(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """
    Write a mapping or a list in one line.

    >>> flow({"daily": 7, "within": "2d"}), flow(["*.tmp", "/a b"])
    ('{daily: 7, within: "2d"}', '["*.tmp", "/a b"]')
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {scalar(each)}" for key, each in value.items()) + "}"
    return "[" + ", ".join(scalar(each, is_flow=True) for each in value) + "]"


def scalar(value: Any, *, is_flow: bool = False) -> str:
    r"""
    Write one value so that it is read as what it is, whatever letters it has.

    >>> scalar("/srv/wiki"), scalar("0 2 * * *"), scalar("a: #b"), scalar("no"), scalar(7)
    ('/srv/wiki', '"0 2 * * *"', '"a: #b"', '"no"', '7')
    >>> print(scalar('a"b\n${HOME}'))
    "a\"b\n$${HOME}"
    """
    if value is None:
        return "null"
    if isinstance(value, (bool, int, float)):
        # Readers of YAML 1.1 take `1e+20` for text.
        return re.sub(r"^(-?\d+)e", r"\1.0e", str(value).lower())
    text = str(value).replace("${", "$${")  # else the environment would be filled in
    return text if not is_flow and _is_plain(text) else _quoted(text)


def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter == "\n":
        return "\\n"
    if unicodedata.category(letter) not in _UNSAFE and letter not in "\x85\ufeff":
        return letter
    number = ord(letter)
    return (
        f"\\x{number:02x}"
        if number < 256
        else f"\\u{number:04x}"
        if number < 65536
        else f"\\U{number:08x}"
    )


def comment(text: str, *, indent: int = 0, bullet: str = "") -> Iterable[str]:
    r"""
    Write a comment in lines that are not too long; nothing in it can end the comment.

    >>> comment("a\nb", indent=2, bullet="- ")
    ['  # - a\\nb']
    """
    one = in_one_line(text)
    lead = " " * indent + "# "
    return textwrap.wrap(
        one,
        width=WIDTH,
        initial_indent=lead + bullet,
        subsequent_indent=lead + " " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [lead.rstrip()]


def in_one_line(text: str) -> str:
    r"""
    Write a text so that it draws nothing and ends no line, also where it has half a letter.

    >>> print(in_one_line("a\nb \ud800"))
    a\nb \xed\xa0\x80
    """
    return shown(text.encode("utf-8", "surrogatepass"))
