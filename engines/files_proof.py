"""Proves a set of files: the archive and the index tell the same story, and so does a restored tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from airflow_backup.core.errors import VerifyError
from airflow_backup.core.manifest import Manifest
from airflow_backup.engines import tar_writer as tar
from airflow_backup.engines.files_chain import ARCHIVE, INDEX, PATCHES
from airflow_backup.engines.files_index import (
    UNREAD,
    Block,
    IndexReader,
    Record,
    lines_of,
    order_of,
    unescaped,
)
from airflow_backup.engines.jail import split
from airflow_backup.engines.protocol import SetReader
from airflow_backup.engines.tar_reader import Member, TarReader

_MOST_NAMED = 20
_FORMATS = {
    stat.S_IFREG: tar.REGULAR,
    stat.S_IFDIR: tar.FOLDER,
    stat.S_IFLNK: tar.SYMLINK,
    stat.S_IFIFO: tar.FIFO,
}
_NOT_RESTORED = frozenset({tar.CHARACTER_DEVICE, tar.BLOCK_DEVICE})


def check_edges(stored: SetReader) -> list[str]:
    """Look at the first header and the end marker of each archive, and at the end of the index."""
    manifest = stored.manifest
    checks = []
    for stream in (ARCHIVE, PATCHES, INDEX):
        size = _size(manifest, stream)
        if stream == PATCHES and not manifest.pieces_of(PATCHES):
            continue
        tail = b"".join(stored.blocks(stream, max(size - len(tar.END), 0), size))
        if stream == INDEX:
            if not tail.endswith(b"\n"):
                raise VerifyError(f"the index of set '{manifest.set_id}' has no last line")
        else:
            _check_archive(stored, stream, tail)
        checks.append(f"beginning and end of {stream}")
    return checks


def _check_archive(stored: SetReader, stream: str, tail: bytes) -> None:
    if tail != tar.END:
        raise VerifyError(
            f"{stream} of set '{stored.manifest.set_id}' has no end marker",
            hint="was the dump cut? take a full set",
        )
    head = b"".join(stored.blocks(stream, 0, tar.BLOCK))
    if head != bytes(tar.BLOCK) and head[257:262] != b"ustar":
        raise VerifyError(f"{stream} of set '{stored.manifest.set_id}' is not a tar archive")


def check_structure(path: Sequence[SetReader]) -> list[str]:
    """
    Read the index and all headers of the last set side by side: each has what the other says, in order.

    What comes after this cannot keep a restore from unpacking: names, sizes and places are right, every
    header is where the one before it ends, every link has its file. Content is passed over. VerifyError
    otherwise.
    """
    last = path[-1]
    link = b"%d" % (len(path) - 1)
    if int(last.manifest.state.get("link", 0)) != len(path) - 1:
        raise VerifyError(f"set '{last.manifest.set_id}' needs the whole chain below it")
    archives = {b"f" + link: _Side(last, ARCHIVE)}
    if last.manifest.pieces_of(PATCHES):
        archives[b"p" + link] = _Side(last, PATCHES)
    try:
        compared = _Comparing(path, archives)
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


def check_tree(last: SetReader, target: Path) -> int:
    """Compare a restored tree with the index: kind, size, mode and time of each entry."""
    count = 0
    own = os.geteuid() == 0
    base = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for fields in _lines(last):
            kind, size, mtime, mode = fields[0], int(fields[3]), int(fields[4]), int(fields[7], 8)
            name = unescaped(fields[10])
            if kind in _NOT_RESTORED:
                continue
            count += 1
            found = _stat(base, name)
            _check_entry(name, kind, size, found)
            if kind != tar.SYMLINK:
                keeps = 0o7777 if own else 0o1777
                if stat.S_IMODE(found.st_mode) != mode & keeps or found.st_mtime_ns != mtime:
                    raise VerifyError(f"'{_shown(name)}' came back with other attributes")
    finally:
        os.close(base)
    return count


def concerned(stored: SetReader, stream: str, begin: int, end: int) -> list[str]:
    """Name the files that have content in a part of an archive."""
    if stream not in (ARCHIVE, PATCHES):
        return []
    letter = b"f" if stream == ARCHIVE else b"p"
    own = letter + b"%d" % int(stored.manifest.state.get("link", 0))
    found: list[str] = []
    before: bytes | None = None
    for offset, name in _places(stored, own):
        if offset >= end:
            break
        if offset > begin and before is not None and before not in map(os.fsencode, found):
            found.append(os.fsdecode(before))
        before = name
    if before is not None:
        found.append(os.fsdecode(before))
    shown = [_shown(os.fsencode(name)) for name in dict.fromkeys(found)]
    return shown[:_MOST_NAMED]


def _places(stored: SetReader, own: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield where in an archive each entry begins, and each block of one that was stored in parts."""
    for record in IndexReader(stored.blocks(INDEX)):
        if record.where == own:
            yield record.offset, record.path
        for block in record.blocks:
            if block.where == own and own[:1] == b"p":
                yield block.offset, record.path


