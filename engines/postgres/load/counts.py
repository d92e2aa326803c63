"""Whether the tables of a database that was loaded have the rows that they had."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow_backup.core.errors import VerifyError


def compare(expected: Mapping[str, int], found: Mapping[str, int], set_id: str) -> None:
    """
    Raise VerifyError where a table has not the rows that it had.

    >>> compare({"public.a": 3}, {"public.a": 2}, "s")
    Traceback (most recent call last):
    airflow_backup.core.errors.VerifyError: 'public.a' has 2 rows, and in set 's' it had 3
    """
    found = named_as(expected, found)
    for table, rows in expected.items():
        if found.get(table) != rows:
            raise VerifyError(
                f"'{table}' has {found.get(table, 'no')} rows, and in set '{set_id}' it had {rows}"
            )


def named_as(expected: Mapping[str, int], found: Mapping[str, int]) -> dict[str, int]:
    """
    Return counts under the names that a set uses: which words need quotes differs from version to version.

    >>> named_as({"public.system_user": 1}, {'public."system_user"': 1, "public.b": 2})
    {'public.system_user': 1, 'public.b': 2}
    """
    names = {_unquoted(table): table for table in expected}
    return {names.get(_unquoted(table), table): rows for table, rows in found.items()}


def _unquoted(table: str) -> str:
    return re.sub(r'"([a-z_][a-z0-9_$]*)"', r"\1", table)
