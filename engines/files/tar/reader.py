"""Reads the archives of :mod:`.tar_writer` as a stream; refuses what it does not understand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice

from airflow_backup.core.errors import VerifyError
from airflow_backup.engines.files.tar import writer as tar
from airflow_backup.engines.files.tar.cutter import Cutter
from airflow_backup.engines.files.tar.member import MAX_DIGITS, Member, completed, decimal, sum_of

_BLANK = bytes(tar.BLOCK)
_MAX_RECORDS = 64 * 1024 * 1024
_PLAIN_MTIME = b"30 mtime="

_PLAIN_HEADERS = 3 * tar.BLOCK
_NUMBERS = re.compile(rb"(?:[0-7]{7}\0){3}(?:[0-7]{11}\0){2}")
_TIMED = re.compile(rb"30 mtime=\d{10}\.\d{9}\n.{582}" + _NUMBERS.pattern, re.DOTALL)
"""A time of its own, and behind it the numbers of the header that follows."""


class TarReader:
    """
    Iterates over members. The content of each is read with ``content`` before the next one.

    Iterating ends at the archive's end marker; an archive without one is an error. With ``reopen``,
    which gives the archive from an offset on, far content that nobody asks for is not read.
    """

    def __init__(
        self, blocks: Iterator[bytes], reopen: Callable[[int], Iterator[bytes]] | None = None
    ) -> None:
        self._bytes, self._reopen = Cutter(blocks), reopen
        self.member_begin = 0
        """Where the first header of the current member lies."""

        self._left = 0
        self._padding = 0
        self._rights, self._owner = b"", (0, 0, 0)

    def close(self) -> None:
        """Stop reading, and close what the archive is read from."""
        self._bytes.close()

    def __iter__(self) -> Iterator[Member]:
        while True:
            self._skip_rest()
            member = self._next()
            if member is None:
                return
            yield member

    @property
    def position(self) -> int:
        """How far it has read: at the begin of the content, until that is asked for."""
        return self._bytes.position

    def _next(self) -> Member | None:
        records: dict[bytes, bytes] = {}
        self.member_begin = self._bytes.position
        while (block := self._bytes.exactly(tar.BLOCK)) != _BLANK:
            if block == tar.PAX_30:  # before nearly every member
                records = self._records(30)
                continue
            member = self._parse(block)
            if member.kind != b"x":
                return self._begin(completed(member, records) if records else member)
            records = self._records(member.size)
        return None

    def pass_plain(self, offset: int, name: bytes, kind: bytes, size: int) -> bool:
        """
        Go behind the next member when it begins at ``offset`` and is plainly the one described.

        False, and nothing is read, where it is another one or takes a closer look: a long name,
        further records, headers that are not at hand. This costs a quarter of reading a member.
        """
        self._skip_rest()
        view = self._bytes.peek(_PLAIN_HEADERS)
        if view is None or self._bytes.position != offset:
            return False
        headers = bytes(view)
        begin = 2 * tar.BLOCK if headers.startswith(tar.PAX_30) else 0
        block = headers[begin : begin + tar.BLOCK]
        full = name + (b"/\0" if kind == tar.FOLDER else b"\0")
        is_it = bool(
            len(full) <= 100
            and block.startswith(full)
            and block[156:157] == kind
            and block[257:262] == b"ustar"
            and block[124:136] == b"%011o\0" % size
            and block[148:155] == b"%06o\0" % sum_of(block)
            and (_TIMED.match(headers, tar.BLOCK) if begin else _NUMBERS.match(headers, 100))
            and (kind != tar.SYMLINK or block[157] != 0)
        )
        if is_it:
            self.member_begin = offset
            self._left, self._padding = size, -size % tar.BLOCK
            self._bytes.at_hand(begin + tar.BLOCK)
        return is_it

    def content(self) -> Iterator[memoryview]:
        """Yield what is left of the current member's content."""
        left, self._left = self._left, 0
        yield from self._bytes.pieces(left)

    def whole_content(self) -> memoryview | None:
        """Return the current member's content when all of it is at hand; it counts as read then."""
        found = self._bytes.at_hand(self._left)
        if found is not None:
            self._left = 0
        return found

    def sparse_segments(self) -> list[tuple[int, int]]:
        """Read the map at the beginning of a sparse member's content: offsets and lengths."""
        lines = self._map_lines()
        count = next(lines)
        numbers = list(islice(lines, 2 * count))
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    def _map_lines(self) -> Iterator[int]:
        # Block by block: a file may have a hundred thousand segments.
        rest = b""
        while True:
            *lines, rest = (rest + self._take_block()).split(b"\n")
            if len(rest.rstrip(b"\0")) > MAX_DIGITS:  # the last block is filled up with zeros
                raise self._wrong("a sparse file has no map")
            for line in lines:
                yield decimal(line)

    def take(self, size: int) -> Iterator[memoryview]:
        """Yield the next ``size`` bytes of the current member's content."""
        if size > self._left:
            raise self._wrong("a sparse file has more data than its member")
        self._left -= size
        yield from self._bytes.pieces(size)

    def member_at(self, offset: int, reopen: Callable[[int], Iterator[bytes]]) -> Member:
        """Return the member whose first header lies at ``offset``."""
        self._left = self._padding = 0
        self._bytes.seek(offset, reopen)
        member = self._next()
        if member is None:
            raise self._wrong("the archive ends where the index has a member")
        return member

    def bytes_at(
        self, offset: int, size: int, reopen: Callable[[int], Iterator[bytes]]
    ) -> Iterator[memoryview]:
        """Yield raw bytes of the archive, from inside a member's content."""
        self._left = self._padding = 0
        self._bytes.seek(offset, reopen)
        yield from self._bytes.pieces(size)

    def _take_block(self) -> bytes:
        return b"".join(self.take(tar.BLOCK))

    def _begin(self, member: Member) -> Member:
        self._left = member.size
        self._padding = -member.size % tar.BLOCK
        return member

    def _skip_rest(self) -> None:
        rest = self._left + self._padding
        if rest and self._bytes.at_hand(rest) is None:
            if self._reopen is not None:
                self._bytes.seek(self._bytes.position + rest, self._reopen)
            else:
                for _ in self._bytes.pieces(rest):
                    pass
        self._left = self._padding = 0

    def _parse(self, block: bytes) -> Member:
        if block[257:262] != b"ustar" or sum_of(block) != self._octal(block[148:156]):
            raise self._wrong("not a tar header")
        rights = block[100:124]
        if rights != self._rights:  # neighbours share theirs
            mode, uid, gid = (self._octal(rights[begin : begin + 8]) for begin in (0, 8, 16))
            self._rights, self._owner = rights, (mode, uid, gid)
        mode, uid, gid = self._owner
        return Member(
            name=block[:100].split(b"\0", 1)[0],
            kind=block[156:157],
            mode=mode,
            uid=uid,
            gid=gid,
            size=self._octal(block[124:136]),
            mtime_ns=self._octal(block[136:148]) * 1_000_000_000,
            link=block[157:257].split(b"\0", 1)[0],
        )

    def _octal(self, text: bytes) -> int:
        digits = text.rstrip(b" \0")
        if not digits.isdigit():  # int() alone would take a sign
            raise self._wrong("not a tar header")
        try:
            return int(digits, 8)
        except ValueError:
            raise self._wrong("not a tar header") from None

    def _records(self, size: int) -> dict[bytes, bytes]:
        if size > _MAX_RECORDS:
            raise self._wrong("a pax header of absurd size")
        body = self._bytes.exactly(size + -size % tar.BLOCK)[:size]
        if size == 30 and body.startswith(_PLAIN_MTIME):
            return {b"mtime": body[9:29]}
        records: dict[bytes, bytes] = {}
        while body:
            digits, _, rest = body.partition(b" ")
            length = decimal(digits)
            key, equals, value = rest[: length - len(digits) - 1].partition(b"=")
            if not equals or not value.endswith(b"\n") or length > len(body) or b"\0" in key:
                raise self._wrong("a broken pax header")
            records[key] = value[:-1]
            body = body[length:]
        return records

    def _wrong(self, what: str) -> VerifyError:
        return VerifyError(f"the archive is not readable at byte {self._bytes.position}: {what}")
