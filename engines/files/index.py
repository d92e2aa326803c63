r"""
The index of a file tree: one line for everything in it, in the order of the walk.

A line is ``KIND WHERE OFFSET SIZE MTIME CTIME INODE MODE UID GID PATH``: the tar type, the stream
and the set in which the member's first header lies and where, bytes, nanoseconds, numbers in
decimal but the mode in octal, and the path with ``\`` and newline escaped. ``f0`` is ``files.tar``
of the full set, ``p3`` is ``patches.tar`` of the third set on top of it. CTIME is 0 when the file
was so young that a later change might have left its times as they were.

Below the line of a file that is compared by its content follow its blocks, one a line:
``+ BEGIN LENGTH WHERE OFFSET CHECKSUM``. What the set before had and this one has not is
recorded where it would stand: ``- PATH``. What was there and could not be read, or not to its end, is
missing from the set and has a line of kind ``!``; WHERE is ``-``, or where its unfinished member lies.

Every set has the whole index, so the next incremental and any restore read one index only, and a
file is found in it without a look at the archives.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from airflow_backup.core.errors import VerifyError

BLOCK = 1024 * 1024
"""A large file is compared in parts of this size, cut at its multiples."""

_MAX_LINE = 16 * 1024 * 1024
_SURE_AFTER = 50_000_000
_SURE_AFTER_WHOLE_SECONDS = 2_100_000_000


class Block(NamedTuple):
    """A part of a file, and where its bytes lie."""

    begin: int
    length: int
    where: bytes
    offset: int
    checksum: bytes

    def line(self) -> bytes:
        """Return the line of the index, without its newline."""
        return b"+ %d %d %b %d %b" % self


class Record(NamedTuple):
    """One entry of the index; ``blocks`` must be read before the next record is asked for."""

    kind: bytes
    where: bytes
    offset: int
    size: int
    path: bytes
    blocks: Iterator[Block]
    modified: int
    """Nanoseconds since 1970."""


def escaped(path: bytes) -> bytes:
    r"""
    Return the path as it stands in the index.

    >>> escaped(b"a\nb\\c")
    b'a\\nb\\\\c'
    """
    if b"\n" in path or b"\\" in path:
        return path.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    return path


def unescaped(path: bytes) -> bytes:
    r"""
    Return the path that was escaped.

    >>> unescaped(escaped(b"a\nb\\nc"))
    b'a\nb\\nc'
    """
    if b"\\" not in path:
        return path
    return b"\\".join(part.replace(b"\\n", b"\n") for part in path.split(b"\\\\"))


def order_of(path: bytes) -> bytes:
    """
    Return what paths are sorted by: a folder comes before its content, and that before the rest.

    >>> sorted([b"a.b", b"a/x", b"a", b"."], key=order_of)
    [b'.', b'a', b'a/x', b'a.b']
    """
    return b"" if path == b"." else path.replace(b"/", b"\0")


def facts(found: os.stat_result, path: bytes, size: int, *, now: int | None) -> bytes:
    """Return the tail of a line, which is equal when nothing changed; ``now`` to doubt the times."""
    ctime = found.st_ctime_ns
    if now is not None and now - ctime < (
        _SURE_AFTER if ctime % 1_000_000_000 else _SURE_AFTER_WHOLE_SECONDS
    ):
        ctime = 0
    return b" %d %d %d %d %b %b" % (
        size,
        found.st_mtime_ns,
        ctime,
        found.st_ino,
        _rights(found.st_mode, found.st_uid, found.st_gid),
        escaped(path),
    )


@lru_cache(maxsize=4096)  # a tree has few of them
def _rights(mode: int, uid: int, gid: int) -> bytes:
    return b"%o %d %d" % (stat.S_IMODE(mode), uid, gid)


def is_tail(line: bytes, tail: bytes) -> bool:
    """Whether ``tail`` is all of the line but its first three fields."""
    return line.endswith(tail) and line.count(b" ", 0, len(line) - len(tail)) == 2


def lines_of(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut blocks into lines; VerifyError when the last one is not whole."""
    rest = b""
    for block in blocks:
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if len(rest) > _MAX_LINE:
            raise VerifyError("the index of the set has a line of absurd length")
        yield from lines
    if rest:
        raise VerifyError("the index of the set ends in the middle of a line")


