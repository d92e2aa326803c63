"""Reads the archives of :mod:`.tar_writer` as a stream; refuses what it does not understand."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from itertools import islice
from zlib import adler32

from airflow_backup.core.errors import VerifyError
from airflow_backup.engines.files.tar import writer as tar

_BLANK = bytes(tar.BLOCK)
_MAX_RECORDS = 64 * 1024 * 1024
_PLAIN_MTIME = b"30 mtime="
_NEAR = 4 * 1024 * 1024
_MAX_DIGITS = 20
_MAX_SIZE, _MAX_SECONDS, _MAX_ID = 2**63 - 1, 2**62, 2**32 - 2
"""The largest that Linux takes; the last id of all means nobody at all."""

_PLAIN_HEADERS = 3 * tar.BLOCK
_NUMBERS = re.compile(rb"(?:[0-7]{7}\0){3}(?:[0-7]{11}\0){2}")
_TIMED = re.compile(rb"30 mtime=\d{10}\.\d{9}\n.{582}" + _NUMBERS.pattern, re.DOTALL)
"""A time of its own, and behind it the numbers of the header that follows."""


@dataclass(slots=True)
class Member:
    """One member; ``size`` counts the bytes of content that follow in the archive."""

    name: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    link: bytes
    records: dict[bytes, bytes] = field(default_factory=dict)
    """The pax records, extended attributes among them."""

    @property
    def is_sparse(self) -> bool:
        """Whether the content begins with a map of its data."""
        return b"GNU.sparse.realsize" in self.records

    @property
    def real_size(self) -> int:
        """How long the file is; more than its content when it is sparse."""
        told = self.records.get(b"GNU.sparse.realsize")
        return self.size if told is None else _bounded(told, _MAX_SIZE)

    @property
    def attributes(self) -> dict[bytes, bytes]:
        """The extended attributes."""
        return {
            tar.attribute_name(key): value
            for key, value in self.records.items()
            if key.startswith(tar.ATTRIBUTE)
        }


class _Cutter:
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


class TarReader:
    """
    Iterates over members. The content of each is read with ``content`` before the next one.

    Iterating ends at the archive's end marker; an archive without one is an error. With ``reopen``,
    which gives the archive from an offset on, far content that nobody asks for is not read.
    """

    def __init__(
        self, blocks: Iterator[bytes], reopen: Callable[[int], Iterator[bytes]] | None = None
    ) -> None:
        self._bytes, self._reopen = _Cutter(blocks), reopen
        self.member_begin = 0
        """Where the first header of the current member lies."""

        self._left = 0
        self._padding = 0
        self._rights, self._owner = b"", (0, 0, 0)

    def close(self) -> None:
        """End the reading."""
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
                return self._begin(_completed(member, records) if records else member)
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
            and block[148:155] == b"%06o\0" % _sum(block)
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
            if len(rest.rstrip(b"\0")) > _MAX_DIGITS:  # the last block is filled up with zeros
                raise self._wrong("a sparse file has no map")
            for line in lines:
                yield _decimal(line)

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
        if block[257:262] != b"ustar" or _sum(block) != self._octal(block[148:156]):
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
            length = _decimal(digits)
            key, equals, value = rest[: length - len(digits) - 1].partition(b"=")
            if not equals or not value.endswith(b"\n") or length > len(body) or b"\0" in key:
                raise self._wrong("a broken pax header")
            records[key] = value[:-1]
            body = body[length:]
        return records

    def _wrong(self, what: str) -> VerifyError:
        return VerifyError(f"the archive is not readable at byte {self._bytes.position}: {what}")


def _sum(block: bytes) -> int:
    # See tar_writer: adler32 sums bytes, and 256 of them stay below its modulus.
    whole = (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:]) & 0xFFFF) - 2
    return whole - sum(block[148:156]) + 8 * ord(" ")


def _bounded(text: bytes, most: int) -> int:
    value = _decimal(text)
    if value > most:
        raise VerifyError(f"the archive is not readable: {value} is more than any system holds")
    return value


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > _MAX_DIGITS:
        raise VerifyError("the archive is not readable: a number is expected")
    return int(text)


def _nanoseconds(text: bytes) -> int:
    whole, _, fraction = text.removeprefix(b"-").partition(b".")
    value = _bounded(whole, _MAX_SECONDS) * 1_000_000_000 + _decimal(fraction[:9].ljust(9, b"0"))
    return -value if text.startswith(b"-") else value


def _completed(member: Member, records: dict[bytes, bytes]) -> Member:
    member.records = records
    member.name = records.get(b"GNU.sparse.name", records.get(b"path", member.name))
    member.link = records.get(b"linkpath", member.link)
    if b"\0" in member.link:
        raise VerifyError("the archive is not readable: a link with a zero in it")
    if b"size" in records:
        member.size = _bounded(records[b"size"], _MAX_SIZE)
    for key in (b"uid", b"gid"):
        if key in records:
            setattr(member, key.decode(), _bounded(records[key], _MAX_ID))
    if b"mtime" in records:
        member.mtime_ns = _nanoseconds(records[b"mtime"])
    return member
