"""
The treaty between the verbs and every place where pieces may lie.

* **A name is written once.** Writing it again raises NameTaken; nothing is overwritten.
* **A write is whole or absent.** A reader sees the object complete, or not at all; leaving a
  writer without ``commit`` leaves nothing under the name.
* **Committed means durable.** When ``commit`` returns, the object survives a power cut.
* **Nothing is renamed or changed in place** as far as a reader can tell, so a bucket with object
  lock is good enough.
* A name is ``segment/segment/...``; see :func:`check_name`. Names are listed in order.
* Missing objects raise NotFound, everything else a StorageError that names the object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from airflow_backup.core.errors import StorageError
from airflow_backup.core.format.checksums import Bytes

_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}"
_NAME = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as the storage sees it: its name, its bytes, when it was completed (UTC)."""

    name: str
    size: int
    modified: datetime


class Writer(Protocol):
    """One object while it is written; used in a ``with`` block that calls ``commit`` last."""

    def write(self, data: Bytes, /) -> None:
        """Add bytes; may wait for the far side."""
        ...

    def commit(self) -> Stored:
        """Make the object visible, whole and durable; NameTaken when somebody else was faster."""
        ...

    def abort(self) -> None:
        """Leave nothing; harmless after ``commit`` or another ``abort``."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Abort what was not committed."""
        ...


class Storage(Protocol):
    """Where the objects of a repository lie: a folder, a bucket or a server."""

    @property
    def url(self) -> str:
        """The address for messages; never holds a password."""
        ...

    def check(self) -> None:
        """Raise a StorageError when objects cannot be written here now."""
        ...

    def create(self, name: str) -> Writer:
        """Begin an object; NameTaken when it exists."""
        ...

    def put(self, name: str, data: bytes) -> Stored:
        """Write a small object in one go, under the same promises."""
        ...

    def read(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return ``length`` bytes from ``offset``, or to the end; fewer when the object ends."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Open an object for reading from its beginning."""
        ...

    def stat(self, name: str) -> Stored:
        """Return what is stored under the name."""
        ...

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield whole objects whose name begins with ``prefix``, in order of name."""
        ...

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Yield the next segments below ``prefix`` (which ends in ``/``), in order; names that can be ours alone."""
        ...

    def delete(self, name: str) -> None:
        """Remove an object; NotFound when there is none."""
        ...

    def leftovers(self, prefix: str = "") -> Iterator[Stored]:
        """Yield what unfinished writes left behind; never an object. Names are for `sweep`."""
        ...

    def sweep(self, leftover: str) -> None:
        """Remove one of the `leftovers`."""
        ...


def check_name(name: str) -> str:
    """
    Return ``name``, or raise: relative, letters, digits, ``.``, ``_`` and ``-``, no leading dot.

    >>> check_name("wiki/sets/x/manifest.json")
    'wiki/sets/x/manifest.json'
    >>> check_name("../etc/passwd")
    Traceback (most recent call last):
    airflow_backup.core.errors.StorageError: '../etc/passwd' is not a name for an object
    """
    if not _NAME.fullmatch(name):
        raise StorageError(f"{name!r} is not a name for an object")
    return name


def is_name(name: str) -> bool:
    """
    Whether something that lies there can be an object of ours, or a folder of them: others are passed over.

    >>> [is_name(each) for each in ("wiki", "lost+found", "System Volume Information", ".hidden")]
    [True, False, False, False]
    """
    return _NAME.fullmatch(name) is not None


def check_prefix(prefix: str) -> str:
    """Return ``prefix``, or raise: empty, a name, or a name and a slash."""
    if prefix:
        check_name(prefix.removesuffix("/"))
    return prefix
