"""
The treaty of every engine: the same functions, one contract suite that all pass.

An engine turns a source into named streams of bytes and back. It does not know where the
streams are stored, compressed or indexed. Whatever makes a set that cannot be restored (a
missing root, an empty dump, a tool's non-zero exit, a missing trailer) is raised, never warned.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from airflow_backup.core.connections import Connections, from_environment
from airflow_backup.core.errors import BackupError
from airflow_backup.core.format.checksums import Bytes
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import Kind
from airflow_backup.schedules.model.base import Model
from airflow_backup.schedules.model.sources import EngineOptions, tools_of


class Stream(Protocol):
    """One named stream of a set while it is written."""

    @property
    def position(self) -> int:
        """Raw bytes so far: where the next byte will be found."""
        ...

    @property
    def room(self) -> int:
        """Bytes until the frame is full; a write of exactly this much is not copied."""
        ...

    def write(self, data: Bytes, /) -> None:
        """Add bytes, which must not change afterwards; may wait until earlier ones are stored."""
        ...


class Sink(Protocol):
    """Takes the streams of one set."""

    def stream(self, name: str, *, is_index: bool = False) -> AbstractContextManager[Stream]:
        """
        Begin a stream; it is complete when the block ends without an error.

        An index is what the next incremental reads of its parent. Of an encrypted set nothing
        else can be read then.
        """
        ...


class SetReader(Protocol):
    """Gives the streams of one stored set; every byte is checked before it is given."""

    @property
    def manifest(self) -> Manifest:
        """What the set says about itself."""
        ...

    def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the raw bytes ``begin`` to ``end`` of a stream, in blocks of a frame or less."""
        ...


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an engine may use of the world around it."""

    connections: Connections = from_environment
    reporter: Reporter = field(default_factory=Reporter)
    clock: Callable[[], datetime] = _utc_now
    scratch: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    """Where temporary copies may lie; the engine removes its own."""

    expected_bytes: int | None = None
    """How much the last set read; an engine that cannot know better reports against it."""

    schedule_id: str | None = None
    """Whose run it is, for names that an engine leaves on a server."""

    kind: Kind | None = None
    """The kind that the run was asked for, so that a check can say what is in the way of it."""

    newest_log: Manifest | None = None
    """
    The schedule's newest archived log, where the next one is taken: it begins where that one ended.

    That is not always the parent: full and incremental sets may have been taken since.
    """

    set_id: str = ""
    """The set that is being taken; an engine that stores elsewhere marks its own copy with it."""

    source_roots: Sequence[str] | None = None
    """Folders within which local sources must lie; None for a schedule that may read anything."""

    source: EngineOptions | None = None
    """
    The source's options where a schedule is at hand: programs, connections and addresses come from here.

    Never from what a set says: whoever may write to a repository would choose what is run here, and with whose
    password.
    """

    allowed_commands: Sequence[str] = ()
    """The executables that an administrator lets schedules run (``[backup] allowed_commands``)."""

    @property
    def tools(self) -> str | None:
        """The folder of programs, or the program, that the schedule names."""
        return tools_of(self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpReport:
    """What a dump read, as far as the engine can know it."""

    consistent_at: datetime
    """The moment of the source that the set restores (UTC)."""

    files: int
    bytes_read: int
    bytes_elsewhere: int = 0
    """What the engine stored in a place of its own, besides the streams."""

    tools: Mapping[str, str] = field(default_factory=dict)
    """Programs and libraries that took part, and their versions."""

    counts: Mapping[str, int] = field(default_factory=dict)
    """What the source held: rows by table."""

    warnings: Sequence[str] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    """What the engine needs to take the next incremental; plain JSON data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """What a restore wrote."""

    files: int
    bytes_written: int
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """
    What a decoding or a restore test found; damage is raised as VerifyError instead.

    ``inconclusive`` says why nothing could be said (a program or a role is missing), and is
    None when something was.
    """

    inconclusive: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was found, under the names of `DumpReport.counts`."""

    uncounted: Sequence[str] = ()
    """Names of `DumpReport.counts` of which nothing could be told here."""

    checks: Sequence[str] = ()
    """What was looked at, in words for the report."""

    isolation: Sequence[str] = ()
    """What held whatever was restored apart from this machine, in words for the report."""


class Engine(Protocol):
    """
    Backs up and restores one kind of source.

    ``source`` is the engine's own options model; ``path`` is a full set and the sets on top of
    it, in the order in which they apply.
    """

    @property
    def name(self) -> str:
        """The word after ``engine:`` in a schedule."""
        ...

    @property
    def version(self) -> str:
        """The version of the layout inside its streams; a reader refuses a newer one."""
        ...

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds it can take."""
        ...

    def check(self, source: Model, around: Surroundings) -> list[BackupError]:
        """Return every problem that can be seen before anything is read; raise none."""
        ...

    def dump(
        self,
        source: Model,
        around: Surroundings,
        *,
        kind: Kind,
        parent: SetReader | None,
        sink: Sink,
    ) -> DumpReport:
        """
        Read the source into streams; ``parent`` is what an incremental is a change of.

        ParentUnusable: the parent cannot be built upon, and a full set would help.
        """
        ...

    def restore(
        self,
        path: Sequence[SetReader],
        target: Path,
        around: Surroundings,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """
        Rebuild the source at ``target``, which must be empty or missing.

        ``only`` names parts of it, for an engine that has parts; others raise ConfigError.
        ``until`` is given only where ``path`` ends in archived logs: the moment to stop at.
        """
        ...


@runtime_checkable
class StateDescriber(Protocol):
    """An engine that says of what form the ``state`` in its manifests is; others check it where they use it."""

    @property
    def state_model(self) -> type[BaseModel]:
        """The model; it is validated with the set's kind as ``info.context["kind"]``."""
        ...


@runtime_checkable
class Decoder(Protocol):
    """An engine that can read its streams as their format, without a server."""

    def decode(self, path: Sequence[SetReader], around: Surroundings) -> Proof:
        """
        Decode the last set of ``path`` to its end; VerifyError where it is not what it says.

        Work goes into a folder below ``around.scratch``, which is removed again.
        """
        ...


@runtime_checkable
class RestoreTester(Protocol):
    """An engine that can restore into a throwaway place and look at what it got."""

    def try_restore(
        self, path: Sequence[SetReader], around: Surroundings, *, assertions: Sequence[str] = ()
    ) -> Proof:
        """
        Restore ``path`` below ``around.scratch``, count, and remove it again.

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

    def check_structure(self, path: Sequence[SetReader]) -> Sequence[str]:
        """
        Look at everything in the last set of ``path`` but content; return what was looked at, in words.

        VerifyError where the set could not be restored. It is asked at level `standard`, after each
        backup: it must not cost much more than reading the set does.
        """
        ...


@runtime_checkable
class PartChecker(Protocol):
    """An engine that restores parts of its source, and can tell whether a set has them."""

    def check_parts(
        self, path: Sequence[SetReader], only: Sequence[str], around: Surroundings
    ) -> None:
        """Raise NotFound when the last set of ``path`` lacks one of the parts ``only`` names."""
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
        path: Sequence[SetReader],
        target: Path,
        around: Surroundings,
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
        path: Sequence[SetReader],
        around: Surroundings,
        *,
        connection: str,
        database: str | None = None,
        until: datetime | None = None,
        overwrite: bool = False,
    ) -> RestoreReport:
        """
        Restore ``path`` into a database of the server that ``connection`` names.

        Refused when the database holds anything and ``overwrite`` is not said.
        """
        ...


@runtime_checkable
class Sweeper(Protocol):
    """An engine that leaves something on a server between two runs: a replication slot, for example."""

    def sweep(
        self, source: Model, around: Surroundings, *, in_use: bool, dry_run: bool = False
    ) -> list[str]:
        """
        Remove what a killed run of the schedule left there, and say what it was.

        ``in_use``: the schedule has sets, or a run at work, and needs what it has there.
        """
        ...


@runtime_checkable
class Outside(Protocol):
    """An engine whose bytes lie in a place of its own (restic); a set of it is a small receipt."""

    def forget(self, manifest: Manifest, around: Surroundings) -> None:
        """Remove what the set stands for, before the set itself is removed; done twice is done."""
        ...

    def compact(self, manifest: Manifest, around: Surroundings) -> None:
        """Free the room of all that was forgotten; ``manifest`` is one of those."""
        ...
