"""JSON that somebody else may have written: whatever is wrong with it is a ValueError."""

from __future__ import annotations

import json
from typing import Any


def read_json(data: bytes | str) -> Any:
    """
    Read JSON data; ValueError also for what is nested deeper than can be read.

    >>> read_json('{"a": 1}'), read_json(b"[]")
    ({'a': 1}, [])
    >>> read_json("[" * 100_000)
    Traceback (most recent call last):
    ValueError: it is nested too deep
    """
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