class _Side:
    """One archive, read from front to end."""

    def __init__(self, stored: SetReader, stream: str) -> None:
        self._stored, self._end = stored, _size(stored.manifest, stream)
        self._reader = TarReader(stored.blocks(stream), partial(stored.blocks, stream))
        self._members = iter(self._reader)
        self._stream, self._set_id = stream, stored.manifest.set_id

    def expect(self, offset: int, name: bytes) -> Member:
        """Return the next member, whose headers must begin at ``offset``."""
        member = next(self._members, None)
        if member is None or self._reader.member_begin != offset:
            raise self._otherwise(offset, name)
        if member.name.rstrip(b"/") != name:
            raise self._otherwise(offset, name)
        return member

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
        size = int(member.records[b"GNU.sparse.realsize"])
        begin, end, data = self._reader.position, 0, 0
        for offset, length in self._reader.sparse_segments():
            if offset < end or offset + length > size:
                raise VerifyError(f"'{_shown(member.name)}' has a map of holes that does not fit")
            end = offset + length
            data += length
        if self._reader.position - begin + data != member.size:
            raise VerifyError(f"'{_shown(member.name)}' has another size than its map of holes")
        return size

    def _otherwise(self, offset: int, name: bytes) -> VerifyError:
        return VerifyError(
            f"the index of set '{self._set_id}' says that '{_shown(name)}' lies at byte {offset} "
            f"of {self._stream}, and something else does"
        )

    def finish(self) -> None:
        """Read to the end, where nothing may be left."""
        member = next(self._members, None)
        if member is not None:
            raise VerifyError(
                f"{self._stream} of set '{self._set_id}' has '{_shown(member.name)}', "
                "which its index has not"
            )
        if self._reader.position + tar.BLOCK != self._end:
            raise VerifyError(
                f"{self._stream} of set '{self._set_id}' does not end with its end marker"
            )

    def close(self) -> None:
        self._reader.close()


