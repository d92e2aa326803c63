"""
One attempt to store the set of a run: cleans up after earlier attempts, and detects one that still runs.

* A set exists if and only if its manifest does, and the manifest is written last.
* An attempt first looks whether an earlier one got as far as the manifest, and adopts that set.
* Otherwise it removes what earlier attempts left, and writes pieces under names of its own.
* An answer may be lost: whether the manifest is there is asked of the storage, and no piece is removed while it is.
* An earlier attempt may still be alive (a worker that lost its connection). Its pieces are gone,
  so after writing its manifest every attempt looks whether its pieces are still there, and
  takes the manifest back when they are not.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow_backup import __version__
from airflow_backup.actions.backup.limits.throttle import RunningThrottle
from airflow_backup.actions.backup.parent import ParentChoice
from airflow_backup.actions.backup.result import Job, Run
from airflow_backup.actions.backup.signer import Signer
from airflow_backup.actions.backup.sink import PieceSink
from airflow_backup.actions.sets.encryption import encryption_of
from airflow_backup.actions.sets.repository import StillThere, check_same
from airflow_backup.actions.sets.trust import StoredManifest, Trust
from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    NameTaken,
    NotFound,
    StorageError,
    StorageUnavailable,
    VerifyError,
)
from airflow_backup.core.format.manifest import (
    Manifest,
    Previous,
    ReadBy,
    Totals,
    check_size,
    digest_of_options,
    hash_of,
    manifest_name,
    read_manifest,
    set_prefix,
)
from airflow_backup.core.format.pieces import Piece
from airflow_backup.core.format.state import check_state
from airflow_backup.core.ids import set_id
from airflow_backup.core.progress import CONFIRMING
from airflow_backup.core.worker import Worker
from airflow_backup.engines.capabilities import StateDescriber
from airflow_backup.engines.protocol import DumpReport, Engine, EngineContext
from airflow_backup.storage.protocol import Storage

logger = logging.getLogger(__name__)


class Attempt:
    """One attempt at the set of ``run``."""

    def __init__(self, job: Job, run: Run, storage: Storage, *, number: int) -> None:
        self.set_id = set_id(job.id, run.id, run.at)
        self._job, self._run, self._number = job, run, number
        self.storage = storage
        self.repository: str | None = None
        """The id of the repository; known before anything is taken."""

        self.signer: Signer | None = None
        """Who signs the set; nobody when missing."""

        self.worker = run.worker
        """Who works."""

        self._prefix = set_prefix(job.id, self.set_id)
        self._name = manifest_name(job.id, self.set_id)

    def adopt(self) -> StoredManifest | None:
        """Return the set that an earlier attempt stored whole, or None; ConfigError where it is of another source."""
        try:
            found = Trust.of(self._job).read(self.storage, self.set_id)
        except NotFound:
            return None
        missing = self._missing(found.manifest.pieces)
        if not missing:
            self._check_source(found.manifest)
            return found
        logger.warning(
            "set %s lost its piece %s to a later attempt and is taken again", self.set_id, missing
        )
        self.storage.delete(self._name)
        return None

    def _check_source(self, manifest: Manifest) -> None:
        here = (self._job.source.engine, digest_of_options(self._job.source))
        if (manifest.engine, manifest.source) != here:
            raise ConfigError(
                f"set '{self.set_id}' of this run is of another source, and is not taken for this one's",
                hint="do two tasks back up under one schedule_id? was the source edited since the attempt before?",
            )

    def clean(self) -> None:
        """Remove what earlier attempts left behind."""
        for leftover in list(self.storage.leftovers(self._prefix)):
            self.storage.sweep(leftover.name)
        for stored in list(self.storage.list(self._prefix)):
            if stored.name != self._name:
                with contextlib.suppress(NotFound):  # its own attempt was faster
                    self.storage.delete(stored.name)

    def take(
        self,
        engine: Engine[Any],
        context: EngineContext,
        *,
        choice: ParentChoice,
        previous: Previous | None,
        doubt: str | None = None,
    ) -> StoredManifest:
        """Dump, store, and write the manifest; on any error publish no set."""
        started_at = context.clock()
        context = replace(context, set_id=self.set_id)
        parent = None if choice.parent is None else choice.parent.manifest
        encryption = encryption_of(self._job.encryption)
        compression = self._job.compression
        sink = PieceSink(
            self.storage,
            self._prefix,
            token=secrets.token_hex(4),
            algorithm=self._job.checksum,
            level=None if compression == "none" else compression.level,
            encryption=encryption,
            throttle=RunningThrottle.of(
                self._job.throttle,
                timezone=self._job.timezone,
                clock=context.clock,
                meanwhile=context.reporter.tick,
            ),
            before_each=StillThere(self.storage, self.repository),
        )
        try:
            report = engine.dump(
                self._job.source, context, kind=choice.kind, parent=choice.parent, sink=sink
            )
            pieces = sink.finish()
            if not pieces:
                raise VerifyError(f"the {engine.name} engine wrote nothing")
            context.reporter.finish()  # the last moment at which the run may be stopped
            context.reporter.begin(CONFIRMING)
            manifest = Manifest(
                set_id=self.set_id,
                schedule_id=self._job.id,
                run_id=self._run.id,
                attempt=self._number,
                engine=engine.name,
                engine_version=engine.version,
                tools={"airflow-backup": __version__, **report.tools},
                kind=choice.kind,
                parent=None if parent is None else parent.set_id,
                base=None if parent is None else parent.base or parent.set_id,
                source=digest_of_options(self._job.source),
                run_at=self._run.at,
                started_at=started_at,
                consistent_at=report.consistent_at,
                finished_at=context.clock(),
                checksum_algorithm=self._job.checksum,
                compression="none" if compression == "none" else "zstd",
                encryption=None if encryption is None else encryption.described(),
                pieces=pieces,
                totals=_totals(report, pieces),
                counts=dict(report.counts),
                warnings=(*report.warnings, *(() if doubt is None else (doubt,))),
                state=dict(report.state),
                previous=previous,
                locked_until=_locked_until(self._job, context.clock()),
                definition=self._run.definition,
                worker=_described(self.worker),
            )
            if isinstance(engine, StateDescriber):
                check_state(manifest, engine.state_model)  # what no reader would take is not stored
            data = check_size(self._bytes_of(manifest), name=self._name)
        except BaseException:
            context.reporter.clean_up()
            sink.abort()
            raise
        return self._publish(manifest, data, sink)

    def _bytes_of(self, manifest: Manifest) -> bytes:
        if self.signer is None:
            return manifest.to_bytes()
        assert self.repository is not None
        return self.signer.sign(manifest, self.repository)

    def _publish(self, manifest: Manifest, data: bytes, sink: PieceSink) -> StoredManifest:
        try:
            assert self.repository is not None
            check_same(self.storage, self.repository)
            self._confirm_pieces(manifest)
            check_same(self.storage, self.repository)
            self._put(data)
            if self._missing(manifest.pieces) or self.storage.read(self._name) != data:
                raise VerifyError(f"set '{self.set_id}' is not as it was written")
        except BaseException as error:
            self._take_back(data, sink, is_whole=isinstance(error, StorageError))
            raise
        return StoredManifest(read_manifest(data, name=self._name), hash_of(data))

    def _confirm_pieces(self, manifest: Manifest) -> None:
        missing = self._missing(manifest.pieces)
        if missing:
            raise VerifyError(
                f"the piece '{missing}' of set '{self.set_id}' is not as it was written",
                hint="does another attempt of the same run still work? does the storage lose writes?",
            )

    def _put(self, data: bytes) -> None:
        """
        Write the manifest; whether it is there is what the storage shows, not what it answers.

        An answer may be lost on its way, and a request that is sent again then finds the name taken: by us.
        """
        try:
            self.storage.put(self._name, data)
        except NameTaken as error:
            if self._read() != data:
                raise StorageUnavailable(
                    f"another attempt stored set '{self.set_id}' meanwhile",
                    hint="a retry takes that set over",
                ) from error
        except StorageError:
            if self._read() != data:
                raise

    def _read(self) -> bytes | None:
        try:
            return self.storage.read(self._name)
        except NotFound:
            return None

    def _take_back(self, data: bytes, sink: PieceSink, *, is_whole: bool) -> None:
        """
        Leave nothing of a set that does not count: its manifest first, and no piece while that may be there.

        A storage that does not answer any more keeps what it has: a whole set, which a retry takes over, or
        pieces of none, which the retry and ``sync`` remove. A manifest without pieces would be a false set.
        """
        try:
            found = self._read()
            if found == data and is_whole:
                return  # all of it is there, and only could not be looked at once more
            if found == data:
                self.storage.delete(self._name)
        except BackupError as error:
            logger.warning("what is left of set %s stays behind: %s", self.set_id, error.message)
            return
        sink.abort()
        with contextlib.suppress(BackupError):
            if self._read() == data:  # the request that got no answer came through after all
                self.storage.delete(self._name)

    def _missing(self, pieces: tuple[Piece, ...]) -> str | None:
        for piece in pieces:
            try:
                stored = self.storage.stat(self._prefix + piece.name)
            except NotFound:
                return piece.name
            if stored.size != piece.size:
                return piece.name
        return None


def _described(worker: Worker | None) -> ReadBy | None:
    if worker is None:
        return None
    return ReadBy(host=worker.host, queue=worker.queue, executor=worker.executor)


def _locked_until(job: Job, now: datetime) -> datetime | None:
    lock = None if job.retention is None else job.retention.lock
    return None if lock is None else now + lock


def _totals(report: DumpReport, pieces: tuple[Piece, ...]) -> Totals:
    return Totals(
        files=report.files,
        bytes_read=report.bytes_read,
        bytes_stored=sum(piece.size for piece in pieces) + report.bytes_elsewhere,
    )
