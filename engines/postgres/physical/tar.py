"""Looks into a tar archive that passes by: counts its files, keeps one of them, and sees whether it was ended."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import IO

_BLOCK = 512
_INIT_FORK = re.compile(rb"[^\0]*/\d+_init\0")
"""What an unlogged relation is emptied to when a server starts; its rows are not copied."""

_WAL = re.compile(rb"pg_wal/[0-9A-F]{24}\0")
_REGULAR = (b"0", b"\0")


class TarTap:
    """
    Follows an archive chunk by chunk and copies the member ``wanted`` to ``into``.

    ``at_wal`` is called at the first segment of WAL: those come when all else was copied.

    >>> import io, tarfile
    >>> archive, kept = io.BytesIO(), io.BytesIO()
    >>> with tarfile.open(fileobj=archive, mode="w") as tar:
    ...     for name, data in (("a", b"x" * 700), ("b", b"found")):
    ...         member = tarfile.TarInfo(name)
    ...         member.size = len(data)
    ...         tar.addfile(member, io.BytesIO(data))
    >>> tap = TarTap("b", kept)
    >>> for at in range(0, len(archive.getvalue()), 100):
    ...     tap.feed(archive.getvalue()[at : at + 100])
    >>> tap.files, tap.is_whole, kept.getvalue()
    (2, True, b'found')
    """

    def __init__(
        self, wanted: str, into: IO[bytes], *, at_wal: Callable[[], None] = lambda: None
    ) -> None:
        self.files = self.unlogged = 0
        self.found = False
        self._wanted, self._into = wanted.encode(), into
        self._at_wal: Callable[[], None] | None = at_wal
        self._head = b""
        self._content = self._copied = self._blank = 0

    @property
    def is_whole(self) -> bool:
        """Whether the archive was ended as archives are, by two blank blocks."""
        return self._blank >= 2 and not self._head

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the archive."""
        view, at = memoryview(chunk), 0
        while at < len(view):
            at += self._pass(view[at:]) if self._content else self._collect(view[at:])

    def _pass(self, view: memoryview) -> int:
        count = min(self._content, len(view))
        if self._copied:
            part = view[: min(self._copied, count)]
            self._into.write(part)
            self._copied -= len(part)
        self._content -= count
        return count

    def _collect(self, view: memoryview) -> int:
        count = min(_BLOCK - len(self._head), len(view))
        self._head += view[:count]
        if len(self._head) == _BLOCK:
            self._begin(self._head)
            self._head = b""
        return count

    def _begin(self, head: bytes) -> None:
        if not any(head):
            self._blank += 1
            return
        self._blank = 0
        size = _number(head[124:136])
        self._content = -(-size // _BLOCK) * _BLOCK
        if head[156:157] in _REGULAR:
            self.files += 1
            self.unlogged += _INIT_FORK.match(head) is not None
            if self._at_wal is not None and _WAL.match(head):
                self._at_wal()
                self._at_wal = None
        if head[:100].rstrip(b"\0") == self._wanted:
            self.found = True
            self._copied = size


def _number(field: bytes) -> int:
    if field[0] & 0x80:  # too large for octal digits
        return int.from_bytes(field[1:], "big")
    return int(field.rstrip(b" \0") or b"0", 8)
