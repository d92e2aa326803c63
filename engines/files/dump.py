"""One pass over a file tree: what is new or changed is stored, and all of it is in the index."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from airflow_backup.core.format.checksums import frame_checksum
from airflow_backup.engines.files.index import Block, ParentIndex, escaped, facts, is_tail
from airflow_backup.engines.files.large import LargeFile, store_changes, store_whole
from airflow_backup.engines.files.output import FilesOutput
from airflow_backup.engines.files.places import data_record
from airflow_backup.engines.files.source.reader import (
    CHUNK,
    FILE_FLAGS,
    attributes,
    is_changed,
    whole,
)
from airflow_backup.engines.files.source.walk import Entry, is_gone
from airflow_backup.engines.files.tar import writer as tar

_KINDS = {
    stat.S_IFLNK: tar.SYMLINK,
    stat.S_IFIFO: tar.FIFO,
    stat.S_IFCHR: tar.CHARACTER_DEVICE,
    stat.S_IFBLK: tar.BLOCK_DEVICE,
}


FolderAttributes = Mapping[bytes, bytes] | OSError | None


class _Known(NamedTuple):
    """What the parent's index says of a small file: its line, and its block when it has one."""

    line: bytes
    block: Block | None


_UNKNOWN = _Known(b"", None)


class FilesDump:
    """
    Takes the entries of a walk, in order.

    ``parent_index`` is the parent's index: an entry with the same size, times, inode, mode and owner is
    not read, and its line is copied. ``by_content`` reads it all the same.
    """

    def __init__(
        self, output: FilesOutput, *, parent_index: Iterator[bytes] | None, by_content: bool = False
    ) -> None:
        self.output = output
        self._parent_index = (
            None if parent_index is None else ParentIndex(parent_index, self._removed)
        )
        self._by_content = by_content
        self._links: dict[tuple[int, int], bytes] = {}

    def add(self, entry: Entry) -> None:
        """Add whatever the entry is; what cannot be read is told to the output, which judges it."""
        self.output.now = time.time_ns()
        try:
            if entry.is_file:
                self._add_file(entry)
            elif entry.is_folder:
                self.add_folder(entry.path, os.fstat(entry.parent), entry.parent)
            else:
                self._add_other(entry)
        except OSError as error:
            self.cannot_read(
                entry.path, error, is_gone=is_gone(entry.name, entry.parent, entry.kind)
            )

    def cannot_read(self, path: bytes, error: OSError, *, is_gone: bool) -> None:
        """
        Note what could not be opened, entered or read, and with a folder all below it.

        ``is_gone``: another look shows nothing of that name, or something of another kind. Only then it vanished: an
        error alone may say so of what is there, such as a name that the system lists and does not take.
        """
        if is_gone:
            self.output.vanished(path)
            return
        if self._parent_index is not None:
            self._parent_index.drop_tree(path)  # it was not removed
        self.output.unreadable(path, error)

    def add_folder(
        self, path: bytes, found: os.stat_result, extended: FolderAttributes | int
    ) -> None:
        """Add a folder; ``extended`` are its attributes, the descriptor that has them, or why there are none."""
        if not self._keeps(tar.FOLDER, path, found):
            if isinstance(extended, int):
                extended = attributes_or_error(extended)
            if isinstance(extended, OSError):  # what lies in it may be readable all the same
                self.output.without_attributes(path, extended)
                extended, self.output.now = None, found.st_ctime_ns  # the next set looks again
            self._drop(path)
            self.output.member(path, found, tar.FOLDER, extended=extended)
        self.output.entry(0)

    def finish(self) -> None:
        """Note what is left of the parent as removed."""
        if self._parent_index is not None:
            self._parent_index.finish()
        self.output.finish()

    def _add_file(self, entry: Entry) -> None:
        if self._parent_index is not None and not self._by_content and self._is_kept(entry):
            return
        descriptor = os.open(entry.name, FILE_FLAGS, dir_fd=entry.parent)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.ENOENT, "replaced")
            if found.st_nlink > 1 and self._add_link(entry.path, found):
                return
            extended = attributes(descriptor)
            if self._parent_index is None and found.st_size < CHUNK:
                self._store_small(entry.path, descriptor, found, extended, _UNKNOWN)
            elif not self._store(entry.path, descriptor, found, extended):
                return
            if found.st_nlink > 1:
                self._links[found.st_dev, found.st_ino] = entry.path
            self.output.entry(found.st_size)
        finally:
            os.close(descriptor)

    def _is_kept(self, entry: Entry) -> bool:
        found = os.stat(entry.name, dir_fd=entry.parent, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            return False
        if found.st_nlink > 1:
            # A second name refers to the first one: what it refers to must be told anew.
            identity = (found.st_dev, found.st_ino)
            if self._links.get(identity, entry.path) != entry.path:
                return False
        if not self._keeps(tar.REGULAR, entry.path, found):
            return False
        if found.st_nlink > 1:
            self._links[found.st_dev, found.st_ino] = entry.path
        self.output.entry(found.st_size)
        return True

    def _store(
        self,
        path: bytes,
        descriptor: int,
        found: os.stat_result,
        extended: Mapping[bytes, bytes] | None,
    ) -> bool:
        line, blocks = self._find(path)
        first = next(blocks, None)
        try:
            if found.st_size < CHUNK:
                self._store_small(path, descriptor, found, extended, _Known(line, first))
                return True
            file = LargeFile(path, descriptor, found, extended)
            if first is None:
                return store_whole(file, self.output)
            return store_changes(file, self.output, chain([first], blocks))
        finally:
            for _ in blocks:
                pass

    def _store_small(
        self,
        path: bytes,
        descriptor: int,
        found: os.stat_result,
        extended: Mapping[bytes, bytes] | None,
        known: _Known,
    ) -> None:
        size = found.st_size
        data = whole(descriptor, size) if size else b""
        if len(data) != size or is_changed(found, os.fstat(descriptor)):
            self.output.torn(path)
            data = data[:size]
            size = len(data)
        output, archive = self.output, self.output.archive
        output.read(size)
        checksum = frame_checksum(data).encode() if self._by_content else b""
        if self._by_content and known.block is not None and known.block.checksum == checksum:
            self._store_facts(path, found, extended, known.line, known.block)
            return
        offset = archive.position
        archive.write(output.headers.member(path, found, kind=b"0", size=size, extended=extended))
        content_at = archive.position
        archive.write(data)
        archive.write(tar.padding(size))
        output.line(b"0", output.whole, offset, path, found, size)
        if self._by_content:
            output.block(Block(0, size, output.whole, content_at, checksum))
        output.stored += 1

    def _store_facts(
        self,
        path: bytes,
        found: os.stat_result,
        extended: Mapping[bytes, bytes] | None,
        line: bytes,
        known: Block,
    ) -> None:
        output = self.output
        if is_tail(line, facts(found, path, size=known.length, now=None)):
            output.index.write(line + b"\n")
            output.block(known)
            return
        assert output.patches is not None
        offset = output.patches.position
        name = b"%b/size=%d" % (path, known.length)
        extended = {**data_record(known.length), **(extended or {})}
        output.patches.write(
            output.headers.member(name, found, kind=b"0", size=0, extended=extended)
        )
        output.line(b"0", output.patch, offset, path, found, known.length)
        output.block(known)

    def _add_link(self, path: bytes, found: os.stat_result) -> bool:
        first = self._links.get((found.st_dev, found.st_ino))
        if first is None:  # or it could not be read: a link to it would lead nowhere
            return False
        self._drop(path)
        self.output.member(path, found, tar.HARD_LINK, link=first)
        self.output.entry(0)
        return True

    def _add_other(self, entry: Entry) -> None:
        found = os.stat(entry.name, dir_fd=entry.parent, follow_symlinks=False)
        kind = _KINDS.get(stat.S_IFMT(found.st_mode))
        if kind is None:
            if not stat.S_ISSOCK(found.st_mode):
                raise OSError(errno.ENOENT, "replaced")
            return  # a socket belongs to the process that listens; tar leaves them out too
        if not self._keeps(kind, entry.path, found):
            link = b""
            if kind == tar.SYMLINK:
                link = os.readlink(entry.name, dir_fd=entry.parent)
            self._drop(entry.path)
            self.output.member(entry.path, found, kind, link=link)
        self.output.entry(0)

    def _keeps(self, kind: bytes, path: bytes, found: os.stat_result) -> bool:
        """Copy the parent's lines of an entry that did not change."""
        parent_index = self._parent_index
        if parent_index is None:
            return False
        size = found.st_size if kind == tar.REGULAR else 0
        tail = facts(found, path, size=size, now=None)
        if not parent_index.is_unchanged(kind, tail) and not (
            parent_index.seek(path) and parent_index.is_unchanged(kind, tail)
        ):
            return False
        parent_index.keep(self.output.index.write)
        return True

    def _find(self, path: bytes) -> tuple[bytes, Iterator[Block]]:
        if self._parent_index is None or not self._parent_index.seek(path):
            return b"", iter(())
        return self._parent_index.take()

    def _drop(self, path: bytes) -> None:
        for _ in self._find(path)[1]:
            pass

    def _removed(self, path: bytes) -> None:
        self.output.index.write(b"- %b\n" % escaped(path))
        self.output.removed += 1


def attributes_or_error(folder: int) -> FolderAttributes:
    """Return the extended attributes of a folder, or why they cannot be read: that may not matter."""
    try:
        return attributes(folder)
    except OSError as error:
        return error
