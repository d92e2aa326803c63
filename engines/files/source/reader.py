"""Reads one file of a tree: its content at one moment, its holes, its extended attributes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from airflow_backup.engines.files.tar.writer import attribute_key

CHUNK = 1024 * 1024
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NO_ATTRIBUTES = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM, errno.EACCES)

Segments = list[tuple[int, int]]
"""Where a sparse file has data: pairs of offset and length, in order."""


def is_changed(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether a file was written to between two looks at it."""
    return before.st_mtime_ns != after.st_mtime_ns or before.st_size != after.st_size


def knows_attributes() -> bool:
    """Whether extended attributes can be read on this system; a backup without them would lose them unseen."""
    return hasattr(os, "listxattr")


def attributes(descriptor: int) -> dict[bytes, bytes] | None:
    """Return the extended attributes, ACLs among them, as pax records; mostly there are none."""
    try:
        names = os.listxattr(descriptor)
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return None
        raise
    if not names:
        return None
    return {attribute_key(os.fsencode(name)): os.getxattr(descriptor, name) for name in names}


def data_segments(descriptor: int, size: int) -> Segments | None:
    """
    Return where a file has data, ending with an empty segment at ``size``; None when unknown.

    A hole may be reported as data, never the other way round. Nothing behind ``size`` counts: a file may have
    grown since, or have been cut, and then the rest of it is hole.
    """
    segments: Segments = []
    at = 0
    try:
        while at < size:
            begin = _seek(descriptor, at, os.SEEK_DATA)
            end = None if begin is None else _seek(descriptor, begin, os.SEEK_HOLE)
            if begin is None or end is None or begin >= size:
                break
            at = end
            segments.append((begin, min(at, size) - begin))
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
            return None
        raise
    return [*segments, (size, 0)]


def _seek(descriptor: int, at: int, what: int) -> int | None:
    try:
        return os.lseek(descriptor, at, what)
    except OSError as error:
        if error.errno == errno.ENXIO:  # behind the last data, or behind the end
            return None
        raise


def sparse_map(segments: Segments) -> bytes:
    r"""
    Return the map that GNU's sparse format 1.0 puts before the data, not yet padded.

    >>> sparse_map([(4096, 10), (8192, 0)])
    b'2\n4096\n10\n8192\n0\n'
    """
    numbers = [len(segments), *(number for segment in segments for number in segment)]
    return b"".join(b"%d\n" % number for number in numbers)


def whole(descriptor: int, size: int) -> bytes:
    """
    Read a small file: ``size`` bytes and, when it has grown, one more; fewer when it was cut.

    One read may give less than there is (network file systems, FUSE), so only nothing is the end.
    """
    data = os.read(descriptor, size + 1)
    while len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
        data += more
    return data


def chunks(descriptor: int, begin: int, size: int, *, first: int) -> Iterator[bytes]:
    """
    Yield ``size`` bytes from ``begin``, the first chunk of at most ``first`` bytes.

    It ends early where the file was cut meanwhile, and raises OSError where it cannot be read.
    """
    os.lseek(descriptor, begin, os.SEEK_SET)
    wanted = min(first, size)
    while size and (data := os.read(descriptor, wanted)):
        yield data
        size -= len(data)
        wanted = min(CHUNK, size)
