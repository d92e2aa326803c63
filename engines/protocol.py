"""
What every engine promises: the same functions, and one contract suite that all pass (`actions/contract`).

An engine turns a source into named streams of bytes and back. It does not know where the
streams are stored, compressed or indexed. Whatever makes a set that cannot be restored (a
missing root, an empty dump, a tool's non-zero exit, a missing trailer) is raised, never warned.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from airflow_backup.core.clock import utc_now
from airflow_backup.core.connections import Connections, from_environment
from airflow_backup.core.errors import BackupError
from airflow_backup.core.format.checksums import Bytes
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import Kind
from airflow_backup.schedules.model.sources import EngineOptions, tools_of

OptionsT_contra = TypeVar("OptionsT_contra", bound=EngineOptions, contravariant=True)


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


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What an engine may use of the world around it."""

    connections: Connections = from_environment
    reporter: Reporter = field(default_factory=Reporter)
    clock: Callable[[], datetime] = utc_now
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

    upload_limit: int | None = None
    """
    Bytes a second that may go to a repository of the engine's own; None for no limit.

    What goes through the sink keeps to it, and to a limit of reading, without the engine.
    """

    reading_is_limited: bool = False
    """
    Whether the schedule limits how fast the source is read: an engine that cannot keep to it says so in its check.
    """

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
    """How many files and bytes a restore wrote, and what it warns of."""

    files: int
    bytes_written: int
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationReport:
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


class Engine(Protocol[OptionsT_contra]):
    """
    Backs up and restores one kind of source.

    ``source`` is the engine's own options, ``Engine[RedisOptions]``; ``chain`` is a full set and the sets on top of
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
        """The kinds of sets that this engine can take."""
        ...

    def check(self, source: OptionsT_contra, context: EngineContext) -> list[BackupError]:
        """Return every problem that can be seen before anything is read; raise none."""
        ...

    def dump(
        self,
        source: OptionsT_contra,
        context: EngineContext,
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
        chain: Sequence[SetReader],
        target: Path,
        context: EngineContext,
        *,
        only: Sequence[str] = (),
        until: datetime | None = None,
    ) -> RestoreReport:
        """
        Rebuild the source at ``target``, which must be empty or missing.

        ``only`` names parts of it, for an engine that has parts; others raise ConfigError.
        ``until`` is given only where ``chain`` ends in archived logs: the moment to stop at.
        """
        ...
