"""
Reads the first page of a Firebird database, and the header of nbackup's output: who it is, and what else belongs to
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from airflow_backup.core.errors import VerifyError

HEADER = 1024
"""Bytes that hold what is wanted of the header: less than the smallest page."""

_MAGIC = b"NBAK"
_EARLIEST, _LATEST = 96, 256
"""Between which bytes of a database's first page its list of tagged values begins, in all releases from 3.0 on."""

_FILE, _LAST_PAGE, _DIFFERENCE, _BACKUP = 2, 3, 6, 7
"""
Tags of that list: the next file, the last page in this one, the file of changes during a backup, the backup's GUID.
"""

_HIGHEST_TAG = 32


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a level of nbackup's says."""

    guid: str
    """Of the backup, as hex."""

    below: str = ""
    """Of the one that it builds upon; empty at level 0."""

    difference: str | None = None
    """The file of changes that the database names for itself, instead of one beside it."""


def header_of(head: bytes) -> Header:
    """Read the header of a level; VerifyError where it is none."""
    if head[:4] == _MAGIC:  # then two bytes each of version and level
        return Header(head[8:24].hex(), head[24:40].hex())
    tags = _tags(head)
    if tags is None:
        raise VerifyError("this is not the beginning of nbackup's output")
    difference = tags.get(_DIFFERENCE)
    return Header(
        tags[_BACKUP].hex(),
        difference=None if difference is None else difference.decode("utf-8", "backslashreplace"),
    )


def next_file(database: BinaryIO) -> str | None:
    """
    Return the second file of a database that has several; None where it has one.

    >>> import io
    >>> next_file(io.BytesIO(bytes(132) + bytes([2, 4]) + b"/a/b" + bytes([3, 4, 9, 1]) + bytes(900)))
    '/a/b'
    """
    head = database.read(HEADER)
    for begin in range(_EARLIEST, _LATEST):
        found = dict(_walk(head, begin) or ())
        if found.get(_FILE, b"").startswith(b"/") and len(found.get(_LAST_PAGE, b"")) == 4:
            return found[_FILE].decode("utf-8", "backslashreplace")
    return None


def _tags(head: bytes) -> dict[int, bytes] | None:
    """
    Find the list of tagged values: where it begins differs between releases, and what is not it does not fit.

    >>> page = bytes(132) + bytes([7, 16, *range(16), 6, 4]) + b"/a/b" + bytes(900)
    >>> sorted(_tags(page).items())[0]
    (6, b'/a/b')
    >>> _tags(bytes(1024)) is None
    True
    """
    for begin in range(_EARLIEST, _LATEST):
        found = dict(_walk(head, begin) or ())
        if len(found.get(_BACKUP, b"")) == 16:
            return found
    return None


def _walk(head: bytes, begin: int) -> list[tuple[int, bytes]] | None:
    """Read tag, length and value until the tag that ends the list; None where something does not fit."""
    return list(_pairs(head, begin)) if _ends(head, begin) else None


def _pairs(head: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while head[at]:
        end = at + 2 + head[at + 1]
        yield head[at], head[at + 2 : end]
        at = end


def _ends(head: bytes, at: int) -> bool:
    while at + 2 < len(head):
        if head[at] == 0:
            return True
        if head[at] > _HIGHEST_TAG:
            return False
        at += 2 + head[at + 1]
    return False
