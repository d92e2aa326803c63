"""Compares the index of a set with the headers of its archives: what disagrees would not restore."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from airflow_backup.core.errors import VerifyError
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.core.text.names import shown
from airflow_backup.engines.files.chain import ARCHIVE, INDEX, PATCHES
from airflow_backup.engines.files.index import (
    UNREAD,
    Block,
    IndexReader,
    Record,
    block_of,
    lines_of,
    order_of,
    record_of,
)
from airflow_backup.engines.files.places import Below, Blocks, data_of
from airflow_backup.engines.files.tar import writer as tar
from airflow_backup.engines.files.tar.member import Member
from airflow_backup.engines.files.tar.reader import TarReader
from airflow_backup.engines.protocol import SetReader
from airflow_backup.engines.shared.restore_root import split

_LINKS = frozenset({tar.HARD_LINK, tar.SYMLINK})
_PLAIN = frozenset({tar.REGULAR, tar.FOLDER, tar.SYMLINK, tar.FIFO})


def check_structure(chain: Sequence[SetReader]) -> list[str]:
    """
    Read the index and all headers of the last set side by side: each has what the other says, in order.

    What comes after this cannot keep a restore from unpacking: names, sizes and places are right, every
    header is where the one before it ends, every link has its file. Content is passed over. VerifyError
    otherwise.
    """
    last = chain[-1]
    link = b"%d" % (len(chain) - 1)
    if int(last.manifest.state.get("link", 0)) != len(chain) - 1:
        raise VerifyError(f"set '{last.manifest.set_id}' needs the whole chain below it")
    archives = {b"f" + link: _Side(last, ARCHIVE)}
    if last.manifest.pieces_of(PATCHES):
        archives[b"p" + link] = _Side(last, PATCHES)
    try:
        compared = _Comparing(chain, archives)
        compared.run()
        count = compared.count
    finally:
        for side in archives.values():
            side.close()
    if count != last.manifest.totals.files:
        raise VerifyError(
            f"the index of set '{last.manifest.set_id}' has {count} entries, "
            f"and its manifest says {last.manifest.totals.files}"
        )
    checks = [f"{count} entries of the index against the archive"]
    unread = last.manifest.counts.get("unread")
    return [*checks, f"{unread} of them could not be read, and are missing"] if unread else checks


class _Side:
    """One archive, read from front to end."""

    def __init__(self, stored: SetReader, stream: str) -> None:
        self._stored, self._end = stored, size_of(stored.manifest, stream)
        self._reader = TarReader(stored.blocks(stream), partial(stored.blocks, stream))
        self._members = iter(self._reader)
        self._stream, self._set_id = stream, stored.manifest.set_id
        self._segments: list[tuple[int, int]] | None = None

    def expect(self, offset: int, name: bytes) -> Member:
        """Return the next member, whose headers must begin at ``offset``."""
        member, self._segments = next(self._members, None), None
        is_there = member is not None and self._reader.member_begin == offset
        if member is None or not is_there or member.name.rstrip(b"/") != name:
            raise self._otherwise(offset, name)
        return member

    def passes(self, record: Record, name: bytes) -> bool:
        """
        Go behind the next member when it is a plain one, as the record says: most are.

        False leaves the reader where it was, for whoever looks closely.
        """
        self._segments = None
        return self._reader.pass_plain(record.offset, name, record.kind, record.size)

    def blocks_of(self, record: Record) -> Blocks:
        """Return what the blocks of the current member must be, before anything behind it is read."""
        places = self._segments or [(0, record.size)]
        data = sum(length for _, length in places)
        return Blocks(record.path, data, begin=self._reader.position, places=places)

    def expect_block(self, path: bytes, block: Block) -> None:
        """Go to the next member, whose content must be the block."""
        member = next(self._members, None)
        name = b"%b/%d" % (path, block.begin)
        if (
            member is None
            or self._reader.position != block.offset
            or (member.name, member.size) != (name, block.length)
        ):
            raise self._otherwise(block.offset, name)

    def size_of(self, member: Member) -> int:
        """Return how long the current member's file is; VerifyError when its map does not fit."""
        if not member.is_sparse:
            return member.size
        size = member.real_size
        begin, end, data = self._reader.position, 0, 0
        self._segments = self._reader.sparse_segments()
        for offset, length in self._segments:
            if offset < end or offset + length > size:
                raise VerifyError(f"'{shown(member.name)}' has a map of holes that does not fit")
            end = offset + length
            data += length
        if self._reader.position - begin + data != member.size:
            raise VerifyError(f"'{shown(member.name)}' has another size than its map of holes")
        return size

    def _otherwise(self, offset: int, name: bytes) -> VerifyError:
        return VerifyError(
            f"the index of set '{self._set_id}' says that '{shown(name)}' lies at byte {offset} "
            f"of {self._stream}, and something else does"
        )

    def finish(self) -> None:
        """Read to the end, where nothing may be left."""
        member = next(self._members, None)
        if member is not None:
            raise VerifyError(
                f"{self._stream} of set '{self._set_id}' has '{shown(member.name)}', "
                "which its index has not"
            )
        if self._reader.position + tar.BLOCK != self._end:
            raise VerifyError(
                f"{self._stream} of set '{self._set_id}' does not end with its end marker"
            )

    def close(self) -> None:
        self._reader.close()


