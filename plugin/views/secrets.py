"""Schedules without their passwords."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/]*@")
"""To the last `@` before the path: a password may hold one."""

_LEFT_OUT = re.compile(r"://[^/@:]*:\*\*\*@")


def mask(text: str) -> str:
    """Hide the password of a URL."""
    return _PASSWORD.sub(r"\1:***@", text)


def without_passwords(definition: Mapping[str, Any]) -> dict[str, Any]:
    """
    Leave out what stands between ``:`` and ``@`` of a URL.

    >>> without_passwords({"repository": "sftp://backup:s3cret@vault/srv"})
    {'repository': 'sftp://backup:***@vault/srv'}
    """

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return mask(value)
        if isinstance(value, Mapping):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, list):
            return [clean(item) for item in value]
        return value

    return {key: clean(value) for key, value in definition.items()}


def is_left_out(value: Any) -> bool:
    """
    Whether a password was left out somewhere in plain data.

    >>> is_left_out({"a": ["sftp://backup:***@vault/srv"]}), is_left_out({"a": "://***"})
    (True, False)
    """
    if isinstance(value, str):
        return _LEFT_OUT.search(value) is not None
    if isinstance(value, Mapping):
        return any(map(is_left_out, value.values()))
    return isinstance(value, list) and any(map(is_left_out, value))
