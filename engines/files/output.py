"""Where a dump of files goes: archive, index and patches, the figures, the warnings, the progress."""

from __future__ import annotations

import errno
import grp
import os
import pwd
from collections.abc import Mapping
from functools import cache

from airflow_backup.core.errors import EngineError, SourceDenied, SourceError, SourceUnavailable
from airflow_backup.core.progress import Reporter
from airflow_backup.core.text.names import shown
from airflow_backup.engines.files.index import Block, escaped, facts
from airflow_backup.engines.files.tar import writer as tar
from airflow_backup.engines.protocol import Stream

TELL_EVERY = 4 * 1024 * 1024
_MAX_WARNINGS = 1000
_BUNDLE = 512

Attributes = Mapping[bytes, bytes]


class Lines:
    """Gives lines on in bundles: a stream's own write costs more than a line is worth."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._held: list[bytes] = []

    def write(self, line: bytes, /) -> None:
        """Add a line with its end."""
        self._held.append(line)
        if len(self._held) >= _BUNDLE:
            self.flush()

    def flush(self) -> None:
        """Write the lines that are still held."""
        self._stream.write(b"".join(self._held))
        self._held.clear()


class Held:
    """Holds the lines of one entry until all of it was read: only then they are true."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.write = self.lines.append


class FilesOutput:
    """
    The streams of one set of files. ``link`` counts the sets below it: 0 for a full set.

    ``patches`` takes the changed blocks of large files; a full set has none. ``most_unread`` is how
    many entries may be unreadable before the dump fails at once; None when it never does.
    """

    def __init__(
        self,
        archive: Stream,
        index: Stream,
        reporter: Reporter,
        *,
        link: int = 0,
        patches: Stream | None = None,
        most_unread: int | None = None,
    ) -> None:
        self.archive, self.index, self.patches = archive, Lines(index), patches
        self.whole, self.patch = b"f%d" % link, b"p%d" % link
        self.headers = tar.TarHeaders(owner=_user_name, group=_group_name)
        self.files = self.bytes_read = self.bytes_whole = 0
        self.stored = self.removed = self.unread = self.changed = 0
        self.warnings: list[str] = []
        self.now = 0
        """When the current entry was looked at, in nanoseconds: taken before its times are read."""

        self.failed: SourceError | None = None
        """The first entry that could not be read."""

        self._most_unread = most_unread
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
        """
        Add the line of an entry that is new or changed.

        Its times are doubted when it was looked at, `now`, within the tick of the clock in which they were
        made: a later write in that tick would leave them as they are. EngineError when it does not begin at a block:
        then what came before it is not what its header announced, and nothing behind it could be read back.
        """
        if offset % tar.BLOCK:
            raise EngineError(
                f"the archive is out of step at '{shown(path)}', and would not unpack",
                hint="please report this",
            )
        tail = facts(found, path, size, now=self.now)
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
        """Hand over what is left, and report it; SourceError when something could not be read."""
        self.index.flush()
        self.tell()
        if self.failed is not None and self._most_unread is not None:
            raise self._too_many()

    def fill(self, end: int) -> None:
        """Fill the archive with zeros up to ``end``, which a header has announced."""
        while (left := end - self.archive.position) > 0:
            self.archive.write(bytes(min(left, TELL_EVERY)))

    def tell(self) -> None:
        """Report progress; may raise Cancelled."""
        done, self._untold_bytes = self._untold_bytes, 0
        files, self._untold_files = self._untold_files, 0
        self._reporter.advance(bytes_done=done, files_done=files)

    def unreadable(
        self, path: bytes, error: OSError, *, where: bytes = b"-", offset: int = 0, size: int = 0
    ) -> None:
        """
        Record that something is there and could not be read; it is missing from the set.

        ``where`` and ``offset`` tell where its unfinished member lies, ``size`` what it announced.
        """
        place = (where, offset, size, escaped(path))
        self.index.write(b"! %b %d %d 0 0 0 0 0 0 %b\n" % place)
        self._left_out(path, f"'{shown(path)}'", error)

    def without_attributes(self, path: bytes, error: OSError) -> None:
        """Record that the extended attributes of a folder could not be read; it is stored without them."""
        self._left_out(path, f"the attributes of '{shown(path)}'", error)

    def _left_out(self, path: bytes, what: str, error: OSError) -> None:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise SourceError(
                f"the tree is too deep at '{shown(path)}': too many open folders",
                hint="raise the limit of open files: ulimit -n 65536",
            ) from error
        self.unread += 1
        why = (error.strerror or str(error)).lower()
        self.note(f"left out {what}: {why}")
        if self.failed is None:
            denied = error.errno in (errno.EACCES, errno.EPERM)
            kind = SourceDenied if denied else SourceUnavailable
            self.failed = kind(f"cannot read {what}: {why}")
            self.failed.__cause__ = error
        if self._most_unread is not None and self.unread >= self._most_unread:
            raise self._too_many()

    def vanished(self, path: bytes) -> None:
        """Record that something was removed or replaced between two looks: it is not there any more."""
        self.note(f"'{shown(path)}' vanished while the tree was read")

    def torn(self, path: bytes, what: str = "changed while it was read") -> None:
        """Record that somebody wrote to a file while it was read; what is stored is a mixture."""
        self.changed += 1
        self.note(f"'{shown(path)}' {what}")

    def _too_many(self) -> SourceError:
        assert self.failed is not None
        others = f", and {self.unread - 1} more" if self.unread > 1 else ""
        error = type(self.failed)(
            f"{self.failed.message}{others}",
            hint="mend it, `exclude` it, or write `on_unreadable: warn` to leave such files out",
        )
        error.__cause__ = self.failed.__cause__
        return error

    def note(self, warning: str) -> None:
        """Record a warning; there is an end to the list."""
        if len(self.warnings) < _MAX_WARNINGS:
            self.warnings.append(warning)
        elif len(self.warnings) == _MAX_WARNINGS:
            self.warnings.append(f"more than {_MAX_WARNINGS} warnings; the rest is not listed")


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
