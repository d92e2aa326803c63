"""
Folders and files: an archive of our own making that ``zstd`` and GNU ``tar`` unpack alone.

By hand::

    cat files.tar.*.zst | zstd -d | tar -x --xattrs --xattrs-include='*' -C TARGET

The members of a schedule with one ``path`` are relative to it; with several ``paths`` they are
the whole paths without the leading slash, as GNU tar would have it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    EngineError,
    VerifyError,
)
from airflow_backup.core.paths.patterns import Patterns
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import Kind
from airflow_backup.engines.capabilities import Estimate, StoredEntry
from airflow_backup.engines.files.chain import ARCHIVE, INDEX, PATCHES, ChainArchive, entries_in
from airflow_backup.engines.files.dump import FilesDump
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.files.output import FilesOutput
from airflow_backup.engines.files.restore import restore_archive, restore_members
from airflow_backup.engines.files.roots import add_roots, estimate, files_options, nothing_read
from airflow_backup.engines.files.source.reader import knows_attributes
from airflow_backup.engines.files.source.roots import nested, open_root
from airflow_backup.engines.files.state import FilesState
from airflow_backup.engines.files.structure import check_structure
from airflow_backup.engines.files.tar.writer import END
from airflow_backup.engines.files.verify import check_edges, check_tree, concerned
from airflow_backup.engines.protocol import (
    DumpReport,
    EngineContext,
    RestoreReport,
    SetReader,
    Sink,
    VerificationReport,
)
from airflow_backup.engines.shared.scratch import check_room, scratch_folder
from airflow_backup.schedules.model.base import Model

_MOST_UNREAD = 20
"""Entries that cannot be read before a run fails at once: enough to see what is wrong, and why wait."""


class FilesEngine:
    """Backs up file trees."""

    name = "files"
    counts_entries = True
    state_model = FilesState
    only_reads = True
    """Whether a restore only writes the set's bytes: it runs no program, and asks no server."""

    version = "1"
    kinds = frozenset({Kind.FULL, Kind.INCREMENTAL, Kind.DIFFERENTIAL})

    def check(self, source: Model, context: EngineContext) -> list[BackupError]:
        """Return the roots that are missing or may not be read, and patterns that are none."""
        options = files_options(source)
        problems: list[BackupError] = []
        if not knows_attributes():
            problems.append(
                EngineError(
                    "Python cannot read extended attributes on this system",
                    hint="files are backed up on Linux; here they can be restored",
                )
            )
        try:
            Patterns(include=options.include, exclude=options.exclude)
        except BackupError as error:
            problems.append(error)
        for root in options.roots:
            try:
                os.close(open_root(root, context.source_roots, allow_empty=options.allow_empty))
            except BackupError as error:
                problems.append(error)
        return problems + nested(options.roots)

    def dump(
        self,
        source: Model,
        context: EngineContext,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """Walk once; read and archive what the parent has not, or has otherwise."""
        options = files_options(source)
        patterns = Patterns(include=options.include, exclude=options.exclude)
        context.reporter.begin("reading", bytes_total=context.expected_bytes)
        consistent_at = context.clock()
        with ExitStack() as streams:
            output = _output(options, sink, parent, context.reporter, streams)
            dump = FilesDump(
                output,
                parent_index=None if parent is None else parent.blocks(INDEX),
                by_content=options.compare == "content",
            )
            add_roots(options, context.source_roots, patterns, dump)
            output.archive.write(END)
            if output.patches is not None:
                output.patches.write(END)
        context.reporter.finish()
        if not output.files:
            raise nothing_read(options)
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
        chain: Sequence[SetReader],
        target: Path,
        context: EngineContext,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """Unpack the tree of the last set into an empty folder; all of it, or only some paths."""
        manifest = chain[-1].manifest
        if len(chain) != int(manifest.state.get("link", 0)) + 1:
            raise EngineError(
                f"set '{manifest.set_id}' needs the whole chain below it, the full set first"
            )
        whole = None if only else manifest.state.get("bytes")
        context.reporter.begin("restoring", bytes_total=whole)
        if len(chain) == 1 and not only and not manifest.counts.get("unread"):
            report = restore_archive(chain[0].blocks(ARCHIVE), target, context.reporter)
        else:
            report = _restore_chain(chain, target, context, only=only)
        if not only and report.files != manifest.totals.files:
            raise VerifyError(
                f"{report.files} entries of set '{manifest.set_id}' came back, "
                f"and it holds {manifest.totals.files}"
            )
        context.reporter.finish()
        return report

    def resume(
        self,
        chain: Sequence[SetReader],
        target: Path,
        context: EngineContext,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """Go on where an earlier attempt ended; what is whole is neither read nor written again."""
        context.reporter.begin("restoring", bytes_total=chain[-1].manifest.state.get("bytes"))
        report = _restore_chain(chain, target, context, only=only, resume=True)
        context.reporter.finish()
        return report

    def check_format(self, stored: SetReader) -> Sequence[str]:
        """Look at the headers and end markers of archives and index."""
        return check_edges(stored)

    def check_structure(self, chain: Sequence[SetReader]) -> Sequence[str]:
        """Read the index and all headers side by side."""
        return check_structure(chain)

    def decode(self, chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
        """Read archive and index of the last set side by side."""
        return VerificationReport(checks=check_structure(chain))

    def try_restore(
        self, chain: Sequence[SetReader], context: EngineContext, *, assertions: Sequence[str] = ()
    ) -> VerificationReport:
        """Restore the tree into a temporary folder and compare every entry with the index."""
        if assertions:
            raise ConfigError("files answer no SQL", hint="leave `assertions` out")
        if not knows_attributes():
            return VerificationReport(
                inconclusive="Python cannot read extended attributes on this system, to compare them"
            )
        manifest = chain[-1].manifest
        check_room(context.scratch, int(manifest.state.get("bytes", 0)))
        with scratch_folder(context.scratch) as folder:
            target = Path(folder) / "restored"
            self.restore(chain, target, context)
            count = check_tree(chain[-1], target)
        return VerificationReport(checks=[f"{count} files, folders and links of a restored tree"])

    def check_parts(
        self, chain: Sequence[SetReader], only: Sequence[str], context: EngineContext
    ) -> None:
        """Look for the parts in the index."""
        ChainArchive(chain, only=[os.fsencode(each) for each in only]).check_parts()

    def estimate(self, source: Model, context: EngineContext, *, seconds: float) -> Estimate:
        """Count files and their bytes."""
        options = files_options(source)
        patterns = Patterns(include=options.include, exclude=options.exclude)
        return estimate(options, context.source_roots, patterns, seconds=seconds)

    def contents(self, chain: Sequence[SetReader], context: EngineContext) -> Iterator[StoredEntry]:
        """Read the index of the last set, which has everything in it."""
        return entries_in(chain[-1])

    def concerned(self, stored: SetReader, stream: str, begin: int, end: int) -> Sequence[str]:
        """Name the files that have content in a part of a stream."""
        return concerned(stored, stream, begin, end)


def _restore_chain(
    chain: Sequence[SetReader],
    target: Path,
    context: EngineContext,
    *,
    only: Sequence[str],
    resume: bool = False,
) -> RestoreReport:
    with closing(ChainArchive(chain, only=[os.fsencode(each) for each in only])) as archive:
        report = restore_members(archive, target, context.reporter, resume=resume)
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
