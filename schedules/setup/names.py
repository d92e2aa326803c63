"""Ids of schedules and connections, made of names that may be anything."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_LONGEST = 63
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ı": "i"})


def slug(name: str, *, gap: str = "-") -> str:
    """
    Make an id of a name.

    >>> slug("Größe & Co."), slug("2024"), slug("日本"), slug("a.b_C", gap="_")
    ('grosse-co', 's-2024', 'backup', 'a_b_c')
    """
    plain = unicodedata.normalize("NFKD", name.lower().translate(_LETTERS))
    plain = plain.encode("ascii", "ignore").decode()
    found = re.sub(rf"[^a-z0-9{gap}_]+", gap, plain).strip("-_") or "backup"
    if not found[0].isalpha():
        found = f"s{gap}{found}"
    return found[:_LONGEST].rstrip("-_")


def unique(wanted: str, taken: Iterable[str], *, gap: str = "-") -> str:
    """
    Return an id that nobody has.

    >>> unique("wiki", ["wiki", "wiki-2"]), unique("w" * 63, ["w" * 63])[-3:]
    ('wiki-3', 'w-2')
    """
    known = set(taken)
    number, found = 1, wanted
    while found in known:
        number += 1
        end = f"{gap}{number}"
        found = wanted[: _LONGEST - len(end)].rstrip("-_") + end
    return found


def listed(names: Iterable[str]) -> str:
    """
    List the names of options; what is none, because its line is malformed, may be a password and is not shown.

    >>> listed(["b-c", "a", "pass: x"])
    'a, b-c and 1 that cannot be read'
    """
    known, others = [], 0
    for each in names:
        if re.fullmatch(r"[A-Za-z0-9_-]{1,50}", each):
            known.append(each)
        else:
            others += 1
    said = ", ".join(sorted(known))
    return said if not others else f"{said} and {others} that cannot be read".strip()


def of_path(path: str) -> str:
    """
    Name a path by its last part; the root by the word for it.

    >>> of_path("/srv/wiki/"), of_path("/")
    ('wiki', 'system')
    """
    return path.rstrip("/").rpartition("/")[2] or "system"