UNREAD = b"!"
"""The kind of an entry that could not be read."""


class IndexReader:
    """
    Reads an index from front to end, holding one line.

    ``with_unread`` also gives what could not be read, as entries of the kind `UNREAD`.
    """

    def __init__(self, blocks: Iterator[bytes], *, with_unread: bool = False) -> None:
        self._lines = lines_of(blocks)
        self._below = b"+-" if with_unread else b"+-" + UNREAD
        self.line: bytes | None = None
        self.advance()

    def advance(self) -> None:
        """Go to the next entry; what is left of the current one's blocks is skipped."""
        self.line = next(self._lines, None)
        while self.line is not None and self.line[:1] in self._below:
            self.line = next(self._lines, None)

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks of the current entry, and go to the next one."""
        line = next(self._lines, None)
        is_own = True
        while line is not None and line[:1] in self._below:
            is_own &= line[:1] != UNREAD
            if line[:1] == b"+" and is_own:
                yield block_of(line)
            line = next(self._lines, None)
        self.line = line

    def path(self) -> bytes:
        """Return the path of the current entry."""
        assert self.line is not None
        return unescaped(_fields(self.line)[10])

    def __iter__(self) -> Iterator[Record]:
        while self.line is not None:
            line, blocks = self.line, self.blocks()
            yield record_of(line, blocks)
            for _ in blocks:
                pass


class ParentIndex:
    """
    The index of the parent, walked side by side with the tree.

    ``removed`` is told of every path that the tree has no more.
    """

    def __init__(self, blocks: Iterator[bytes], removed: Callable[[bytes], None]) -> None:
        self._index = IndexReader(blocks)
        self._removed = removed

    def is_unchanged(self, kind: bytes, tail: bytes) -> bool:
        """Whether the entry at hand is of this kind and has these facts."""
        line = self._index.line
        return line is not None and line[:1] == kind and is_tail(line, tail)

    def seek(self, path: bytes) -> bool:
        """Go to ``path``, which must be asked for in order; whether the parent has it."""
        wanted = order_of(path)
        while self._index.line is not None:
            found = self._index.path()
            if found == path:
                return True
            if order_of(found) > wanted:
                return False
            self._removed(found)
            self._index.advance()
        return False

    def drop_tree(self, path: bytes) -> None:
        """Go behind ``path`` and all below it, without a word about them."""
        self.seek(path)
        while self._index.line is not None:
            found = self._index.path()
            if found != path and not found.startswith(path + b"/"):
                return
            self._index.advance()

    def keep(self, write: Callable[[bytes], None]) -> None:
        """Copy the lines of the entry at hand, and go on behind it."""
        assert self._index.line is not None
        write(self._index.line + b"\n")
        for block in self._index.blocks():
            write(block.line() + b"\n")

    def take(self) -> tuple[bytes, Iterator[Block]]:
        """Return line and blocks of the entry at hand; reading them to the end goes behind it."""
        assert self._index.line is not None
        return self._index.line, self._index.blocks()

    def finish(self) -> None:
        """Tell of everything that is left."""
        while self._index.line is not None:
            self._removed(self._index.path())
            self._index.advance()


def _fields(line: bytes) -> list[bytes]:
    fields = line.split(b" ", 10)
    if len(fields) != 11 or not fields[10]:
        raise VerifyError("the index of the set has a line that is none")
    return fields


_NONE: Iterator[Block] = iter(())


def record_of(line: bytes, blocks: Iterator[Block] = _NONE) -> Record:
    """Read the line of an entry; VerifyError when it is none."""
    fields = _fields(line)
    try:
        offset, size, modified = int(fields[2]), int(fields[3]), int(fields[4])
    except ValueError as error:
        raise VerifyError("the index of the set has a line that is none") from error
    return Record(fields[0], fields[1], offset, size, unescaped(fields[10]), blocks, modified)


def block_of(line: bytes) -> Block:
    """Read the line of a block; VerifyError when it is none."""
    fields = line.split(b" ")
    try:
        _, begin, length, where, offset, checksum = fields
        return Block(int(begin), int(length), where, int(offset), checksum)
    except ValueError as error:
        raise VerifyError("the index of the set has a block that is none") from error
