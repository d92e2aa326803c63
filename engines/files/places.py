"""Whether the index tells the truth of where content lies that no header announces: kept entries, and blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airflow_backup.core.errors import VerifyError
from airflow_backup.core.text.names import shown
from airflow_backup.engines.files.index import Block, record_of
from airflow_backup.engines.files.tar.member import Member

_DATA = b"data="


def data_record(size: int) -> dict[bytes, bytes]:
    """
    Return the pax record that says how many bytes the blocks of a changed file have together.

    It is a comment, which every tar passes over.

    >>> data_record(42)
    {b'comment': b'data=42'}
    """
    return {b"comment": _DATA + b"%d" % size}


def data_of(member: Member) -> int | None:
    """Return what `data_record` says; None in a set of a release that did not say it."""
    told = member.records.get(b"comment", b"")
    digits = told.removeprefix(_DATA)
    return int(digits) if told.startswith(_DATA) and digits.isdigit() else None


class Below:
    """The index of the set below, read from front to end: what is kept must stand there, in the same order."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._entry = b""
        self._is_whole = False

    def expect(self, line: bytes, path: bytes) -> None:
        """
        Go behind ``line``, which must be one of ``path``; VerifyError when the set below has it not.

        An entry is kept with all of its blocks, and of one that changed some blocks are.
        """
        is_block = line[:1] == b"+"
        for found in self._lines:
            if found[:1] == b"+":
                if found != line and self._is_whole:
                    break
            else:
                self._is_whole = False
                if found[:1] != b"-":
                    self._entry = found
            if found == line:
                self._is_whole |= not is_block
                if is_block and record_of(self._entry).path != path:
                    break
                return
        raise self._otherwise(path)

    def finish(self, path: bytes) -> None:
        """Nothing may be left of the entry that was kept last, that of ``path``."""
        if self._is_whole and next(self._lines, b"")[:1] == b"+":
            raise self._otherwise(path)

    def _otherwise(self, path: bytes) -> VerifyError:
        return VerifyError(
            f"'{shown(path)}' is said to be as it was, and the set below says something else of it"
        )


class Blocks:
    """
    The blocks of one file, in order: together they are all of its data, no more and no less.

    ``places`` says where its data begins and which segments it has, for a file that is stored whole.
    """

    def __init__(
        self,
        path: bytes,
        data: int | None,
        *,
        begin: int = 0,
        places: Iterable[tuple[int, int]] = (),
    ) -> None:
        self._path, self._left = path, data
        self._at, self._places = begin, iter(places)
        self._segment = (0, 0)

    def take(self, block: Block) -> None:
        """Count a block; of a file that is stored in parts."""
        if self._left is not None:
            self._left -= block.length

    def take_placed(self, block: Block) -> None:
        """Count a block of a file that is stored whole, and see that it lies where it must."""
        self.take(block)
        begin, length = self._segment
        while block.length and not begin <= block.begin < begin + length:
            self._at += length
            found = next(self._places, None)
            if found is None:
                raise self._wrong()
            begin, length = self._segment = found
        fits = block.begin + block.length <= begin + length
        if not fits or block.offset != self._at + block.begin - begin:
            raise self._wrong()

    def finish(self) -> None:
        """All of the data must have been there."""
        if self._left:
            raise self._wrong()

    def _wrong(self) -> VerifyError:
        return VerifyError(f"'{shown(self._path)}' has other blocks than data")
