"""Stores one large file: whole and with its blocks fingerprinted, or only what changed of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

from airflow_backup.engines import tar_writer as tar
from airflow_backup.engines.file_reader import (
    Segments,
    chunks,
    data_segments,
    is_changed,
    sparse_map,
)
from airflow_backup.engines.files_blocks import BlockLines, Compared, compared
from airflow_backup.engines.files_index import Block
from airflow_backup.engines.files_output import Attributes, FilesOutput, shown


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
        """Where it has data."""
        return [(0, self.found.st_size)] if self.holes is None else self.holes

    def is_changed(self) -> bool:
        """Whether somebody wrote to it since it was opened."""
        return is_changed(self.found, os.fstat(self.descriptor))


def store_whole(file: LargeFile, output: FilesOutput) -> None:
    """Add the file as a member, sparse where it has holes."""
    archive, size = output.archive, file.found.st_size
    output.line(b"0", output.whole, archive.position, file.path, file.found, size)
    stored = _begin_member(file, output)
    blocks = BlockLines(output.index, output.whole)
    for begin, length in file.segments:
        blocks.segment(begin, archive.position)
        for data in chunks(file.descriptor, begin, length, first=archive.room):
            blocks.add(data)
            archive.write(data)
            output.read(len(data))
    blocks.finish()
    archive.write(tar.padding(stored))
    output.stored += 1
    _finish(file, output)


def store_changes(file: LargeFile, output: FilesOutput, earlier: Iterator[Block]) -> None:
    """
    Add what changed since the parent to the patches: attributes, then each changed block.

    ``PATH/size=N`` carries the attributes, ``PATH/BEGIN`` a block, so that the patches unpack
    with tar into a folder for each file, and never over the file itself.
    """
    patches = output.patches
    assert patches is not None
    name = b"%b/size=%d" % (file.path, file.found.st_size)
    size = file.found.st_size
    output.line(b"0", output.patch, patches.position, file.path, file.found, size)
    patches.write(
        output.headers.member(name, file.found, kind=b"0", size=0, extended=file.extended)
    )
    with closing(compared(file.descriptor, file.segments, earlier)) as blocks:
        for each in blocks:
            output.block(_stored(each, file, output))
            output.read(each.block.length)
    output.stored += 1
    _finish(file, output)


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
    archive, headers = output.archive, output.headers
    if file.holes is None:
        size = file.found.st_size
        archive.write(
            headers.member(file.path, file.found, kind=b"0", size=size, extended=file.extended)
        )
        return size
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
    archive.write(table)
    return stored


def _finish(file: LargeFile, output: FilesOutput) -> None:
    if file.is_changed():
        output.note(f"'{shown(file.path)}' changed while it was read")
