"""Facts on a terminal: aligned columns for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo


def print_json(data: Any) -> None:
    """Print plain data."""
    print(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their headings, every column as wide as its widest cell."""
    table = [list(columns), *(list(row) for row in rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(columns))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def local(at: datetime | None, timezone: str = "UTC") -> str:
    """
    Write a moment for people, in a zone.

    >>> local(datetime(2026, 11, 22, 1, tzinfo=UTC), "Europe/Berlin")
    'Sun 2026-11-22 02:00 CET'
    """
    return "-" if at is None else f"{at.astimezone(ZoneInfo(timezone)):%a %Y-%m-%d %H:%M %Z}"


def iso(at: datetime | None) -> str | None:
    """Write a moment for programs, in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
