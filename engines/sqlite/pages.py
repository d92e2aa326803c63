"""
Fingerprints of all pages of a database, and which pages changed since an earlier table of them.

A table is 17 checksums for every 16 pages: that of the group, then that of each page (those after
the last page are zeros). A group whose checksum is the same has the same pages, so an unchanged
database costs one checksum for every 16 pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

GROUP = 16
CHECKSUM = 16
ENTRY = (GROUP + 1) * CHECKSUM
LOCK_BYTE = 0x40000000
"""The page that holds this byte belongs to the operating system's locks and has no content."""


class Page(NamedTuple):
    """A page and its number, counted from 1."""

    number: int
    content: memoryview


def entry_of(group: memoryview, page_size: int) -> bytes:
    """Return the entry of a group of pages; the last group may be short."""
    from blake3 import blake3

    pages = [
        blake3(group[at : at + page_size]).digest(CHECKSUM)
        for at in range(0, len(group), page_size)
    ]
    return b"".join((blake3(group).digest(CHECKSUM), *pages)).ljust(ENTRY, b"\0")


def compare(
    group: memoryview, earlier: bytes, *, first: int, page_size: int
) -> tuple[bytes, list[Page]]:
    """Return the entry of a group whose first page has the number ``first``, and what changed."""
    from blake3 import blake3

    whole = blake3(group).digest(CHECKSUM)
    if earlier[:CHECKSUM] == whole:
        return earlier, []
    count = len(group) // page_size
    entry = entry_of(group, page_size)
    changed = [
        Page(first + index, group[index * page_size : (index + 1) * page_size])
        for index in range(count)
        if checksum_at(entry, index) != checksum_at(earlier, index)
    ]
    return entry, changed


def page_checksum(content: memoryview) -> bytes:
    """Return the checksum of one page."""
    from blake3 import blake3

    return blake3(content).digest(CHECKSUM)


def checksum_at(entry: bytes, index: int) -> bytes:
    """Return the checksum of the page ``index`` of a group, counted from 0."""
    return entry[(index + 1) * CHECKSUM : (index + 2) * CHECKSUM]


def groups(pages: int, page_size: int) -> Iterator[tuple[int, int]]:
    """
    Yield offset and length of each group of a database.

    >>> list(groups(18, 512))
    [(0, 8192), (8192, 1024)]
    """
    size = pages * page_size
    step = GROUP * page_size
    for offset in range(0, size, step):
        yield offset, min(step, size - offset)
