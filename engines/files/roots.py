"""The folders that a schedule names, walked into a dump."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence

from airflow_backup.core.errors import EngineError, SourceError
from airflow_backup.core.paths.patterns import Patterns
from airflow_backup.core.paths.roots import open_real, real_path
from airflow_backup.engines.files.dump import FilesDump, FolderAttributes, attributes_or_error
from airflow_backup.engines.files.index import order_of
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.files.source.roots import open_root
from airflow_backup.engines.files.source.walk import Entry, Walk
from airflow_backup.schedules.model.base import Model


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
