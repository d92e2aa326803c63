"""
Folders and files: an archive of our own making that ``zstd`` and GNU ``tar`` unpack alone.

By hand::

    cat files.tar.*.zst | zstd -d | tar -x --xattrs --xattrs-include='*' -C TARGET

The members of a schedule with one ``path`` are relative to it; with several ``paths`` they are
the whole paths without the leading slash, as GNU tar would have it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from airflow_backup.core.errors import BackupError, EngineError, SourceDenied, SourceError
from airflow_backup.core.words import Kind
from airflow_backup.engines.file_reader import attributes
from airflow_backup.engines.files_dump import FilesDump
from airflow_backup.engines.files_restore import restore_archive
from airflow_backup.engines.patterns import Patterns
from airflow_backup.engines.protocol import (
    DumpReport,
    RestoreReport,
    SetReader,
    Sink,
    Surroundings,
)
from airflow_backup.engines.tar_writer import END
from airflow_backup.engines.walk import Entry, Walk
from airflow_backup.schedules.base import Model
from airflow_backup.schedules.sources import FilesSource

ARCHIVE: Final = "files.tar"
INDEX: Final = "index"
_ROOT_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class FilesEngine:
    """Backs up file trees."""

    name = "files"
    version = "1"
    kinds = frozenset({Kind.FULL})

    def check(self, source: Model, around: Surroundings) -> list[BackupError]:
        """Return the roots that are missing or may not be read, and patterns that are none."""
        options = _options(source)
        problems: list[BackupError] = []
        try:
            Patterns(include=options.include, exclude=options.exclude)
        except BackupError as error:
            problems.append(error)
        for root in options.roots:
            try:
                os.close(_open_root(root))
            except BackupError as error:
                problems.append(error)
        return problems + _nested(options.roots)

    def dump(
        self,
        source: Model,
        around: Surroundings,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """Walk, read and archive in one pass."""
        options = _options(source)
        patterns = Patterns(include=options.include, exclude=options.exclude)
        around.reporter.begin("reading", bytes_total=around.expected_bytes)
        consistent_at = around.clock()
        with sink.stream(ARCHIVE) as archive, sink.stream(INDEX) as index:
            dump = FilesDump(archive, index, around.reporter)
            for root in options.roots:
                prefix = b"" if len(options.roots) == 1 else os.fsencode(root.strip("/"))
                _add_root(root, prefix, patterns, dump)
            archive.write(END)
            dump.tell()
        around.reporter.finish()
        if not dump.files:
            raise SourceError(
                f"nothing was read from {', '.join(options.roots)}",
                hint="do the include and exclude patterns leave anything?",
            )
        return DumpReport(
            consistent_at=consistent_at,
            files=dump.files,
            bytes_read=dump.bytes_read,
            counts={"unread": dump.unread} if dump.unread else {},
            warnings=dump.warnings,
        )

    def restore(
        self, path: Sequence[SetReader], target: Path, around: Surroundings
    ) -> RestoreReport:
        """Unpack the archive into an empty folder."""
        if len(path) != 1:
            raise EngineError("a file tree is restored from one full set", hint="see `kind`")
        around.reporter.begin("restoring", bytes_total=path[0].manifest.totals.bytes_read)
        report = restore_archive(path[0].blocks(ARCHIVE), target, around.reporter)
        around.reporter.finish()
        return report


def _options(source: Model) -> FilesSource:
    if not isinstance(source, FilesSource):
        raise EngineError(f"the files engine cannot read a {type(source).__name__}")
    return source


def _open_root(root: str) -> int:
    # The root itself may be a link that the user wrote into the schedule; below it, none is
    # followed.
    try:
        return os.open(root, _ROOT_FLAGS)
    except PermissionError as error:
        raise SourceDenied(f"may not read '{root}'", hint=f"ls -ld {root}") from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise SourceError(f"cannot read '{root}': {why}", hint=f"ls -ld {root}") from error


def _add_root(root: str, prefix: bytes, patterns: Patterns, dump: FilesDump) -> None:
    descriptor = _open_root(root)
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        whole = prefix + b"/" if prefix else b""
        _add_all(Walk(descriptor, prefix=whole, patterns=patterns, warn=dump.warn), patterns, dump)
        return
    os.close(descriptor)
    folder, name = os.path.split(os.path.realpath(root))
    parent = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    unread = dump.unread
    try:
        dump.add(Entry(parent, name, prefix or os.fsencode(os.path.basename(root)), True, False))
    finally:
        os.close(parent)
    if dump.unread > unread:
        raise SourceError(f"cannot read '{root}': {dump.warnings[-1]}", hint=f"ls -ld {root}")


def _add_all(walk: Walk, patterns: Patterns, dump: FilesDump) -> None:
    if not patterns.is_selective:
        for entry in walk:
            dump.add(entry)
        return
    for entry in _only_needed_folders(walk, dump):
        dump.add(entry)


def _only_needed_folders(walk: Walk, dump: FilesDump) -> Iterator[Entry]:
    """Hold back folders until something below them is taken."""
    waiting: list[tuple[bytes, os.stat_result, dict[bytes, bytes]]] = []
    for entry in walk:
        waiting = [each for each in waiting if _is_above(each[0], entry.path)]
        if entry.is_folder:
            waiting.append((entry.path, os.fstat(entry.parent), attributes(entry.parent)))
            continue
        for path, found, extended in waiting:
            dump.add_folder(path, found, extended)
        waiting = []
        yield entry


def _is_above(folder: bytes, path: bytes) -> bool:
    return folder == b"." or path.startswith(folder + b"/")


def _nested(roots: list[str]) -> list[BackupError]:
    clean = [os.path.normpath(root) for root in roots]
    return [
        SourceError(f"'{inner}' lies inside '{outer}', and would be stored twice")
        for position, inner in enumerate(clean)
        for other, outer in enumerate(clean)
        if position != other and (inner + "/").startswith(outer.rstrip("/") + "/")
    ]
