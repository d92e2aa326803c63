"""Cuts a stream of blocks into pieces of the length that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from airflow_backup.core.errors import VerifyError

_NEAR = 4 * 1024 * 1024


class Cutter:
    """Cuts an iterator of blocks into reads of any length."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._block = memoryview(b"")
        self._at = 0
        self.position = 0

    def seek(self, position: int, reopen: Callable[[int], Iterator[bytes]]) -> None:
        """Go to ``position``: by reading on when it is near, else by opening the archive anew."""
        if 0 <= position - self.position <= _NEAR:
            for _ in self.pieces(position - self.position):
                pass
            return
        self.close()
        self._blocks = reopen(position)
        self._block, self._at, self.position = memoryview(b""), 0, position

    def close(self) -> None:
        """End the reading of the archive, and with it whatever reads ahead."""
        if isinstance(self._blocks, Generator):
            self._blocks.close()

    def exactly(self, size: int) -> bytes:
        """Return the next ``size`` bytes; VerifyError when the archive ends before."""
        end = self._at + size
        if end <= len(self._block):
            found = bytes(self._block[self._at : end])
            self._at = end
            self.position += size
            return found
        return b"".join(self.pieces(size))

    def peek(self, size: int) -> memoryview | None:
        """Return the next ``size`` bytes without reading them, when they lie in the current block."""
        end = self._at + size
        return self._block[self._at : end] if end <= len(self._block) else None

    def at_hand(self, size: int) -> memoryview | None:
        """Return the next ``size`` bytes when they lie in the current block; None when they do not."""
        begin, end = self._at, self._at + size
        if end > len(self._block):
            return None
        self._at = end
        self.position += size
        return self._block[begin:end]

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the next ``size`` bytes without copying them."""
        while size:
            if self._at == len(self._block):
                self._block, self._at = memoryview(self._next()), 0
            taken = self._block[self._at : self._at + size]
            self._at += len(taken)
            self.position += len(taken)
            size -= len(taken)
            yield taken

    def _next(self) -> bytes:
        for block in self._blocks:
            if block:
                return block
        raise VerifyError(
            f"the archive ends at byte {self.position}, in the middle of a member",
            hint="is the set complete? an earlier one: airflow-backup restore ... --at ...",
        )
