"""
Folders and files by restic: deduplicating snapshots in a repository that restic itself keeps.

A set of ours is a receipt: the stream ``snapshot.json`` with what restic said, and in the manifest the snapshot's
id. Every snapshot restores without others, so each set counts as a full one. The snapshot carries the set's id
as a tag, so that a retry after a crash finds it instead of taking a second one. By hand::

    restic -r <repository> restore <snapshot id> --target /srv/restored
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from airflow_backup.core.errors import BackupError, ConfigError, EngineError, NotFound, VerifyError
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.core.text.counts import counted
from airflow_backup.core.words import Kind
from airflow_backup.engines.capabilities import StoredEntry
from airflow_backup.engines.protocol import (
    DumpReport,
    EngineContext,
    RestoreReport,
    SetReader,
    Sink,
    VerificationReport,
)
from airflow_backup.engines.restic.calls import (
    DAMAGE,
    TAG,
    backup,
    earlier_snapshots,
    forget_all,
    held,
    plain,
    problem_of,
    proving,
    restic_of,
    restic_options,
    snapshot_of,
    unreadable,
)
from airflow_backup.engines.restic.state import ResticState
from airflow_backup.engines.restic.told import Message, entries_in
from airflow_backup.engines.shared.json_stream import json_of, readable
from airflow_backup.engines.shared.restore_root import open_target
from airflow_backup.engines.shared.scratch import scratch_folder
from airflow_backup.schedules.model.base import Model

RECEIPT = "snapshot.json"
_MOST_WARNINGS = 50
_LISTED = f"could not be read, and the set does not have them; it lists all in its '{RECEIPT}'"


class ResticEngine:
    """Runs restic, and keeps receipts."""

    name = "restic"
    counts_entries = True
    held_while_paused = "its lock on the repository stays, and no prune of restic can run"
    state_model = ResticState
    version = "1"
    kinds = frozenset({Kind.FULL, Kind.INCREMENTAL})
    stands_alone = True
    """Whether every set restores without others."""

    def check(self, source: Model, context: EngineContext) -> list[BackupError]:
        """Return what is in the way: sources that are missing, restic, its repository, its password."""
        given = restic_options(source)
        problems: list[BackupError] = list(filter(None, map(problem_of, given.roots)))
        if context.reading_is_limited:
            problems.append(
                ConfigError(
                    "restic has no limit for reading", hint="write `throttle: {upload: ...}`"
                )
            )
        try:
            restic = restic_of(given, context)
            restic.version()
            if not restic.exists() and not given.init:
                problems.append(
                    NotFound(
                        f"there is no restic repository at {given.restic_repository}",
                        hint="is its disk mounted? if it is new: restic init, or `init: true`",
                    )
                )
        except BackupError as error:
            problems.append(error)
        return problems

    def dump(
        self,
        source: Model,
        context: EngineContext,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """Take a snapshot; one that an earlier attempt at the same set took is forgotten."""
        given = restic_options(source)
        restic = restic_of(given, context)
        version = restic.version()
        consistent_at = context.clock()
        # Whether all could be read died with that attempt; to read again stores nothing twice.
        forget_all(restic, earlier_snapshots(restic, given, context))
        summary: Message = {}
        context.reporter.begin("reading", bytes_total=context.expected_bytes)
        unread = backup(restic, given, context, summary)
        found = restic.snapshots(TAG, context.set_id)[-1:]
        if unread and given.on_unreadable == "fail":
            forget_all(restic, found)
            raise unreadable(unread)
        if not found:
            raise EngineError(
                "restic ended well, and its repository has no snapshot of it",
                hint="does somebody else forget snapshots there right now?",
            )
        snapshot, facts = found[0], summary
        receipt = {"snapshot": snapshot, "summary": facts, "unread": unread}
        with sink.stream(RECEIPT) as stream:
            stream.write(readable(json.dumps(receipt, indent=2).encode(), RECEIPT))
        context.reporter.finish()
        return DumpReport(
            consistent_at=consistent_at,
            files=int(facts["total_files_processed"]),
            bytes_read=int(facts["total_bytes_processed"]),
            bytes_elsewhere=int(facts.get("data_added", 0)),
            tools={"restic": ".".join(map(str, version))},
            counts={"files": int(facts["total_files_processed"])}
            | ({"unread": len(unread)} if unread else {}),
            warnings=_told_of(unread),
            state={
                "snapshot": snapshot["id"],
                "repository": given.restic_repository,
                "connection": given.connection,
                "paths": given.roots,
            },
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
        """Let restic restore the snapshot below ``target``, under its absolute paths, and check what it wrote."""
        (reader,) = chain
        restic, snapshot = snapshot_of(reader.manifest, context)
        os.close(open_target(target))
        context.reporter.begin("restoring", bytes_total=reader.manifest.totals.bytes_read)
        includes = [f"--include={plain(each)}" for each in only]
        restic.ask("restore", snapshot, f"--target={target}", "--verify", *includes)
        files, size = held(target)
        missing = [each for each in only if not os.path.lexists(f"{target}/{each.strip('/')}")]
        if missing:
            raise NotFound(f"nothing in the snapshot is called {', '.join(missing)}")
        saved = reader.manifest.counts["files"]
        if not only and files != saved:
            raise VerifyError(
                f"restic restored {files} files, and set '{reader.manifest.set_id}' has {saved}"
            )
        context.reporter.finish()
        unread = reader.manifest.counts.get("unread", 0)
        told = [f"{counted(unread, 'entry', 'entries')} {_LISTED}"] if unread else []
        # A link or an empty folder alone is something, too.
        return RestoreReport(files=files or len(only), bytes_written=size, warnings=told)

    def check_parts(
        self, chain: Sequence[SetReader], only: Sequence[str], context: EngineContext
    ) -> None:
        """Ask restic for each of the paths."""
        restic, snapshot = snapshot_of(chain[-1].manifest, context)
        for each in only:
            lines = restic.ask("ls", "--json", snapshot, each).splitlines()
            if not any(json.loads(line).get("struct_type") == "node" for line in lines):
                raise NotFound(
                    f"nothing in the snapshot is called {each}",
                    hint="restic stores whole paths: write it as it was, from the root",
                )

    def contents(self, chain: Sequence[SetReader], context: EngineContext) -> Iterator[StoredEntry]:
        """Ask restic for all of the snapshot."""
        restic, snapshot = snapshot_of(chain[-1].manifest, context)
        return entries_in(restic.ask("ls", "--json", "--no-lock", snapshot))

    def check_format(self, stored: SetReader) -> Sequence[str]:
        """See that the receipt is whole."""
        receipt = json_of(stored, RECEIPT)
        told = receipt.get("snapshot") if isinstance(receipt, dict) else None
        named = told.get("id") if isinstance(told, dict) else None
        if named != stored.manifest.state["snapshot"]:
            raise VerifyError("the receipt names another snapshot than the manifest")
        return ["the receipt"]

    def check_place(self, stored: SetReader, context: EngineContext) -> Sequence[str]:
        """Ask restic whether it still has the snapshot: others may forget it there."""
        restic, snapshot = snapshot_of(stored.manifest, context)
        with proving("restic cannot list its snapshots", only=DAMAGE):
            listed = {each["id"] for each in restic.snapshots(TAG, stored.manifest.set_id)}
        if snapshot not in listed:
            raise VerifyError(
                f"restic's repository has no snapshot {snapshot[:8]} any more",
                hint="who forgot it? restic snapshots",
            )
        return ["the snapshot is listed"]

    def decode(self, chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
        """Find the snapshot in restic's repository, and let restic read all of its data."""
        checks = self.check_place(chain[-1], context)
        restic, _ = snapshot_of(chain[-1].manifest, context)
        with proving("restic found damage", only=DAMAGE):
            restic.ask("check", "--read-data")
        return VerificationReport(checks=[*checks, "restic check --read-data"])

    def try_restore(
        self, chain: Sequence[SetReader], context: EngineContext, *, assertions: Sequence[str] = ()
    ) -> VerificationReport:
        """Restore the snapshot into a temporary folder, with restic's own comparison, and count."""
        with scratch_folder(context.scratch) as folder, proving("the snapshot cannot be restored"):
            report = self.restore(chain, Path(folder) / "tree", context)
        return VerificationReport(
            counts={"files": report.files},
            uncounted=("unread",),
            checks=["restic restore --verify"],
        )

    def forget(self, manifest: Manifest, context: EngineContext) -> None:
        """Forget the snapshot; its data go with `compact`."""
        restic, snapshot = snapshot_of(manifest, context)
        restic.ask("forget", snapshot)

    def compact(self, manifest: Manifest, context: EngineContext) -> None:
        """Remove data that no snapshot needs."""
        restic, _ = snapshot_of(manifest, context)
        restic.ask("prune")


def _told_of(unread: Sequence[str]) -> list[str]:
    more = len(unread) - _MOST_WARNINGS
    return [*unread[:_MOST_WARNINGS], *([f"{more:,} more {_LISTED}"] if more > 0 else [])]
