"""
The list that an administrator keeps in ``[backup] allowed_commands``: programs, and the variables that each may be
given.

An entry is a program, or a folder of programs, as a schedule must write it; after ``with`` come the names of
the variables that a schedule which was made on the page may set for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_ENTRY = re.compile(r"(?P<program>\S.*?)(?:\s+with(?P<names>(?:\s+[A-Z][A-Z0-9_]*)+))?\s*")


def read(text: str) -> list[str]:
    """
    Split an option into its entries.

    >>> read("/opt/erp/bin/export with EXPORT_MODE API_TOKEN, /usr/lib/postgresql/17/bin")
    ['/opt/erp/bin/export with EXPORT_MODE API_TOKEN', '/usr/lib/postgresql/17/bin']
    """
    return [each.strip() for each in text.split(",") if each.strip()]


def programs(entries: Sequence[str]) -> list[str]:
    """
    Return the programs, and folders of programs, that are allowed.

    >>> programs(["/opt/erp/bin/export with EXPORT_MODE", "/opt/my tools"])
    ['/opt/erp/bin/export', '/opt/my tools']
    """
    return [found["program"] for each in entries if (found := _ENTRY.fullmatch(each)) is not None]


def variables(entries: Sequence[str], program: str) -> frozenset[str]:
    """
    Return the variables that are declared with a program.

    >>> sorted(variables(["/bin/x with A B", "/bin/x with C", "/bin/y with D"], "/bin/x"))
    ['A', 'B', 'C']
    """
    found = (_ENTRY.fullmatch(each) for each in entries)
    return frozenset(
        name
        for each in found
        if each is not None and each["program"] == program and each["names"] is not None
        for name in each["names"].split()
    )
