"""
What an engine may be able to do besides backing up and restoring, one protocol for each.

An engine has an ability by having its method; who wants it asks ``isinstance(engine, Decoder)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from pydantic import BaseModel

from airflow_backup.core.errors import BackupError
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.engines.protocol import (
    EngineContext,
    RestoreReport,
    SetReader,
    VerificationReport,
)
from airflow_backup.schedules.model.base import Model


@runtime_checkable
class StateDescriber(Protocol):
    """An engine that says of what form the ``state`` in its manifests is; others check it where they use it."""

    @property
    def state_model(self) -> type[BaseModel]:
        """The model; it is validated with the set's kind as ``info.context["kind"]``."""
        ...


@runtime_checkable
class SelfContained(Protocol):
    """An engine of which every set restores without others, whatever kind was asked for."""

    @property
    def stands_alone(self) -> bool:
        """Whether it is so."""
        ...


@runtime_checkable
class ReadOnly(Protocol):
    """An engine whose restore runs no program: it may be chosen by what only a set says of itself."""

    @property
    def only_reads(self) -> bool:
        """Whether it is so."""
        ...


@runtime_checkable
class PauseTeller(Protocol):
    """An engine whose source, or whose place for sets, has something to bear while a run is paused."""

    @property
    def held_while_paused(self) -> str:
        """What stays as it is meanwhile, in words, for example ``its transaction stays open on the server``."""
        ...


@runtime_checkable
class Decoder(Protocol):
    """An engine that can read its streams as their format, without a server."""

    def decode(self, chain: Sequence[SetReader], context: EngineContext) -> VerificationReport:
        """
        Decode the last set of ``chain`` to its end; VerifyError where it is not what it says.

        Work goes into a folder below ``context.scratch``, which is removed again.
        """
        ...


@runtime_checkable
class RestoreTester(Protocol):
    """An engine that can restore into a temporary place and look at what it got."""

    def try_restore(
        self, chain: Sequence[SetReader], context: EngineContext, *, assertions: Sequence[str] = ()
    ) -> VerificationReport:
        """
        Restore ``chain`` below ``context.scratch``, count, and remove it again.

        ``assertions`` are SQL queries whose first value must be true. VerifyError where the
        restore fails or an assertion does not hold; the caller compares the counts.
        """
        ...


@runtime_checkable
class FormatChecker(Protocol):
    """An engine that can tell by beginnings and ends whether streams are what they should be."""

    def check_format(self, stored: SetReader) -> Sequence[str]:
        """
        Look at headers and trailers without reading all; return what was looked at, in words.

        VerifyError where one is missing: the stream is empty, cut, or of another format.
        """
        ...


@runtime_checkable
class StructureChecker(Protocol):
    """An engine that can tell by the structure of a set whether it would restore, without its content."""

    def check_structure(self, chain: Sequence[SetReader]) -> Sequence[str]:
        """
        Look at everything in the last set of ``chain`` but content; return what was looked at, in words.

        VerifyError where the set could not be restored. It is asked at level `standard`, after each
        backup: it must not cost much more than reading the set does.
        """
        ...


@runtime_checkable
class PlaceChecker(Protocol):
    """An engine whose bytes lie in a place of its own, and that can tell whether those of a set are still there."""

    def check_place(self, stored: SetReader, context: EngineContext) -> Sequence[str]:
        """
        Look for what a set stands for, at little cost; return what was looked at, in words.

        VerifyError where it is gone. It is asked at level `standard`, after each backup.
        """
        ...


@runtime_checkable
class EntryCounter(Protocol):
    """An engine whose counts are of entries, ``unread`` among them; those of others are rows by table."""

    @property
    def counts_entries(self) -> bool:
        """Whether it is so."""
        ...


@runtime_checkable
class PartChecker(Protocol):
    """An engine that restores parts of its source, and can tell whether a set has them."""

    def check_parts(
        self, chain: Sequence[SetReader], only: Sequence[str], context: EngineContext
    ) -> None:
        """Raise NotFound when the last set of ``chain`` lacks one of the parts ``only`` names."""
        ...


EntryKind = Literal["file", "folder", "link", "other", "table", "unread"]
"""What something in a set is; ``unread`` was there, and could not be read."""


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """Something that a set brings back."""

    path: str
    """As a restore takes it to bring back this alone; bytes that are no UTF-8 as `os.fsdecode` gives them."""

    kind: EntryKind
    size: int | None = None
    """Bytes of a file; None for another name of a file that has been listed (a hard link)."""

    modified: datetime | None = None
    rows: int | None = None
    """Of a table."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How much a full set would read, as far as it can be told without reading it."""

    bytes_read: int
    files: int | None = None
    """Files of a file tree."""

    is_all: bool = True
    """Whether all was looked at; it is at least this much where time was short."""

    unread: Sequence[str] = ()
    """What may not be read, for example ``srv/wiki/key: permission denied``; the first few."""

    problems: Sequence[BackupError] = ()
    """What was met on the way that makes a run fail."""


@runtime_checkable
class Estimator(Protocol):
    """An engine that can tell how much a full set would read, without reading it."""

    def estimate(self, source: Model, context: EngineContext, *, seconds: float) -> Estimate:
        """Look at the source for about ``seconds`` at most; BackupError where it cannot be looked at."""
        ...


@runtime_checkable
class Lister(Protocol):
    """An engine that can say what is in a set without restoring it."""

    def contents(self, chain: Sequence[SetReader], context: EngineContext) -> Iterator[StoredEntry]:
        """Yield what the last set of ``chain`` brings back, a folder before what is in it."""
        ...


@runtime_checkable
class Locator(Protocol):
    """An engine that can tell which part of its source lies in a part of a stream."""

    def concerned(self, stored: SetReader, stream: str, begin: int, end: int) -> Sequence[str]:
        """Name what has content in the raw bytes ``begin`` to ``end``; a few of them are enough."""
        ...


@runtime_checkable
class Resumer(Protocol):
    """An engine that can go on with a restore that was interrupted."""

    def resume(
        self,
        chain: Sequence[SetReader],
        target: Path,
        context: EngineContext,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """Like `Engine.restore`, into a folder that holds a part of the same restore."""
        ...


@runtime_checkable
class Loader(Protocol):
    """An engine that can restore into a running server."""

    def load(
        self,
        chain: Sequence[SetReader],
        context: EngineContext,
        *,
        connection: str,
        database: str | None = None,
        until: datetime | None = None,
        overwrite: bool = False,
    ) -> RestoreReport:
        """
        Restore ``chain`` into a database of the server that ``connection`` names.

        Refused when the database holds anything and ``overwrite`` is not said.
        """
        ...


@runtime_checkable
class Sweeper(Protocol):
    """An engine that leaves something on a server between two runs: a replication slot, for example."""

    def sweep(
        self, source: Model, context: EngineContext, *, in_use: bool, dry_run: bool = False
    ) -> list[str]:
        """
        Remove what a killed run of the schedule left there, and say what it was.

        ``in_use``: the schedule has sets, or a run at work, and needs what it has there.
        """
        ...


@runtime_checkable
class Outside(Protocol):
    """An engine whose bytes lie in a place of its own (restic); a set of it is a small receipt."""

    def forget(self, manifest: Manifest, context: EngineContext) -> None:
        """Remove what the set stands for, before the set itself is removed; done twice is done."""
        ...

    def compact(self, manifest: Manifest, context: EngineContext) -> None:
        """Free the room of all that was forgotten; ``manifest`` is one of those."""
        ...