class _Comparing:
    """Walks the index and the archives side by side."""

    def __init__(self, path: Sequence[SetReader], archives: dict[bytes, _Side]) -> None:
        self.count = 0
        self._path, self._archives, self._sizes = path, archives, _sizes(path)
        self._before = b""
        self._no_folder = b"/"
        self._links: set[bytes] = set()

    def run(self) -> None:
        for record in IndexReader(self._path[-1].blocks(INDEX), with_unread=True):
            if record.kind != UNREAD:
                self._check_name(record)
                self.count += 1
            elif record.where == b"-":
                continue
            self._check_record(record)
        for side in self._archives.values():
            side.finish()
        self._check_links()

    def _check_record(self, record: Record) -> None:
        _check_place(record.where, record.offset, self._sizes)
        side = self._archives.get(record.where)
        if side is not None:
            member = _expect_entry(side, record)
            if record.kind == tar.HARD_LINK:
                self._links.add(member.link)
        elif record.kind == tar.HARD_LINK:
            raise VerifyError(f"'{_shown(record.path)}' is a link that an older set is to hold")
        self._check_blocks(record)

    def _check_blocks(self, record: Record) -> None:
        end = 0
        for block in record.blocks:
            _check_place(block.where, block.offset, self._sizes, length=block.length)
            if block.begin < end or block.begin + block.length > record.size:
                raise VerifyError(f"'{_shown(record.path)}' has blocks that do not fit into it")
            end = block.begin + block.length
            patches = self._archives.get(block.where) if block.where[:1] == b"p" else None
            if patches is not None:
                patches.expect_block(record.path, block)

    def _check_name(self, record: Record) -> None:
        path = record.path
        order = order_of(path)
        if self.count and order <= self._before:
            raise VerifyError(f"the index has '{_shown(path)}' twice, or out of order")
        self._before = order
        if path.startswith(self._no_folder):
            raise VerifyError(f"'{_shown(path)}' lies in something that is no folder")
        if record.kind != tar.FOLDER:
            self._no_folder = path + b"/"
        if path != b".":
            split(path)

    def _check_links(self) -> None:
        """Every second name of a file has its first one, as a file."""
        if not self._links:
            return
        for record in IndexReader(self._path[-1].blocks(INDEX)):
            if record.kind == tar.REGULAR:
                self._links.discard(record.path)
        if self._links:
            name = _shown(min(self._links))
            raise VerifyError(f"a link leads to '{name}', which is not in the set as a file")


def _expect_entry(side: _Side, record: Record) -> Member:
    name = record.path
    if record.where[:1] == b"p":
        name += b"/size=%d" % record.size
    member = side.expect(record.offset, name)
    if member.kind != (tar.REGULAR if record.kind == UNREAD else record.kind):
        raise VerifyError(f"'{_shown(record.path)}' is of another kind than its index says")
    if member.kind == tar.REGULAR and record.where[:1] == b"f":
        size = side.size_of(member)
        if size != record.size:
            raise VerifyError(f"'{_shown(record.path)}' has another size than its index says")
    return member


def _sizes(path: Sequence[SetReader]) -> dict[bytes, int]:
    return {
        letter + b"%d" % link: _size(each.manifest, stream)
        for link, each in enumerate(path)
        for letter, stream in ((b"f", ARCHIVE), (b"p", PATCHES))
    }


def _check_place(
    where: bytes, offset: int, sizes: dict[bytes, int], *, length: int = tar.BLOCK
) -> None:
    if not 0 <= offset <= offset + length <= sizes.get(where, 0):
        raise VerifyError(f"the index names a place that is not in the chain: {where!r} {offset}")


def _size(manifest: Manifest, stream: str) -> int:
    return sum(piece.raw_size for piece in manifest.pieces_of(stream))


def _lines(last: SetReader) -> Iterator[list[bytes]]:
    for line in lines_of(last.blocks(INDEX)):
        if line[:1] not in b"+-" + UNREAD:
            yield line.split(b" ", 10)


def _stat(base: int, name: bytes) -> os.stat_result:
    try:
        return os.stat(name, dir_fd=base, follow_symlinks=False)
    except OSError as error:
        raise VerifyError(f"'{_shown(name)}' did not come back") from error


def _check_entry(name: bytes, kind: bytes, size: int, found: os.stat_result) -> None:
    expected = tar.REGULAR if kind == tar.HARD_LINK else kind
    if _FORMATS.get(stat.S_IFMT(found.st_mode)) != expected:
        raise VerifyError(f"'{_shown(name)}' came back as something else")
    if kind == tar.REGULAR and found.st_size != size:
        raise VerifyError(
            f"'{_shown(name)}' came back with {found.st_size} bytes instead of {size}"
        )


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
