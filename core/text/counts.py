"""Numbers of things, in words."""

from __future__ import annotations


def counted(number: int, one: str, many: str | None = None) -> str:
    """
    Return a number with the word for what it counts; ``many`` where the plural is more than an s.

    >>> counted(1, "file"), counted(0, "file"), counted(12_000, "file"), counted(2, "entry", "entries")
    ('1 file', '0 files', '12,000 files', '2 entries')
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
