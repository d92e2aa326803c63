"""Answers on a terminal: aligned columns for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from airflow_backup.cli import terminal
from airflow_backup.core.text.names import shown, shown_json


def print_json(data: Any) -> None:
    """Print plain data."""
    print(shown_json(json.dumps(data, indent=2, ensure_ascii=False, default=str)))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """
    Print rows under their headings, every column as wide as its widest cell.

    On a terminal the table fits its width, and says which columns are cut for that; elsewhere nothing is cut.
    """
    table = [list(columns), *([_one_line(cell) for cell in row] for row in rows)]
    whole = [max(len(row[index]) for row in table) for index in range(len(columns))]
    widths = terminal.fitted(whole, terminal.width()) if terminal.is_terminal() else whole
    paint = terminal.coloured if terminal.has_colour() else str
    for row in table:
        cells = [terminal.cut(cell, width) for cell, width in zip(row, widths, strict=True)]
        cells[-1] = cells[-1].rstrip()
        print(terminal.GAP.join(map(paint, cells)).rstrip())
    narrow = [name for name, had, has in zip(columns, whole, widths, strict=True) if has < had]
    if narrow:
        print(f"(cut to fit the terminal: {', '.join(narrow)}; --format json has all)")


def _one_line(cell: str) -> str:
    r"""
    Write a cell in one line; what would act on a terminal is written as an escape.

    >>> _one_line("two\nlines"), _one_line("\x1b[2Jgone")
    ('two lines', '\\x1b[2Jgone')
    """
    return shown(" ".join(cell.split("\n")).encode("utf-8", "backslashreplace"))


def local(at: datetime | None, timezone: str = "UTC") -> str:
    """
    Write a moment for people, in a zone.

    >>> local(datetime(2026, 11, 22, 1, tzinfo=UTC), "Europe/Berlin")
    'Sun 2026-11-22 02:00 CET'
    """
    if at is None:
        return "-"
    try:
        at = at.astimezone(ZoneInfo(timezone))
    except OverflowError:  # no calendar has it in that zone; files may have any time
        at = at.astimezone(UTC)
    return f"{at:%a %Y-%m-%d %H:%M %Z}"


def iso(at: datetime | None) -> str | None:
    """Write a moment for programs, in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
