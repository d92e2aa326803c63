"""
Text that every database, wire and mail takes: what is no character, or ends a text for C, is written as an escape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_UNSTORABLE = re.compile("[\ud800-\udfff\0]")


def storable(value: Any) -> Any:
    r"""
    Return plain data with texts that can be stored; a name that is not UTF-8 comes with halves of characters.

    >>> print(storable({"error": "caf\udce9 gone", "count": 1})["error"])
    caf\udce9 gone
    """
    if isinstance(value, str):
        return _UNSTORABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), value)
    if isinstance(value, Mapping):
        return {storable(key): storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable(each) for each in value]
    return value
