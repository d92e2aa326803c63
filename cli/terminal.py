"""What a person's terminal adds to a table: it fits the width, and what is wrong has a colour."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import TextIO

from airflow_backup.core.text.names import shown_text

GAP = "  "
_LEAST = 8
"""No column becomes narrower than this."""

_GREEN, _YELLOW, _RED, _DIM, _PLAIN = "\033[32m", "\033[33m", "\033[31m", "\033[2m", "\033[0m"
_COLOURS = {
    **dict.fromkeys(("good", "completed", "passed", "proven", "kept"), _GREEN),
    **dict.fromkeys(("at risk", "never", "retry", "inconclusive", "paused", "removed"), _YELLOW),
    **dict.fromkeys(("late", "lost", "broken", "failed", "wrong", "tampered"), _RED),
    **dict.fromkeys(("skipped", "cancelled", "-"), _DIM),
}


def say(text: str, *, to: TextIO | None = None) -> None:
    """Print text for people, in which may stand what somebody else chose: it draws nothing, and forges no colour."""
    print(shown_text(text), file=to or sys.stdout)


def is_terminal() -> bool:
    """Whether a person looks at the output."""
    return sys.stdout.isatty()


def has_colour() -> bool:
    """Whether colours are wanted: on a terminal that knows them, unless NO_COLOR says otherwise (no-color.org)."""
    return (
        is_terminal()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "dumb") != "dumb"
    )


def fitted(widths: Sequence[int], room: int) -> list[int]:
    """
    Make the widest columns narrower until all fit into ``room`` letters, as far as that can be.

    >>> fitted([6, 40, 30], room=60)
    [6, 25, 25]
    >>> fitted([6, 40], room=60)
    [6, 40]
    """
    found = list(widths)
    spare = room - len(GAP) * (len(found) - 1)
    while sum(found) > spare and max(found) > _LEAST:
        found[found.index(max(found))] -= 1
    return found


def cut(cell: str, width: int) -> str:
    """
    Fill a cell up to its width, or cut it.

    >>> cut("short", 8), cut("much too long", 8)
    ('short   ', 'much to…')
    """
    return cell.ljust(width) if len(cell) <= width else cell[: width - 1] + "…"


def coloured(cell: str) -> str:
    """Give a cell the colour of its first words, where they are one of the states."""
    code = _COLOURS.get(cell.strip().partition(",")[0])
    return cell if code is None else f"{code}{cell}{_PLAIN}"


def width() -> int:
    """Return how many letters a line has."""
    return shutil.get_terminal_size().columns
