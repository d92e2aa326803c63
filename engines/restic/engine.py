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
import re
import stat
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from airflow_backup.core.errors import (
    BackupError,
    EngineError,
    NotFound,
    Refused,
    SourceDenied,
    SourceError,
    SourceUnavailable,
    VerifyError,
)
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.core.words import Kind
from airflow_backup.engines.protocol import (
    DumpReport,
    Proof,
    RestoreReport,
    SetReader,
    Sink,
    Surroundings,
)
from airflow_backup.engines.restic.options import ResticOptions
from airflow_backup.engines.restic.program import Message, Restic
from airflow_backup.engines.restic.state import ResticState
from airflow_backup.engines.shared.restore_marker import MARKER
from airflow_backup.engines.shared.restore_root import open_target
from airflow_backup.engines.shared.scratch import scratch_folder
from airflow_backup.schedules.model.base import Model

RECEIPT = "snapshot.json"
_TAG = "airflow-backup"
_MOST_WARNINGS = 50
_SNAPSHOT = re.compile(r"[0-9a-f]{64}")


class ResticEngine:
    """Runs restic, and keeps receipts."""

    name = "restic"
    state_model = ResticState
    version = "1"
    kinds = frozenset({Kind.FULL, Kind.INCREMENTAL})
    stands_alone = True
    """Whether every set restores without others."""

    def check(self, source: Model, around: Surroundings) -> list[BackupError]:
        """Return what is in the way: sources that are missing, restic, its repository, its password."""
        given = _options(source)
        problems: list[BackupError] = list(filter(None, map(_problem_of, given.roots)))
        try:
            restic = _restic(given, around)
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
        around: Surroundings,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """Take a snapshot; one that an earlier attempt at the same set took is forgotten."""
        given = _options(source)
        restic = _restic(given, around)
        version = restic.version()
        consistent_at = around.clock()
        # Whether all could be read died with that attempt; to read again stores nothing twice.
        _forget_all(restic, _earlier(restic, given, around))
        summary: Message = {}
        around.reporter.begin("reading", bytes_total=around.expected_bytes)
        unread = _backup(restic, given, around, summary)
        found = restic.snapshots(_TAG, around.set_id)[-1:]
        if unread and given.on_unreadable == "fail":
            _forget_all(restic, found)
            raise _unreadable(unread)
        if not found:
            raise EngineError(
                "restic ended well, and its repository has no snapshot of it",
                hint="does somebody else forget snapshots there right now?",
            )
        snapshot, facts = found[0], summary
        with sink.stream(RECEIPT) as stream:
            stream.write(json.dumps({"snapshot": snapshot, "summary": facts}, indent=2).encode())
        around.reporter.finish()
        return DumpReport(
            consistent_at=consistent_at,
            files=int(facts["total_files_processed"]),
            bytes_read=int(facts["total_bytes_processed"]),
            bytes_elsewhere=int(facts.get("data_added", 0)),
            tools={"restic": ".".join(map(str, version))},
            counts={"files": int(facts["total_files_processed"])}
            | ({"unread": len(unread)} if unread else {}),
            warnings=unread[:_MOST_WARNINGS],
            state={
                "snapshot": snapshot["id"],
                "repository": given.restic_repository,
                "connection": given.connection,
                "paths": given.roots,
            },
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
        """Let restic restore the snapshot below ``target``, under its absolute paths, and check what it wrote."""
        (reader,) = path
        restic, snapshot = _of(reader.manifest, around)
        os.close(open_target(target))
        around.reporter.begin("restoring", bytes_total=reader.manifest.totals.bytes_read)
        includes = [f"--include={_plain(each)}" for each in only]
        restic.ask("restore", snapshot, f"--target={target}", "--verify", *includes)
        files, size = _held(target)
        if only and not files:
            raise NotFound(f"nothing in the snapshot is called {', '.join(only)}")
        saved = reader.manifest.counts["files"]
        if not only and files != saved:
            raise VerifyError(
                f"restic restored {files} files, and set '{reader.manifest.set_id}' has {saved}"
            )
        around.reporter.finish()
        return RestoreReport(files=files, bytes_written=size)

    def check_parts(
        self, path: Sequence[SetReader], only: Sequence[str], around: Surroundings
    ) -> None:
        """Ask restic for each of the paths."""
        restic, snapshot = _of(path[-1].manifest, around)
        for each in only:
            lines = restic.ask("ls", "--json", snapshot, each).splitlines()
            if not any(json.loads(line).get("struct_type") == "node" for line in lines):
                raise NotFound(
                    f"nothing in the snapshot is called {each}",
                    hint="restic stores whole paths: write it as it was, from the root",
                )

    def check_format(self, stored: SetReader) -> Sequence[str]:
        """See that the receipt is whole."""
        receipt = json.loads(b"".join(stored.blocks(RECEIPT)))
        if receipt["snapshot"]["id"] != stored.manifest.state["snapshot"]:
            raise VerifyError("the receipt names another snapshot than the manifest")
        return ["the receipt"]

    def decode(self, path: Sequence[SetReader], around: Surroundings) -> Proof:
        """Find the snapshot in restic's repository, and let restic read all of its data."""
        manifest = path[-1].manifest
        restic, snapshot = _of(manifest, around)
        if snapshot not in {each["id"] for each in restic.snapshots(_TAG, manifest.set_id)}:
            raise VerifyError(
                f"restic's repository has no snapshot {snapshot[:8]} any more",
                hint="who forgot it? restic snapshots",
            )
        try:
            restic.ask("check", "--read-data")
        except EngineError as error:
            raise VerifyError(f"restic found damage: {error.message}") from error
        return Proof(checks=["the snapshot is listed", "restic check --read-data"])

    def try_restore(
        self, path: Sequence[SetReader], around: Surroundings, *, assertions: Sequence[str] = ()
    ) -> Proof:
        """Restore the snapshot into a throwaway folder, with restic's own comparison, and count."""
        with scratch_folder(around.scratch) as folder:
            try:
                report = self.restore(path, Path(folder) / "tree", around)
            except EngineError as error:
                raise VerifyError(f"the snapshot cannot be restored: {error.message}") from error
        return Proof(
            counts={"files": report.files},
            uncounted=("unread",),
            checks=["restic restore --verify"],
        )

    def forget(self, manifest: Manifest, around: Surroundings) -> None:
        """Forget the snapshot; its data go with `compact`."""
        restic, snapshot = _of(manifest, around)
        restic.ask("forget", snapshot)

    def compact(self, manifest: Manifest, around: Surroundings) -> None:
        """Remove data that no snapshot needs."""
        restic, _ = _of(manifest, around)
        restic.ask("prune")


def _earlier(restic: Restic, given: ResticOptions, around: Surroundings) -> list[Message]:
    """Return the snapshots of this very set, of an attempt that ended before its manifest."""
    try:
        return restic.snapshots(_TAG, around.set_id)
    except NotFound:
        if not given.init:
            raise
        restic.init()
        return []


def _forget_all(restic: Restic, snapshots: Sequence[Message]) -> None:
    for each in snapshots:
        restic.ask("forget", str(each["id"]))


def _unreadable(unread: Sequence[str]) -> SourceError:
    others = f", and {len(unread) - 1} more" if len(unread) > 1 else ""
    kind = SourceDenied if "permission denied" in unread[0] else SourceUnavailable
    return kind(
        f"not all could be read: {unread[0]}{others}",
        hint="mend it, `exclude` it, or write `on_unreadable: warn` to leave such files out",
    )


def _backup(
    restic: Restic, given: ResticOptions, around: Surroundings, summary: Message
) -> list[str]:
    def told(message: Message) -> None:
        if message["message_type"] == "summary":
            summary.update(message)
        elif message["message_type"] == "status":
            around.reporter.reach(
                bytes_done=message.get("bytes_done", 0),
                files_done=message.get("files_done", 0),
                bytes_total=message.get("total_bytes"),
            )

    unread = restic.follow(
        "backup",
        "--json",
        f"--tag={_TAG}",
        f"--tag={around.set_id}",
        f"--host={around.schedule_id or _TAG}",
        *(f"--exclude={pattern}" for pattern in given.exclude),
        "--",
        *given.roots,
        told=told,
        reporter=around.reporter,
    )
    if not summary:
        raise EngineError("restic ended without its summary")
    if not summary.get("total_files_processed"):
        raise SourceError(
            f"nothing was read from {', '.join(given.roots)}", hint="is everything excluded?"
        )
    return unread


def _plain(path: str) -> str:
    """
    Write a path as the pattern that means it and no other.

    >>> _plain("/srv/a[1]*.txt")
    '/srv/a\\\\[1]\\\\*.txt'
    """
    return re.sub(r"([\\*?\[])", r"\\\1", path)


def _problem_of(root: str) -> BackupError | None:
    if not os.path.lexists(root):
        return SourceError(f"there is no '{root}'", hint="is its disk mounted?")
    if not os.access(root, os.R_OK):
        return SourceDenied(f"'{root}' may not be read", hint=f"ls -ld {root}")
    return None


def _held(target: Path) -> tuple[int, int]:
    """Count regular files, as restic does, and their bytes below the target."""
    sizes = []
    for folder, _, names in os.walk(target):
        if folder == str(target):
            names = [name for name in names if name != MARKER]
        found = (os.lstat(os.path.join(folder, name)) for name in names)
        sizes += [each.st_size for each in found if stat.S_ISREG(each.st_mode)]
    return len(sizes), sum(sizes)


def _restic(given: ResticOptions, around: Surroundings) -> Restic:
    return Restic.of(given.program, given.restic_repository, given.connection, around.connections)


def _of(manifest: Manifest, around: Surroundings) -> tuple[Restic, str]:
    """Return restic as the schedule sets it up, and the snapshot of a set; Refused where it lies elsewhere."""
    if around.source is None:
        raise Refused(
            "only a schedule says where restic keeps its data, and which connection opens it",
            hint="write the schedule into a file, and name it: --schedules FILE",
        )
    given = _options(around.source)
    state = manifest.state
    if state.get("repository") != given.restic_repository:
        raise Refused(
            f"set '{manifest.set_id}' says that it lies in another restic repository than the schedule's",
            hint="did `restic_repository` change? name the old one in a schedules file: --schedules FILE",
        )
    snapshot = str(state.get("snapshot"))
    if not _SNAPSHOT.fullmatch(snapshot):
        raise VerifyError(f"the manifest of set '{manifest.set_id}' names no snapshot of restic's")
    return _restic(given, around), snapshot


def _options(source: Model) -> ResticOptions:
    if not isinstance(source, ResticOptions):
        raise EngineError(f"the restic engine cannot read a {type(source).__name__}")
    return source
