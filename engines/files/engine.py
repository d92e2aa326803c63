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
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    EngineError,
    SourceError,
    VerifyError,
)
from airflow_backup.core.patterns import Patterns
from airflow_backup.core.progress import Reporter
from airflow_backup.core.roots import open_real, real_path
from airflow_backup.core.words import Kind
from airflow_backup.engines.files.chain import ARCHIVE, INDEX, PATCHES, ChainArchive
from airflow_backup.engines.files.dump import FilesDump, FolderAttributes, attributes_or_error
from airflow_backup.engines.files.index import order_of
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.files.output import FilesOutput
from airflow_backup.engines.files.restore import restore_archive, restore_members
from airflow_backup.engines.files.source.roots import nested, open_root
from airflow_backup.engines.files.source.walk import Entry, Walk
from airflow_backup.engines.files.state import FilesState
from airflow_backup.engines.files.structure import check_structure
from airflow_backup.engines.files.tar.writer import END
from airflow_backup.engines.files.verify import check_edges, check_tree, concerned
from airflow_backup.engines.protocol import (
    DumpReport,
    Proof,
    RestoreReport,
    SetReader,
    Sink,
    Surroundings,
)
from airflow_backup.engines.shared.scratch import check_room, scratch_folder
from airflow_backup.schedules.model.base import Model

_MOST_UNREAD = 20
"""Entries that cannot be read before a run fails at once: enough to see what is wrong, and why wait."""


class FilesEngine:
    """Backs up file trees."""

    name = "files"
    state_model = FilesState
    only_reads = True
    """Whether a restore only writes the set's bytes: it runs no program, and asks no server."""

    version = "1"
    kinds = frozenset({Kind.FULL, Kind.INCREMENTAL, Kind.DIFFERENTIAL})

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
                os.close(open_root(root, around.source_roots, allow_empty=options.allow_empty))
            except BackupError as error:
                problems.append(error)
        return problems + nested(options.roots)

    def dump(
        self,
        source: Model,
        around: Surroundings,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """Walk once; read and archive what the parent has not, or has otherwise."""
        options = _options(source)
        patterns = Patterns(include=options.include, exclude=options.exclude)
        around.reporter.begin("reading", bytes_total=around.expected_bytes)
        consistent_at = around.clock()
        with ExitStack() as streams:
            output = _output(options, sink, parent, around.reporter, streams)
            dump = FilesDump(
                output,
                earlier=None if parent is None else parent.blocks(INDEX),
                by_content=options.compare == "content",
            )
            _add_roots(options, around.source_roots, patterns, dump)
            output.archive.write(END)
            if output.patches is not None:
                output.patches.write(END)
        around.reporter.finish()
        if not output.files:
            raise SourceError(
                f"nothing was read from {', '.join(options.roots)}",
                hint="do the include and exclude patterns leave anything?",
            )
        return DumpReport(
            consistent_at=consistent_at,
            files=output.files,
            bytes_read=output.bytes_read,
            counts=_counts(output, parent),
            warnings=output.warnings,
            state={"link": _link(parent), "bytes": output.bytes_whole},
        )

    def restore(
        self,
        path: Sequence[SetReader],
        target: Path,
        around: Surroundings,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """Unpack the tree of the last set into an empty folder; all of it, or only some paths."""
        manifest = path[-1].manifest
        if len(path) != int(manifest.state.get("link", 0)) + 1:
            raise EngineError(
                f"set '{manifest.set_id}' needs the whole chain below it, the full set first"
            )
        whole = None if only else manifest.state.get("bytes")
        around.reporter.begin("restoring", bytes_total=whole)
        if len(path) == 1 and not only and not manifest.counts.get("unread"):
            report = restore_archive(path[0].blocks(ARCHIVE), target, around.reporter)
        else:
            report = _restore_chain(path, target, around, only=only)
        if not only and report.files != manifest.totals.files:
            raise VerifyError(
                f"{report.files} entries of set '{manifest.set_id}' came back, "
                f"and it holds {manifest.totals.files}"
            )
        around.reporter.finish()
        return report

    def resume(
        self,
        path: Sequence[SetReader],
        target: Path,
        around: Surroundings,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """Go on where an earlier attempt ended; what is whole is neither read nor written again."""
        around.reporter.begin("restoring", bytes_total=path[-1].manifest.state.get("bytes"))
        report = _restore_chain(path, target, around, only=only, resume=True)
        around.reporter.finish()
        return report

    def check_format(self, stored: SetReader) -> Sequence[str]:
        """Look at the headers and end markers of archives and index."""
        return check_edges(stored)

    def check_structure(self, path: Sequence[SetReader]) -> Sequence[str]:
        """Read the index and all headers side by side."""
        return check_structure(path)

    def decode(self, path: Sequence[SetReader], around: Surroundings) -> Proof:
        """Read archive and index of the last set side by side."""
        return Proof(checks=check_structure(path))

    def try_restore(
        self, path: Sequence[SetReader], around: Surroundings, *, assertions: Sequence[str] = ()
    ) -> Proof:
        """Restore the tree into a throwaway folder and compare every entry with the index."""
        if assertions:
            raise ConfigError("files answer no SQL", hint="leave `assertions` out")
        manifest = path[-1].manifest
        check_room(around.scratch, int(manifest.state.get("bytes", 0)))
        with scratch_folder(around.scratch) as folder:
            target = Path(folder) / "restored"
            self.restore(path, target, around)
            count = check_tree(path[-1], target)
        return Proof(checks=[f"{count} files, folders and links of a restored tree"])

    def check_parts(
        self, path: Sequence[SetReader], only: Sequence[str], around: Surroundings
    ) -> None:
        """Look for the parts in the index."""
        ChainArchive(path, only=[os.fsencode(each) for each in only]).check_parts()

    def concerned(self, stored: SetReader, stream: str, begin: int, end: int) -> Sequence[str]:
        """Name the files that have content in a part of a stream."""
        return concerned(stored, stream, begin, end)


def _restore_chain(
    path: Sequence[SetReader],
    target: Path,
    around: Surroundings,
    *,
    only: Sequence[str],
    resume: bool = False,
) -> RestoreReport:
    with closing(ChainArchive(path, only=[os.fsencode(each) for each in only])) as archive:
        report = restore_members(archive, target, around.reporter, resume=resume)
        return replace(report, warnings=(*report.warnings, *archive.missing))


def _link(parent: SetReader | None) -> int:
    return 0 if parent is None else int(parent.manifest.state["link"]) + 1


def _output(
    options: FilesOptions,
    sink: Sink,
    parent: SetReader | None,
    reporter: Reporter,
    streams: ExitStack,
) -> FilesOutput:
    return FilesOutput(
        streams.enter_context(sink.stream(ARCHIVE)),
        streams.enter_context(sink.stream(INDEX, is_index=True)),
        reporter,
        link=_link(parent),
        patches=None if parent is None else streams.enter_context(sink.stream(PATCHES)),
        most_unread=None if options.on_unreadable == "warn" else _MOST_UNREAD,
    )


def _counts(output: FilesOutput, parent: SetReader | None) -> dict[str, int]:
    counts = {"unread": output.unread} if output.unread else {}
    if output.changed:
        counts["changed"] = output.changed
    if parent is not None:
        counts |= {"stored": output.stored, "removed": output.removed}
    return counts


def _add_roots(
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


def _options(source: Model) -> FilesOptions:
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
