"""
A file tree at one link of a chain: the last set's index says what it is and where its bytes lie.

Nothing is replayed: each file is read once, from the set that stored it, and blocks of a large
file from the sets that stored them. Members lie in every archive in the order of the index, so
each archive is read from front to end, and what is not wanted is skipped by whole frames.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice

from airflow_backup.core.errors import NotFound, VerifyError
from airflow_backup.core.text.names import shown
from airflow_backup.engines.capabilities import EntryKind, StoredEntry
from airflow_backup.engines.files.index import UNREAD, IndexReader, Record
from airflow_backup.engines.files.tar import writer as tar
from airflow_backup.engines.files.tar.member import Member
from airflow_backup.engines.files.tar.reader import TarReader
from airflow_backup.engines.protocol import SetReader

ARCHIVE, INDEX, PATCHES = "files.tar", "index", "patches.tar"
_FIRST_WINDOW, _LAST_WINDOW = 64 * 1024, 1024 * 1024 * 1024
_STREAMS = {b"f": ARCHIVE, b"p": PATCHES}
_MOST_SIZE = 1 << 63
_KINDS: dict[bytes, EntryKind] = {
    tar.REGULAR: "file",
    tar.HARD_LINK: "file",
    tar.FOLDER: "folder",
    tar.SYMLINK: "link",
    UNREAD: "unread",
}


class ChainArchive:
    """
    Gives the members of the last set of ``path``; see :class:`.files_unpacking.Archive`.

    ``only`` names files and folders: then nothing else is given but the folders above them.
    """

    def __init__(self, chain: Sequence[SetReader], *, only: Sequence[bytes] = ()) -> None:
        self._chain = chain
        self._only = [_normal(each) for each in only]
        if b"." in self._only:  # the root itself: all of it
            self._only = []
        self._found: set[bytes] = set()
        self._readers: dict[bytes, _Reader] = {}
        self._record: Record | None = None
        self._at: tuple[bytes, int, int] = (b"", 0, 0)
        self._moved: dict[bytes, bytes] = {}
        self.missing: list[str] = []
        """What the set says of itself that it has not: it could not be read."""

    def __iter__(self) -> Iterator[Member]:
        for record in self._records(with_unread=True):
            if self._only and not self._is_wanted(record):
                continue
            if record.kind == UNREAD:
                self._miss(record)
                continue
            yield self._member(record)
        self._check_found()

    def check_parts(self) -> None:
        """Raise NotFound when one of ``only`` is not in the set; reads the index alone."""
        for record in self._records(with_unread=True):
            if self._is_wanted(record) and record.kind == UNREAD:
                self._miss(record)
        self._check_found()

    def _check_found(self) -> None:
        missing = [each for each in self._only if each not in self._found]
        if missing:
            raise NotFound(
                f"no '{shown(missing[0])}' in set '{self._chain[-1].manifest.set_id}'",
                hint="write it relative to the folder that was backed up",
            )

    def close(self) -> None:
        """End the reading of all archives."""
        for reader in self._readers.values():
            reader.tar.close()

    def content(self) -> Iterator[memoryview]:
        """Yield the content of a member that is stored in one part."""
        assert self._record is not None
        return self._reader(self._record.where).tar.content()

    def whole_content(self) -> memoryview | None:
        """Return the content of the current member when all of it is at hand, else None."""
        assert self._record is not None
        return self._reader(self._record.where).tar.whole_content()

    def sparse_segments(self) -> Iterator[tuple[int, int]]:
        """Yield the blocks of a member that is given in parts."""
        assert self._record is not None
        for block in self._record.blocks:
            self._at = (block.where, block.offset, block.length)
            yield block.begin, block.length

    def take(self, size: int) -> Iterator[memoryview]:
        """Yield the bytes of the block that `sparse_segments` is at."""
        where, offset, length = self._at
        if size != length:
            raise VerifyError("a block of a file has another size than its content")
        return self._reader(where).bytes_at(offset, size)

    def _miss(self, record: Record) -> None:
        told = f"'{shown(record.path)}' is not in the set: it could not be read"
        if record.path in self._only:
            raise NotFound(
                told, hint="an earlier set: airflow-backup restore ... --at ... --to ..."
            )
        self.missing.append(told)

    def _records(self, *, with_unread: bool = False) -> Iterator[Record]:
        return iter(IndexReader(self._chain[-1].blocks(INDEX), with_unread=with_unread))

    def _is_wanted(self, record: Record) -> bool:
        path = record.path
        for each in self._only:
            if path == each or path.startswith(each + b"/"):
                self._found.add(each)
                return True
        is_above = any(each.startswith(path + b"/") for each in self._only)
        return record.kind == tar.FOLDER and (is_above or path == b".")

    def _member(self, record: Record) -> Member:
        member = self._open(record)
        if record.kind == tar.HARD_LINK and self._only:
            member = self._resolved(record, member)
        return member

    def _open(self, record: Record) -> Member:
        self._record = record
        reader = self._reader(record.where)
        member = reader.member_at(record.offset)
        wanted = record.path
        if record.where[:1] == b"p":
            wanted += b"/size=%d" % record.size
        if member.kind != record.kind or member.name.rstrip(b"/") != wanted:
            raise VerifyError(
                f"the index says that '{shown(record.path)}' lies at {record.where.decode()} "
                f"{record.offset}, and something else does",
                hint="an earlier set: airflow-backup restore ... --at ... --to ...",
            )
        if record.kind == tar.REGULAR:
            self._prepare(record, member)
        return member

    def _prepare(self, record: Record, member: Member) -> None:
        first = list(islice(record.blocks, 1))
        if not first and record.where[:1] != b"p":
            return  # all of it lies in one part; a patch without blocks is nothing but a hole
        self._record = record._replace(blocks=chain(first, record.blocks))
        member.name = record.path
        member.records = {**member.records, b"GNU.sparse.realsize": b"%d" % record.size}

    def _resolved(self, record: Record, member: Member) -> Member:
        # The first name of the file may not be wanted: then this name becomes the file.
        first = self._moved.get(member.link, member.link)
        if first != member.link or self._takes(member.link):
            member.link = first
            return member
        self._moved[member.link] = record.path
        for other in self._records():
            if other.path == member.link:
                for _ in record.blocks:
                    pass
                found = self._open(other)
                found.name = record.path
                return found
        raise VerifyError("a link of the set leads to a file that is not in its index")

    def _takes(self, path: bytes) -> bool:
        return any(path == each or path.startswith(each + b"/") for each in self._only)

    def _reader(self, where: bytes) -> _Reader:
        found = self._readers.get(where)
        if found is None:
            found = self._readers[where] = self._opened(where)
        return found

    def _opened(self, where: bytes) -> _Reader:
        stream, link = _STREAMS.get(where[:1]), where[1:]
        if stream is None or not link.isdigit() or int(link) >= len(self._chain):
            raise VerifyError(f"the index names a set that is not in the chain: {where!r}")
        return _Reader(self._chain[int(link)], stream)


def entries_in(stored: SetReader) -> Iterator[StoredEntry]:
    """Yield what a set brings back, in the order of its index, without its root."""
    for record in IndexReader(stored.blocks(INDEX), with_unread=True):
        if record.path == b".":
            continue
        if record.path != _normal(record.path) or b".." in record.path.split(b"/"):
            raise VerifyError(f"the index of the set names '{shown(record.path)}', as no tree does")
        if not 0 <= record.size < _MOST_SIZE:
            raise VerifyError(
                f"the index of the set says a size of '{shown(record.path)}' that no file has"
            )
        kind = _KINDS.get(record.kind, "other")
        yield StoredEntry(
            os.fsdecode(record.path),
            kind,
            record.size if record.kind == tar.REGULAR else None,
            _moment(record.modified) if kind != "unread" else None,
        )


def _moment(nanoseconds: int) -> datetime | None:
    """Return a moment of the index; None for one that no calendar has, as a file may have."""
    try:
        return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _normal(path: bytes) -> bytes:
    r"""
    Return a path as the index has it, however it was written.

    >>> _normal(b"/d//g/"), _normal(b"./f"), _normal(b"/")
    (b'd/g', b'f', b'.')
    """
    return b"/".join(each for each in path.split(b"/") if each not in (b"", b".")) or b"."


class _Reader:
    """One archive of the chain."""

    def __init__(self, stored: SetReader, stream: str) -> None:
        self._stored, self._stream = stored, stream
        self.tar = TarReader(self._from(0))

    def member_at(self, offset: int) -> Member:
        return self.tar.member_at(offset, self._from)

    def bytes_at(self, offset: int, size: int) -> Iterator[memoryview]:
        return self.tar.bytes_at(offset, size, self._from)

    def _from(self, offset: int) -> Iterator[bytes]:
        # Blocks are fetched ahead: little at first, in case one small file is all that is wanted.
        pieces = self._stored.manifest.pieces_of(self._stream)
        end = sum(piece.raw_size for piece in pieces)
        window = _FIRST_WINDOW
        while offset < end:
            yield from self._stored.blocks(self._stream, offset, min(offset + window, end))
            offset += window
            window = min(4 * window, _LAST_WINDOW)
