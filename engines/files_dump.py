"""One pass over a file tree into two streams: a tar archive, and an index of its members."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Mapping
from functools import cache

from airflow_backup.core.errors import SourceError
from airflow_backup.core.progress import Reporter
from airflow_backup.engines import tar_writer as tar
from airflow_backup.engines.file_reader import (
    CHUNK,
    FILE_FLAGS,
    attributes,
    chunks,
    data_segments,
    is_changed,
    sparse_map,
)
from airflow_backup.engines.protocol import Stream
from airflow_backup.engines.walk import Entry

_TELL_EVERY = 4 * 1024 * 1024
_MAX_WARNINGS = 1000
_KINDS = {
    stat.S_IFLNK: tar.SYMLINK,
    stat.S_IFIFO: tar.FIFO,
    stat.S_IFCHR: tar.CHARACTER_DEVICE,
    stat.S_IFBLK: tar.BLOCK_DEVICE,
}


class FilesDump:
    """
    Writes entries of a walk as members of ``archive`` and as lines of ``index``.

    A line of the index is ``KIND OFFSET SIZE MTIME CTIME INODE DEVICE MODE UID GID PATH``: the
    tar type, where the member's first header lies in the archive, bytes, nanoseconds, numbers
    in decimal but the mode in octal, and the path with ``\\`` and newline escaped.
    """

    def __init__(self, archive: Stream, index: Stream, reporter: Reporter) -> None:
        self.files = 0
        self.bytes_read = 0
        self.warnings: list[str] = []
        self.unread = 0
        self._archive, self._index, self._reporter = archive, index, reporter
        self._headers = tar.TarHeaders(owner=_user_name, group=_group_name)
        self._links: dict[tuple[int, int], bytes] = {}
        self._untold_bytes = self._untold_files = 0

    def add(self, entry: Entry) -> None:
        """Add whatever the entry is; what cannot be read is a warning."""
        try:
            if entry.is_file:
                self._add_file(entry)
            elif entry.is_folder:
                self.add_folder(entry.path, os.fstat(entry.parent), attributes(entry.parent))
            else:
                self._add_other(entry)
        except OSError as error:
            self.warn(entry.path, error)
            return
        self._untold_files += 1
        if self._untold_bytes >= _TELL_EVERY or self._untold_files >= 1000:
            self.tell()

    def add_folder(
        self, path: bytes, found: os.stat_result, extended: Mapping[bytes, bytes]
    ) -> None:
        """Add a folder that was looked at before."""
        self._member(path, found, tar.FOLDER, extended=extended or None)

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
        self._note(f"left out '{_shown(path)}': {why}")

    def tell(self) -> None:
        """Report progress; may raise Cancelled."""
        done, self._untold_bytes = self._untold_bytes, 0
        files, self._untold_files = self._untold_files, 0
        self._reporter.advance(bytes_done=done, files_done=files)

    def _add_file(self, entry: Entry) -> None:
        descriptor = os.open(entry.name, FILE_FLAGS, dir_fd=entry.parent)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.ENOENT, "replaced")
            extended = attributes(descriptor) or None
            if found.st_nlink > 1 and self._add_link(entry.path, found):
                return
            if found.st_size < CHUNK:
                self._add_small(entry.path, descriptor, found, extended)
            else:
                self._add_large(entry.path, descriptor, found, extended)
        finally:
            os.close(descriptor)

    def _add_small(
        self,
        path: bytes,
        descriptor: int,
        found: os.stat_result,
        extended: Mapping[bytes, bytes] | None,
    ) -> None:
        # One byte more than expected tells growth without a further call.
        data = os.read(descriptor, found.st_size + 1) if found.st_size else b""
        if len(data) != found.st_size or is_changed(found, os.fstat(descriptor)):
            self._note(f"'{_shown(path)}' changed while it was read")
            data = data[: found.st_size]
        size = len(data)
        offset = self._archive.position
        header = self._headers.member(path, found, kind=b"0", size=size, extended=extended)
        self._archive.write(b"".join((header, data, tar.padding(size))))
        self._line(b"0", offset, path, found, size)
        self._count(size)

    def _add_large(
        self,
        path: bytes,
        descriptor: int,
        found: os.stat_result,
        extended: Mapping[bytes, bytes] | None,
    ) -> None:
        size = found.st_size
        offset = self._archive.position
        segments = data_segments(descriptor, size) if found.st_blocks * 512 < size else None
        if segments is None:
            header = self._headers.member(path, found, kind=b"0", size=size, extended=extended)
            self._archive.write(header)
            segments = [(0, size)]
            stored = size
        else:
            stored = self._begin_sparse(path, found, segments, extended or {})
        for begin, length in segments:
            for data in chunks(descriptor, begin, length, first=self._archive.room):
                self._archive.write(data)
                self._count(len(data), files=0)
                if self._untold_bytes >= _TELL_EVERY:
                    self.tell()
        self._archive.write(tar.padding(stored))
        if is_changed(found, os.fstat(descriptor)):
            self._note(f"'{_shown(path)}' changed while it was read")
        self._line(b"0", offset, path, found, size)
        self._count(0)

    def _begin_sparse(
        self,
        path: bytes,
        found: os.stat_result,
        segments: list[tuple[int, int]],
        extended: Mapping[bytes, bytes],
    ) -> int:
        table = sparse_map(segments)
        table += tar.padding(len(table))
        stored = len(table) + sum(length for _, length in segments)
        records = {
            b"GNU.sparse.major": b"1",
            b"GNU.sparse.minor": b"0",
            b"GNU.sparse.name": path,
            b"GNU.sparse.realsize": b"%d" % found.st_size,
            **extended,
        }
        self._archive.write(
            self._headers.member(path, found, kind=b"0", size=stored, extended=records)
        )
        self._archive.write(table)
        return stored

    def _add_link(self, path: bytes, found: os.stat_result) -> bool:
        identity = (found.st_dev, found.st_ino)
        first = self._links.setdefault(identity, path)
        if first is path:
            return False
        self._member(path, found, tar.HARD_LINK, link=first)
        return True

    def _add_other(self, entry: Entry) -> None:
        found = os.stat(entry.name, dir_fd=entry.parent, follow_symlinks=False)
        kind = _KINDS.get(stat.S_IFMT(found.st_mode))
        if kind is None:
            if not stat.S_ISSOCK(found.st_mode):
                raise OSError(errno.ENOENT, "replaced")
            return  # a socket belongs to the process that listens; tar leaves them out too
        link = b""
        if kind == tar.SYMLINK:
            link = os.fsencode(os.readlink(entry.name, dir_fd=entry.parent))
        self._member(entry.path, found, kind, link=link)

    def _member(
        self,
        path: bytes,
        found: os.stat_result,
        kind: bytes,
        *,
        link: bytes = b"",
        extended: Mapping[bytes, bytes] | None = None,
    ) -> None:
        offset = self._archive.position
        self._archive.write(
            self._headers.member(path, found, kind=kind, link=link, extended=extended)
        )
        self._line(kind, offset, path, found, 0)
        self._count(0)

    def _line(
        self, kind: bytes, offset: int, path: bytes, found: os.stat_result, size: int
    ) -> None:
        if b"\n" in path or b"\\" in path:
            path = path.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
        self._index.write(
            b"%b %d %d %d %d %d %d %o %d %d %b\n"
            % (
                kind,
                offset,
                size,
                found.st_mtime_ns,
                found.st_ctime_ns,
                found.st_ino,
                found.st_dev,
                stat.S_IMODE(found.st_mode),
                found.st_uid,
                found.st_gid,
                path,
            )
        )

    def _count(self, size: int, *, files: int = 1) -> None:
        self.files += files
        self.bytes_read += size
        self._untold_bytes += size

    def _note(self, warning: str) -> None:
        if len(self.warnings) < _MAX_WARNINGS:
            self.warnings.append(warning)
        elif len(self.warnings) == _MAX_WARNINGS:
            self.warnings.append(f"more than {_MAX_WARNINGS} warnings; the rest is not listed")


def _shown(path: bytes) -> str:
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