class _Comparing:
    """Walks the index and the archives side by side, and the index of the set below with them."""

    def __init__(self, chain: Sequence[SetReader], archives: dict[bytes, _Side]) -> None:
        self.count = 0
        self._chain, self._archives, self._sizes = chain, archives, _sizes(chain)
        self._before = b""
        self._no_folder = b"/"
        self._links: set[bytes] = set()
        self._below = None if len(chain) == 1 else Below(lines_of(chain[-2].blocks(INDEX)))
        self._record: Record | None = None
        self._blocks: Blocks | None = None
        self._blocks_end = 0

    def run(self) -> None:
        for line in lines_of(self._chain[-1].blocks(INDEX)):
            if line.startswith(b"+"):
                self._check_block(block_of(line), line)
            elif not line.startswith(b"-"):
                self._check_entry(record_of(line), line)
        self._end_entry()
        if self._below is not None:
            self._below.finish(b"" if self._record is None else self._record.path)
        for side in self._archives.values():
            side.finish()
        self._check_links()

    def _check_entry(self, record: Record, line: bytes) -> None:
        self._end_entry()
        self._record, self._blocks_end = record, 0
        if record.kind != UNREAD:
            self._check_name(record)
            self.count += 1
        elif record.where == b"-":
            return
        self._check_place(record.where, record.offset, tar.BLOCK)
        side = self._archives.get(record.where)
        if side is None:
            if record.kind == tar.HARD_LINK:
                raise VerifyError(f"'{shown(record.path)}' is a link that an older set is to hold")
            self._check_kept(line, record.path)
        elif record.kind not in _PLAIN or not side.passes(record, _member_name(record)):
            self._look_closely(side, record)

    def _end_entry(self) -> None:
        if self._blocks is not None:
            self._blocks.finish()
            self._blocks = None

    def _look_closely(self, side: _Side, record: Record) -> None:
        member = side.expect(record.offset, _member_name(record))
        if member.kind != (tar.REGULAR if record.kind == UNREAD else record.kind):
            raise VerifyError(f"'{shown(record.path)}' is of another kind than its index says")
        if member.kind in _LINKS and not member.link:
            raise VerifyError(f"'{shown(record.path)}' is a link to nothing")
        if member.kind == tar.HARD_LINK:
            self._links.add(member.link)
        if member.kind == tar.REGULAR and record.where[:1] == b"p":
            # Of what could not be read whole, only some blocks are there.
            self._blocks = Blocks(record.path, None if record.kind == UNREAD else data_of(member))
        if member.kind != tar.REGULAR or record.where[:1] != b"f":
            return
        if side.size_of(member) != record.size:
            raise VerifyError(f"'{shown(record.path)}' has another size than its index says")

    def _check_block(self, block: Block, line: bytes) -> None:
        record = self._record
        if record is None:
            raise VerifyError("the index begins with a block of nothing")
        self._check_place(block.where, block.offset, block.length)
        if block.begin < self._blocks_end or block.begin + block.length > record.size:
            raise VerifyError(f"'{shown(record.path)}' has blocks that do not fit into it")
        self._blocks_end = block.begin + block.length
        side = self._archives.get(block.where)
        if side is None:
            self._check_kept(line, record.path)
        elif block.where[:1] == b"p":
            side.expect_block(record.path, block)
        elif block.where == record.where:
            self._blocks = self._blocks or side.blocks_of(record)
            self._blocks.take_placed(block)
            return
        else:
            raise VerifyError(f"'{shown(record.path)}' has a block in another file's content")
        if self._blocks is not None:
            self._blocks.take(block)

    def _check_kept(self, line: bytes, path: bytes) -> None:
        if self._below is None:  # there is nothing below a full set
            raise VerifyError(f"'{shown(path)}' is said to lie in a set that is not in the chain")
        self._below.expect(line, path)

    def _check_name(self, record: Record) -> None:
        path = record.path
        order = order_of(path)
        if self.count and order <= self._before:
            raise VerifyError(f"the index has '{shown(path)}' twice, or out of order")
        self._before = order
        if path.startswith(self._no_folder):
            raise VerifyError(f"'{shown(path)}' lies in something that is no folder")
        if record.kind != tar.FOLDER:
            self._no_folder = path + b"/"
        if path != b".":
            split(path)

    def _check_place(self, where: bytes, offset: int, length: int) -> None:
        if not 0 <= offset <= offset + length <= self._sizes.get(where, 0):
            raise VerifyError(
                f"the index names a place that is not in the chain: {where!r} {offset}"
            )

    def _check_links(self) -> None:
        """Every second name of a file has its first one, as a file."""
        if not self._links:
            return
        for record in IndexReader(self._chain[-1].blocks(INDEX)):
            if record.kind == tar.REGULAR:
                self._links.discard(record.path)
        if self._links:
            name = shown(min(self._links))
            raise VerifyError(f"a link leads to '{name}', which is not in the set as a file")


def _member_name(record: Record) -> bytes:
    if record.where[:1] == b"p":
        return b"%b/size=%d" % (record.path, record.size)
    return record.path


def _sizes(chain: Sequence[SetReader]) -> dict[bytes, int]:
    return {
        letter + b"%d" % link: size_of(each.manifest, stream)
        for link, each in enumerate(chain)
        for letter, stream in ((b"f", ARCHIVE), (b"p", PATCHES))
    }


def size_of(manifest: Manifest, stream: str) -> int:
    """Return the raw bytes of a stream."""
    return sum(piece.raw_size for piece in manifest.pieces_of(stream))
