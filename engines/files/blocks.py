"""
Large files, block by block: what a block is, which ones changed, and reading them in parallel.

Blocks are cut at multiples of 1 MiB of the file, and at the holes of a sparse one, so that a
file that was changed in a few places costs no more than those blocks. Content that moves inside
a file is stored again from there on.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, Protocol

from airflow_backup.core.format.checksums import Bytes, frame_checksum
from airflow_backup.engines.files.index import BLOCK, Block
from airflow_backup.engines.files.source.reader import Segments

if TYPE_CHECKING:
    from blake3 import blake3

_THREADS = 2
_AHEAD = 6


class Index(Protocol):
    """Takes the lines of an index."""

    def write(self, line: bytes, /) -> None:
        """Add a line with its end."""
        ...


class BlockLines:
    """Fingerprints what is written to an archive, and adds a line for each block to the index."""

    def __init__(self, index: Index, where: bytes) -> None:
        self._index, self._where = index, where
        self._digest: blake3 | None = None
        self._begin = self._end = self._offset = 0

    def segment(self, begin: int, offset: int) -> None:
        """Begin at ``begin`` in the file, which lies at ``offset`` in the archive."""
        self._flush()
        self._begin = self._end = begin
        self._offset = offset

    def add(self, data: bytes) -> None:
        """Add the bytes that follow; whole blocks become lines of checksums."""
        view = memoryview(data)
        while view:
            room = BLOCK - self._end % BLOCK
            part = view[:room]
            self._update(part)
            self._end += len(part)
            view = view[room:]
            if self._end % BLOCK == 0:
                self._flush()

    def finish(self) -> None:
        """Write the line of the last block."""
        self._flush()

    def _update(self, part: memoryview) -> None:
        if self._digest is None:
            from blake3 import blake3

            self._digest = blake3()
        self._digest.update(part)

    def _flush(self) -> None:
        if self._digest is None:
            return
        length = self._end - self._begin
        checksum = self._digest.hexdigest(16).encode()
        block = Block(self._begin, length, self._where, self._offset, checksum)
        self._index.write(block.line() + b"\n")
        self._begin, self._offset = self._end, self._offset + length
        self._digest = None


class Compared(NamedTuple):
    """A block of a file: as the parent has it, or with its new content."""

    block: Block
    content: bytes | None
    is_cut: bool = False
    """Whether the file was cut meanwhile, and the block ends in zeros."""


def compared(
    descriptor: int, segments: Segments, earlier: Iterator[Block]
) -> Generator[Compared, None, None]:
    """Read a file and compare it with its blocks in the parent; to be closed when left early."""
    reading = _Reading(descriptor)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="compare") as workers:
        waiting: deque[Future[Compared]] = deque()
        for begin, length, known in _expected(segments, earlier):
            waiting.append(workers.submit(reading.compare, begin, length, known))
            if len(waiting) >= _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Reading:
    """Reads into one buffer for each thread: fresh memory for each block would cost more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._own = threading.local()

    def compare(self, begin: int, length: int, known: Block | None) -> Compared:
        content, is_cut = self._read(begin, length)
        checksum = frame_checksum(content).encode()
        if known is not None and known.length == length and known.checksum == checksum:
            return Compared(known, None, is_cut)
        return Compared(Block(begin, length, b"", 0, checksum), bytes(content), is_cut)

    def _read(self, begin: int, length: int) -> tuple[Bytes, bool]:
        buffer: bytearray | None = getattr(self._own, "buffer", None)
        if buffer is None:
            buffer = self._own.buffer = bytearray(BLOCK)
        view = memoryview(buffer)[:length]
        done = 0
        while done < length:
            count = os.preadv(self._descriptor, [view[done:]], begin + done)
            if not count:  # cut meanwhile: its length is already written
                view[done:] = bytes(length - done)
                return view, True
            done += count
        return view, False


def _expected(
    segments: Segments, earlier: Iterator[Block]
) -> Iterator[tuple[int, int, Block | None]]:
    known = next(earlier, None)
    for begin, length in cut(segments):
        while known is not None and known.begin < begin:
            known = next(earlier, None)
        found = known if known is not None and known.begin == begin else None
        yield begin, length, found


def cut(segments: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """
    Cut segments at the multiples of a block.

    >>> list(cut([(10, 2 * BLOCK)]))
    [(10, 1048566), (1048576, 1048576), (2097152, 10)]
    """
    for begin, length in segments:
        end = begin + length
        while begin < end:
            size = min(BLOCK - begin % BLOCK, end - begin)
            yield begin, size
            begin += size
