"""What an engine package gives to the contract suite: an engine, a source, and how to look at both ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from airflow_backup.actions.backup.backup import backup
from airflow_backup.actions.backup.result import BackupResult, Run
from airflow_backup.actions.sets.stored_set import StoredSet, open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import Connections, from_environment
from airflow_backup.core.progress import Reporter
from airflow_backup.core.words import Kind
from airflow_backup.engines.protocol import Engine, EngineContext
from airflow_backup.engines.registry import Registry
from airflow_backup.schedules.model.limits import Throttle
from airflow_backup.schedules.model.policies import Compression, Encryption, Retention, Signing
from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.storage.open import open_storage

_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class EngineCase:
    """
    One engine and one source that holds something.

    ``state()`` says what is in the source now, ``restored(folder)`` what is in a folder that the engine restored:
    the two are compared with ``==``. ``change(n)`` makes the n-th change to the source; the suite makes it between
    two sets of a chain. ``missing`` are options of a source that is not there.
    """

    engine: Engine[Any]
    source: EngineOptions
    missing: EngineOptions
    state: Callable[[], object]
    restored: Callable[[Path], object]
    change: Callable[[int], object]
    connections: Connections = from_environment
    allowed_commands: Sequence[str] = ()
    """Programs that an administrator would have to allow for the source (``[backup] allowed_commands``)."""


class ContractBroken(AssertionError):
    """An engine does not keep a promise; the message says which one, and what was seen."""


@dataclass(frozen=True)
class _Job:
    """The part of a schedule that a backup reads."""

    source: EngineOptions
    repository: str
    id: str = "contract"
    connection: str | None = None
    host: str | None = None
    kind: Kind | None = None
    compression: Compression | Literal["none"] = field(default_factory=Compression)
    encryption: Encryption | None = None
    signing: Signing | None = None
    retention: Retention | None = None
    checksum: Literal["sha256", "sha512", "sha1", "md5", "blake3"] = "sha256"
    timezone: str = "UTC"
    throttle: Throttle = field(default_factory=Throttle)


class _One(Registry):
    """A registry that knows one engine, installed or not."""

    def __init__(self, engine: Engine[Any]) -> None:
        self._engine = engine

    def names(self) -> list[str]:
        return [self._engine.name]

    def get(self, name: str) -> Engine[Any]:
        return self._engine if name == self._engine.name else super().get(name)


class Stage:
    """A case at work: takes sets into a repository of its own below ``folder``, and opens them."""

    def __init__(self, case: EngineCase, folder: Path, catalog: Catalog) -> None:
        self.case, self.folder, self._catalog = case, folder, catalog
        self.scratch = folder / "scratch"
        self.scratch.mkdir(parents=True)
        self._runs = self._targets = self._changes = 0
        self._now = _START

    @classmethod
    @contextmanager
    def of(cls, case: EngineCase, folder: Path) -> Iterator[Stage]:
        """Open a catalog in memory for the sets of a case."""
        with Catalog.open("sqlite://") as catalog:
            yield cls(case, folder, catalog)

    @property
    def repository(self) -> Path:
        """The folder of the repository."""
        return self.folder / "repository"

    def context(self, reporter: Reporter | None = None) -> EngineContext:
        """Return what the engine may use, outside of a run."""
        return EngineContext(
            connections=self.case.connections,
            reporter=reporter or Reporter(),
            scratch=self.scratch,
            source=self.case.source,
            schedule_id="contract",
            allowed_commands=self.case.allowed_commands,
        )

    def take(self, kind: Kind = Kind.FULL, source: EngineOptions | None = None) -> BackupResult:
        """Take one set."""
        self._runs += 1
        return backup(
            _Job(source or self.case.source, f"file://{self.repository}"),
            Run(f"run-{self._runs}", _START + timedelta(days=self._runs)),
            catalog=self._catalog,
            connections=self.case.connections,
            clock=self._clock,
            kind=kind,
            engines=_One(self.case.engine),
            allowed_commands=self.case.allowed_commands,
        )

    def change(self) -> None:
        """Change the source once more."""
        self._changes += 1
        self.case.change(self._changes)

    def chain(self, result: BackupResult) -> list[StoredSet]:
        """Open the sets that restore one."""
        storage = open_storage(f"file://{self.repository}")
        return open_chain(storage, Trust("contract"), result.set_id)

    def target(self) -> Path:
        """Return a path below ``folder`` where nothing is yet."""
        self._targets += 1
        return self.folder / f"restored-{self._targets}"

    def _clock(self) -> datetime:
        self._now += timedelta(seconds=1)
        return max(self._now, _START + timedelta(days=self._runs))
