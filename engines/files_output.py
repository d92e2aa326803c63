"""Where a dump of files goes: archive, index and patches, the figures, the warnings, the progress."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import time
from collections.abc import Mapping
from functools import cache

from airflow_backup.core.errors import SourceError
from airflow_backup.core.progress import Reporter
from airflow_backup.engines import tar_writer as tar
from airflow_backup.engines.files_index import Block, facts
from airflow_backup.engines.protocol import Stream

TELL_EVERY = 4 * 1024 * 1024
_MAX_WARNINGS = 1000
_BUNDLE = 512

Attributes = Mapping[bytes, bytes]


class Lines:
    """Hands lines on in bundles: a stream's own write costs more than a line is worth."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._held: list[bytes] = []

    def write(self, line: bytes, /) -> None:
        """Add a line with its end."""
        self._held.append(line)
        if len(self._held) >= _BUNDLE:
            self.flush()

    def flush(self) -> None:
        """Hand over what is held."""
        self._stream.write(b"".join(self._held))
        self._held.clear()


class FilesOutput:
    """
    The streams of one set of files. ``link`` counts the sets below it: 0 for a full set.

    ``patches`` takes the changed blocks of large files; a full set has none.
    """

    def __init__(
        self,
        archive: Stream,
        index: Stream,
        reporter: Reporter,
        *,
        link: int = 0,
        patches: Stream | None = None,
    ) -> None:
        self.archive, self.index, self.patches = archive, Lines(index), patches
        self.whole, self.patch = b"f%d" % link, b"p%d" % link
        self.headers = tar.TarHeaders(owner=_user_name, group=_group_name)
        self.files = self.bytes_read = self.bytes_whole = 0
        self.stored = self.removed = self.unread = 0
        self.warnings: list[str] = []
        self._reporter = reporter
        self._untold_bytes = self._untold_files = 0

    def member(
        self,
        path: bytes,
        found: os.stat_result,
        kind: bytes,
        *,
        link: bytes = b"",
        extended: Attributes | None = None,
    ) -> None:
        """Add a member without content, and its line."""
        offset = self.archive.position
        self.archive.write(
            self.headers.member(path, found, kind=kind, link=link, extended=extended)
        )
        self.line(kind, self.whole, offset, path, found)
        self.stored += 1

    def line(
        self,
        kind: bytes,
        where: bytes,
        offset: int,
        path: bytes,
        found: os.stat_result,
        size: int = 0,
    ) -> None:
        """Add the line of an entry that is new or changed."""
        tail = facts(found, path, size, now=time.time_ns())
        self.index.write(b"%b %b %d%b\n" % (kind, where, offset, tail))

    def block(self, block: Block) -> None:
        """Add the line of a block to the entry before it."""
        self.index.write(block.line() + b"\n")

    def read(self, size: int) -> None:
        """Count bytes that were read, and report now and then; may raise Cancelled."""
        self.bytes_read += size
        self._untold_bytes += size
        if self._untold_bytes >= TELL_EVERY:
            self.tell()

    def entry(self, size: int) -> None:
        """Count an entry of the tree, whether it was read or not."""
        self.files += 1
        self.bytes_whole += size
        self._untold_files += 1
        if self._untold_files >= 1000:
            self.tell()

    def finish(self) -> None:
        """Hand over what is left, and report it."""
        self.index.flush()
        self.tell()

    def tell(self) -> None:
        """Report progress; may raise Cancelled."""
        done, self._untold_bytes = self._untold_bytes, 0
        files, self._untold_files = self._untold_files, 0
        self._reporter.advance(bytes_done=done, files_done=files)

    def warn(self, path: bytes, error: OSError) -> None:
        """Record that something could not be read; it is missing from the set."""
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise SourceError(
                f"the tree is too deep at '{os.fsdecode(path)}': too many open folders",
                hint="raise the limit of open files: ulimit -n 65536",
            ) from error
        self.unread += 1
        vanished = error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO)
        why = "vanished while it was read" if vanished else (error.strerror or str(error)).lower()
        self.note(f"left out '{shown(path)}': {why}")

    def note(self, warning: str) -> None:
        """Record a warning; there is an end to the list."""
        if len(self.warnings) < _MAX_WARNINGS:
            self.warnings.append(warning)
        elif len(self.warnings) == _MAX_WARNINGS:
            self.warnings.append(f"more than {_MAX_WARNINGS} warnings; the rest is not listed")


def shown(path: bytes) -> str:
    """Return a path for people."""
    return path.decode("utf-8", "backslashreplace")


@cache
def _user_name(uid: int) -> bytes:
    try:
        return os.fsencode(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return b""


@cache
def _group_name(gid: int) -> bytes:
    try:
        return os.fsencode(grp.getgrgid(gid).gr_name)
    except KeyError:
        return b""
