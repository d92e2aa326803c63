"""Stores one large file: whole and with its blocks fingerprinted, or only what changed of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

from airflow_backup.engines.files.blocks import BlockLines, Compared, compared
from airflow_backup.engines.files.index import Block
from airflow_backup.engines.files.output import Attributes, FilesOutput, Held
from airflow_backup.engines.files.places import data_record
from airflow_backup.engines.files.source.reader import (
    CHUNK,
    Segments,
    chunks,
    data_segments,
    is_changed,
    sparse_map,
)
from airflow_backup.engines.files.tar import writer as tar


class LargeFile:
    """An open file on its way into a set."""

    def __init__(
        self,
        path: bytes,
        descriptor: int,
        found: os.stat_result,
        extended: Attributes | None,
    ) -> None:
        self.path, self.descriptor, self.found = path, descriptor, found
        self.extended = extended
        is_sparse = found.st_blocks * 512 < found.st_size
        self.holes = data_segments(descriptor, found.st_size) if is_sparse else None

    @property
    def segments(self) -> Segments:
        """The ranges of the file that hold data, as (offset, length) in bytes; the rest are holes."""
        return [(0, self.found.st_size)] if self.holes is None else self.holes

    def is_changed(self) -> bool:
        """Whether somebody wrote to it since it was opened."""
        return is_changed(self.found, os.fstat(self.descriptor))


def store_whole(file: LargeFile, output: FilesOutput) -> bool:
    """Add the file as a member, sparse where it has holes; False when it could not be read whole."""
    archive, offset = output.archive, output.archive.position
    end = _begin_member(file, output)
    held = Held()
    blocks = BlockLines(held, output.whole)
    try:
        is_cut = _copy(file, output, blocks)
    except OSError as error:
        # Its header is out, and says how long it is: whatever comes next must lie behind that.
        output.fill(end)
        size = file.found.st_size
        output.unreadable(file.path, error, where=output.whole, offset=offset, size=size)
        return False
    blocks.finish()
    archive.write(bytes(end - archive.position))
    _add_lines(file, output, output.whole, offset, held)
    _finish(file, output, is_cut=is_cut)
    return True


def store_changes(file: LargeFile, output: FilesOutput, earlier: Iterator[Block]) -> bool:
    """
    Add what changed since the parent to the patches: attributes, then each changed block.

    ``PATH/size=N`` carries the attributes, ``PATH/BEGIN`` a block, so that the patches unpack
    with tar into a folder for each file, and never over the file itself. False when the file
    could not be read whole; the blocks that were stored by then belong to nothing.
    """
    patches = output.patches
    assert patches is not None
    offset = patches.position
    name = b"%b/size=%d" % (file.path, file.found.st_size)
    data = data_record(sum(length for _, length in file.segments))
    extended = {**data, **(file.extended or {})}
    patches.write(output.headers.member(name, file.found, kind=b"0", size=0, extended=extended))
    held = Held()
    is_cut = False
    try:
        with closing(compared(file.descriptor, file.segments, earlier)) as blocks:
            for each in blocks:
                is_cut |= each.is_cut
                held.write(_stored(each, file, output).line() + b"\n")
                output.read(each.block.length)
    except OSError as error:
        size = file.found.st_size
        output.unreadable(file.path, error, where=output.patch, offset=offset, size=size)
        for line in held.lines:
            output.index.write(line)
        return False
    _add_lines(file, output, output.patch, offset, held)
    _finish(file, output, is_cut=is_cut)
    return True


def _copy(file: LargeFile, output: FilesOutput, blocks: BlockLines) -> bool:
    """Copy the file's data; return whether it was cut meanwhile, and filled up with zeros."""
    archive = output.archive
    is_cut = False
    for begin, length in file.segments:
        blocks.segment(begin, archive.position)
        left = length
        for data in chunks(file.descriptor, begin, length, first=archive.room):
            blocks.add(data)
            archive.write(data)
            output.read(len(data))
            left -= len(data)
        is_cut |= left > 0
        while left:
            zeros = bytes(min(left, CHUNK))
            blocks.add(zeros)
            archive.write(zeros)
            left -= len(zeros)
    return is_cut


def _add_lines(file: LargeFile, output: FilesOutput, where: bytes, offset: int, held: Held) -> None:
    size = file.found.st_size
    output.line(b"0", where, offset, file.path, file.found, size)
    for line in held.lines:
        output.index.write(line)
    output.stored += 1


def _stored(each: Compared, file: LargeFile, output: FilesOutput) -> Block:
    if each.content is None:
        return each.block
    patches = output.patches
    assert patches is not None
    name = b"%b/%d" % (file.path, each.block.begin)
    header = output.headers.member(name, file.found, kind=b"0", size=len(each.content))
    patches.write(header)
    block = each.block._replace(where=output.patch, offset=patches.position)
    patches.write(each.content)
    patches.write(tar.padding(len(each.content)))
    return block


def _begin_member(file: LargeFile, output: FilesOutput) -> int:
    """Write the headers; return where the member ends, its last block filled."""
    archive, headers = output.archive, output.headers
    if file.holes is None:
        size = file.found.st_size
        archive.write(
            headers.member(file.path, file.found, kind=b"0", size=size, extended=file.extended)
        )
        return archive.position + size + len(tar.padding(size))
    table = sparse_map(file.holes)
    table += tar.padding(len(table))
    stored = len(table) + sum(length for _, length in file.holes)
    records = {
        b"GNU.sparse.major": b"1",
        b"GNU.sparse.minor": b"0",
        b"GNU.sparse.name": file.path,
        b"GNU.sparse.realsize": b"%d" % file.found.st_size,
        **(file.extended or {}),
    }
    archive.write(headers.member(file.path, file.found, kind=b"0", size=stored, extended=records))
    end = archive.position + stored + len(tar.padding(stored))
    archive.write(table)
    return end


def _finish(file: LargeFile, output: FilesOutput, *, is_cut: bool) -> None:
    if is_cut:
        output.torn(file.path, "was cut while it was read, and ends in zeros")
    elif file.is_changed():
        output.torn(file.path)
