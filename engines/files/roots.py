"""The folders that a schedule names, walked into a dump."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator, Sequence

from airflow_backup.core.errors import BackupError, EngineError, SourceDenied, SourceError
from airflow_backup.core.paths.patterns import Patterns
from airflow_backup.core.paths.roots import open_real, real_path
from airflow_backup.core.text.names import shown
from airflow_backup.engines.capabilities import Estimate
from airflow_backup.engines.files.dump import FilesDump, FolderAttributes, attributes_or_error
from airflow_backup.engines.files.index import order_of
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.files.source.roots import open_root
from airflow_backup.engines.files.source.walk import Entry, Walk
from airflow_backup.schedules.model.base import Model

_MOST_NAMED = 20
_LARGE = 65_536


def add_roots(
    options: FilesOptions, within: Sequence[str] | None, patterns: Patterns, dump: FilesDump
) -> None:
    prefixes = {os.fsencode(os.path.normpath(root).strip("/")): root for root in options.roots}
    if len(options.roots) == 1:
        prefixes = {b"": options.roots[0]}
    for prefix in sorted(prefixes, key=order_of):
        root = prefixes[prefix]
        descriptor = open_root(root, within, allow_empty=options.allow_empty)
        _add_root(root, descriptor, prefix, within, patterns, dump)
    dump.finish()


def estimate(
    options: FilesOptions, within: Sequence[str] | None, patterns: Patterns, *, seconds: float
) -> Estimate:
    """Count what a dump would read, without opening a file; and say what would make it fail."""
    count = _Count()
    end = time.monotonic() + seconds
    for root in options.roots:
        descriptor = open_root(root, within, allow_empty=options.allow_empty)
        found = os.fstat(descriptor)
        if not stat.S_ISDIR(found.st_mode):
            os.close(descriptor)
            count.add(found)
            continue
        walk = Walk(descriptor, prefix=b"", patterns=patterns, warn=count.cannot_read)
        for entry in walk:
            if not entry.is_folder:
                count.look_at(entry)
            elif not patterns.is_selective or walk.takes_folder(entry.path):
                count.entries += 1
            if time.monotonic() > end:
                return count.estimate(options, is_all=False)
    return count.estimate(options, is_all=True)


class _Count:
    """Counts files, each once under all of its names."""

    def __init__(self) -> None:
        self.entries = 0
        """All that a set would hold, folders too."""

        self._files = self._bytes = 0
        self._seen: set[tuple[int, int]] = set()
        self._unread: list[str] = []

    def look_at(self, entry: Entry) -> None:
        try:
            found = os.stat(entry.name, dir_fd=entry.parent, follow_symlinks=False)
            if entry.is_file and not os.access(
                entry.name, os.R_OK, dir_fd=entry.parent, effective_ids=True
            ):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            self.cannot_read(entry.path, error, is_gone=isinstance(error, FileNotFoundError))
            return
        self.add(found)

    def add(self, found: os.stat_result) -> None:
        if stat.S_ISSOCK(found.st_mode):
            return
        self.entries += 1
        if found.st_nlink > 1:
            if (found.st_dev, found.st_ino) in self._seen:
                return
            self._seen.add((found.st_dev, found.st_ino))
        self._files += 1
        if stat.S_ISREG(found.st_mode):
            # Holes are not read, and what they are costs an open file to know: large files count as on the disk.
            on_disk = found.st_blocks * 512 if found.st_size > _LARGE else found.st_size
            self._bytes += min(found.st_size, on_disk)

    def cannot_read(self, path: bytes, error: OSError, *, is_gone: bool) -> None:
        if not is_gone and len(self._unread) < _MOST_NAMED:
            self._unread.append(f"{shown(path)}: {(error.strerror or str(error)).lower()}")

    def estimate(self, options: FilesOptions, *, is_all: bool) -> Estimate:
        problems: list[BackupError] = []
        if self._unread and options.on_unreadable == "fail":
            problems.append(
                SourceDenied(
                    f"not all may be read: {self._unread[0]}",
                    hint="mend it, `exclude` it, or write `on_unreadable: warn` to leave such files out",
                )
            )
        if is_all and not self.entries and not self._unread:
            problems.append(nothing_read(options))
        return Estimate(
            self._bytes,
            self._files,
            is_all=is_all,
            unread=tuple(self._unread),
            problems=tuple(problems),
        )


def nothing_read(options: FilesOptions) -> SourceError:
    """Say that a set would be empty."""
    return SourceError(
        f"nothing was read from {', '.join(options.roots)}",
        hint="do the include and exclude patterns leave anything?",
    )


def files_options(source: Model) -> FilesOptions:
    if not isinstance(source, FilesOptions):
        raise EngineError(f"the files engine cannot read a {type(source).__name__}")
    return source


def _add_root(
    root: str,
    descriptor: int,
    prefix: bytes,
    within: Sequence[str] | None,
    patterns: Patterns,
    dump: FilesDump,
) -> None:
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        whole = prefix + b"/" if prefix else b""
        walk = Walk(descriptor, prefix=whole, patterns=patterns, warn=dump.cannot_read)
        _add_all(walk, patterns, dump)
        return
    os.close(descriptor)
    folder, name = os.path.split(real_path(root, within, what="the source"))
    parent = open_real(folder, os.O_RDONLY | os.O_DIRECTORY)
    before = dump.output.files
    try:
        dump.add(
            Entry(
                parent,
                os.fsencode(name),
                prefix or os.fsencode(os.path.basename(root)),
                True,
                False,
            )
        )
    finally:
        os.close(parent)
    if dump.output.files == before:
        raise SourceError(
            f"cannot read '{root}': {dump.output.warnings[-1]}", hint=f"ls -ld {root}"
        ) from (dump.output.failed and dump.output.failed.__cause__)


def _add_all(walk: Walk, patterns: Patterns, dump: FilesDump) -> None:
    if not patterns.is_selective:
        for entry in walk:
            dump.add(entry)
        return
    for entry in _only_needed_folders(walk, dump):
        dump.add(entry)


def _only_needed_folders(walk: Walk, dump: FilesDump) -> Iterator[Entry]:
    """Hold back folders until they are taken themselves, or something below them is."""
    waiting: list[tuple[int, bytes, os.stat_result, FolderAttributes]] = []
    for entry in walk:
        waiting = [each for each in waiting if _is_above(each[1], entry.path)]
        if entry.is_folder:
            looked_at = time.time_ns()
            found, extended = os.fstat(entry.parent), attributes_or_error(entry.parent)
            waiting.append((looked_at, entry.path, found, extended))
            if not walk.takes_folder(entry.path):
                continue
        for looked_at, path, found, extended in waiting:
            dump.output.now = looked_at
            dump.add_folder(path, found, extended)
        waiting = []
        if not entry.is_folder:
            yield entry


def _is_above(folder: bytes, path: bytes) -> bool:
    return folder == b"." or path.startswith(folder + b"/")
