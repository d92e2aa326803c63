"""
The one property: a set that says completed restores to the state that was there, minus what the set itself lists.

Seeded histories of file trees and of SQLite databases, with faults under every read of the source and every call of
the repository. `HISTORIES=2000 pytest tests/unit/engines/files/test_histories.py` runs as many of each.
"""

from __future__ import annotations

import errno
import os
import random
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup import backup as backup_module
from airflow_backup.actions.backup.backup import BackupResult
from airflow_backup.actions.sets.stored_set import open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.actions.verify.verify import Bare, Verifier
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import BackupError, StorageUnavailable
from airflow_backup.core.format.age import Identity
from airflow_backup.core.words import Kind, VerificationLevel, VerificationOutcome
from airflow_backup.engines.files.engine import FilesEngine
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.sqlite.engine import SqliteEngine
from airflow_backup.engines.sqlite.options import SqliteOptions
from airflow_backup.schedules.model.policies import Compression, Encryption
from support.sources import trees
from support.sources.disturbance import Disturbance
from support.sources.source_faults import read_error, struck
from support.sources.tree_histories import TreeHistory
from support.stored.failing_storage import FailingStorage
from support.stored.sets import Clock, PlainJob, run_number, take

COUNT = int(os.environ.get("HISTORIES", "24"))
FIRST = int(os.environ.get("FIRST_HISTORY", "0"))
BATCH = 8
ERRORS = (errno.EIO, errno.ESTALE, errno.EACCES, errno.ENOENT, errno.ENXIO, errno.ELOOP)
KEY = Identity(b"a key of 32 bytes for the tests.")
SEALED = Encryption(recipients=[KEY.recipient.text])
_LISTED = re.compile(r"left out (the attributes of )?'(.*)': ", re.DOTALL)


@pytest.fixture(scope="module")
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@dataclass
class Faults:
    """What goes wrong in one run, from one random generator."""

    rng: random.Random
    reads: bool
    disturbance: Disturbance | None = None
    struck: set[str] = field(default_factory=set)

    @property
    def touched(self) -> set[bytes]:
        return set() if self.disturbance is None else self.disturbance.touched

    def strike(self, call: str, path: str, offset: int) -> int | None:
        if self.disturbance is not None:
            self.disturbance.strike(path)
        if not self.reads or path == ".":
            return None
        if call in ("read", "preadv") and self.rng.random() < 0.3:
            return self.rng.randrange(1, 60_000)  # a read that comes short
        if self.rng.random() < 0.02:
            self.struck.add(path)
            # ENXIO says where the data of a file ends: who gives it to a question for holes tells a lie.
            raise read_error(errno.EIO if call == "lseek" else self.rng.choice(ERRORS))
        return None

    def blow(self, operation: str, name: str) -> None:
        if self.rng.random() < 0.01:
            raise StorageUnavailable(f"nobody answers: {operation} {name}")


def batches() -> list[range]:
    seeds = range(FIRST, FIRST + COUNT)
    return [seeds[at : at + BATCH] for at in range(0, len(seeds), BATCH)]


@pytest.mark.parametrize("seeds", batches(), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_every_completed_set_of_a_tree_restores_what_it_does_not_list_as_missing(
    seeds: range, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in seeds:
        place = tmp_path / f"history-{seed}"
        place.mkdir()
        _Files(seed, place, catalog, monkeypatch).run()
        shutil.rmtree(place)


@dataclass
class _Expected:
    """What a set must give back."""

    facts: trees.Tree
    missing: tuple[str, ...]
    touched: set[bytes]
    """What somebody changed while it was read."""

    always: set[bytes]
    """What was a file all that time."""


class _Files:
    def __init__(self, seed: int, place: Path, catalog: Catalog, patch: pytest.MonkeyPatch) -> None:
        self.seed, self.rng, self.place, self.catalog = seed, random.Random(seed), place, catalog
        self.storage = FailingStorage()
        patch.setattr(backup_module, "open_storage", lambda *given, **named: self.storage)
        self.tree = TreeHistory(place / "source", self.rng, odd=seed % 4 == 1)
        source = FilesOptions(
            engine="files",
            path=str(place / "source"),
            on_unreadable="warn" if self.rng.random() < 0.8 else "fail",
            compare="content" if self.rng.random() < 0.2 else "metadata",
        )
        self.job = PlainJob(
            source,
            f"memory://tree-{seed}",
            id=f"tree{seed}",
            compression="none" if self.rng.random() < 0.2 else Compression(level=1),
            encryption=self.rng.choice((None, None, None, SEALED)),
        )
        self.expected: dict[str, _Expected] = {}

    def run(self) -> None:
        for number in range(self.rng.choice((6, 7, 8, 8, 14))):
            self._take(number)
            self.tree.step()
        assert self.expected or self.seed % 4 == 0
        for set_id, expected in self.expected.items():
            self._check(set_id, expected)

    def _take(self, number: int) -> None:
        facts = trees.tree_at(self.place / "source")
        kind = self.rng.choice((Kind.INCREMENTAL, Kind.INCREMENTAL, Kind.DIFFERENTIAL, Kind.FULL))
        struck_before: set[str] = set()  # an attempt may take over what the one before it stored
        for attempt in (1, 2, 3):
            faults = self._faults(number, attempt)
            faults.struck = struck_before
            calm = attempt == 3 or faults.disturbance is not None
            self.storage.blow = (lambda operation, name: None) if calm else faults.blow
            is_struck = faults.reads or faults.disturbance is not None
            try:
                with struck(self.place / "source", faults.strike) if is_struck else nullcontext():
                    result = take(
                        self.job, self.catalog, run=run_number(number, attempt=attempt), kind=kind
                    )
            except BackupError:
                assert not calm  # who works in a tree does not make a run fail
                continue
            finally:
                self.storage.blow = lambda operation, name: None
            self._note(result, facts, faults)
            return

    def _faults(self, number: int, attempt: int) -> Faults:
        if self.seed % 4 == 2 and number % 2 and attempt == 1:
            return Faults(self.rng, reads=False, disturbance=Disturbance(self.tree.root, self.rng))
        return Faults(self.rng, reads=self.seed % 4 == 0 and attempt == 1)

    def _note(self, result: BackupResult, facts: trees.Tree, faults: Faults) -> None:
        listed = [_LISTED.match(each) for each in result.warnings]
        others = [
            each for each, found in zip(result.warnings, listed, strict=True) if found is None
        ]
        touched = {_shown(os.fsdecode(each)) for each in faults.touched}
        for each in others:
            assert any(each.startswith(f"'{path}'") for path in touched), each
        missing = tuple(found[2] for found in listed if found and not found[1])
        bare = {found[2] for found in listed if found and found[1]}
        assert {_shown(each) for each in faults.struck} >= {*missing, *bare}, result.warnings
        wanted = {
            path: (*each[:-1], {}) if _shown(os.fsdecode(path)) in bare else each
            for path, each in facts.items()
            if path not in faults.touched
        }
        always = set() if faults.disturbance is None else faults.disturbance.always
        self.expected[result.set_id] = _Expected(wanted, missing, faults.touched, always)

    def _check(self, set_id: str, expected: _Expected) -> None:
        target = self.place / "restored"
        chain = open_chain(self.storage, Trust(self.job.id), set_id, [KEY])
        report = FilesEngine().restore(chain, target, EngineContext())
        everything = trees.tree_at(target)
        found = {chain: each for chain, each in everything.items() if chain not in expected.touched}
        missing = expected.missing
        wanted = {
            chain: each for chain, each in expected.facts.items() if not _is_listed(chain, missing)
        }
        _regroup(wanted)
        _regroup(found)
        assert {each for each in found if each not in wanted} <= _made_on_the_way(missing)
        for each, what in wanted.items():
            assert found.get(each) == what, (self.seed, set_id, each)
        assert everything.keys() >= expected.always, (self.seed, set_id)
        assert len(report.warnings) == len(missing)
        verifier = Verifier(
            Bare(self.job.id, self.job.repository),
            catalog=None,
            connections=from_environment,
            clock=Clock(),
            storage=self.storage,
            keys=[KEY],
        )
        (verified,) = verifier.verify(set_id, VerificationLevel.STANDARD)
        assert verified.outcome is VerificationOutcome.PASSED, (self.seed, verified.reason)
        shutil.rmtree(target)


def _shown(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _is_listed(path: bytes, missing: tuple[str, ...]) -> bool:
    shown = path.decode("utf-8", "backslashreplace")
    return any(shown == each or shown.startswith(each + "/") for each in missing)


def _made_on_the_way(missing: tuple[str, ...]) -> set[bytes]:
    """A folder that is listed may come back without its own attributes, for what was read in it."""
    return {each.encode("utf-8", "surrogateescape") for each in missing}


def _regroup(facts: trees.Tree) -> None:
    """Name each group of hard links by the first of its names that is wanted."""
    groups: dict[object, list[bytes]] = {}
    for path in sorted(facts):
        if facts[path][4] is not None:
            groups.setdefault(facts[path][4], []).append(path)
    for names in groups.values():
        for path in names:
            group = names[0] if len(names) > 1 else None
            facts[path] = (*facts[path][:4], group, *facts[path][5:])


@pytest.mark.parametrize("seeds", batches(), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_every_completed_set_of_a_database_restores_what_was_there(
    seeds: range, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in seeds:
        place = tmp_path / f"history-{seed}"
        place.mkdir()
        _Database(seed, place, catalog, monkeypatch).run()
        shutil.rmtree(place)


def told_by(connection: sqlite3.Connection) -> list[Any]:
    """Return all that a database holds: its schema and every row, with the type of each value."""
    connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    schema = connection.execute(
        "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2"
    ).fetchall()
    rows = {}
    for kind, name, _ in schema:
        if kind == "table":
            quoted = name.replace('"', '""')
            found = connection.execute(f'SELECT *, typeof(b) FROM "{quoted}"').fetchall()
            rows[name] = sorted(map(repr, found))
    return [schema, rows]


class _Database:
    def __init__(self, seed: int, place: Path, catalog: Catalog, patch: pytest.MonkeyPatch) -> None:
        self.seed, self.rng, self.place, self.catalog = seed, random.Random(seed), place, catalog
        self.storage = FailingStorage()
        patch.setattr(backup_module, "open_storage", lambda *given, **named: self.storage)
        self.path = place / self.rng.choice(("a.sqlite", "with space.db", "ü.db", "x'y\"z.sqlite"))
        self.live = self._open()
        self.live.execute(f"PRAGMA page_size = {self.rng.choice((512, 1024, 4096, 65536))}")
        self.live.execute(f"PRAGMA auto_vacuum = {self.rng.randrange(3)}")
        self.live.execute(f"PRAGMA encoding = '{self.rng.choice(('UTF-8', 'UTF-16le'))}'")
        self.live.execute(f"PRAGMA journal_mode = {self.rng.choice(('wal', 'delete', 'truncate'))}")
        for _ in range(3):
            self._make_table()
        source = SqliteOptions(engine="sqlite", path=str(self.path))
        self.job = PlainJob(source, f"memory://base-{seed}", id=f"base{seed}")
        self.expected: dict[str, list[Any]] = {}

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, isolation_level=None)

    def run(self) -> None:
        for number in range(self.rng.randrange(6, 9)):
            self._take(number)
            for _ in range(self.rng.randrange(0, 6)):
                self._step()
        self.live.close()
        for set_id, told in self.expected.items():
            self._check(set_id, told)

    def _step(self) -> None:
        steps = (self._insert, self._insert, self._update, self._delete, self._make_table)
        rare = (self._vacuum, self._replace, self._drop, self._checkpoint, self._switch)
        self.rng.choice(steps if self.rng.random() < 0.75 else rare)()

    def _tables(self) -> list[str]:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        return [name for (name,) in self.live.execute(query)]

    def _make_table(self) -> None:
        name = self.rng.choice(("t", "two words", 'quo"te', "ünï", "select", "a'b", "%s"))
        quoted = '"' + f"{name}{self.rng.randrange(20)}".replace('"', '""') + '"'
        columns = self.rng.choice(
            ("a, b", "a INTEGER PRIMARY KEY, b", "a TEXT PRIMARY KEY, b) WITHOUT ROWID --")
        )
        self.live.execute(f"CREATE TABLE IF NOT EXISTS {quoted} ({columns}\n)".replace("--\n)", ""))

    def _table(self) -> str:
        tables = self._tables()
        if not tables:
            self._make_table()
            tables = self._tables()
        return '"' + self.rng.choice(tables).replace('"', '""') + '"'

    def _insert(self) -> None:
        table, rng = self._table(), self.rng
        rows: list[tuple[Any, Any]] = [
            (
                rng.randrange(10**9),
                rng.choice((None, 1.5, "text", rng.randbytes(rng.randrange(9000)))),
            )
            for _ in range(rng.randrange(1, 60))
        ]
        self.live.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", rows)

    def _update(self) -> None:
        self.live.execute(f"UPDATE {self._table()} SET b = b || 'x' WHERE a % 3 = 0")

    def _delete(self) -> None:
        self.live.execute(f"DELETE FROM {self._table()} WHERE a % 2 = 0")

    def _drop(self) -> None:
        self.live.execute(f"DROP TABLE {self._table()}")

    def _vacuum(self) -> None:
        self.live.execute("VACUUM")

    def _checkpoint(self) -> None:
        self.live.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _switch(self) -> None:
        self.live.execute(f"PRAGMA journal_mode = {self.rng.choice(('wal', 'delete'))}").fetchall()

    def _replace(self) -> None:
        """Put another database in its place, as applications do that write a new file and rename it."""
        other = self.place / "other"
        other.unlink(missing_ok=True)
        self.live.execute("VACUUM INTO ?", (str(other),))
        self.live.close()
        other.rename(self.path)
        self.live = self._open()
        self._insert()

    def _take(self, number: int) -> None:
        kind = self.rng.choice((Kind.INCREMENTAL, Kind.INCREMENTAL, Kind.DIFFERENTIAL, Kind.FULL))
        told = told_by(self.live)
        for attempt in (1, 2, 3):
            faults = Faults(self.rng, reads=False)
            self.storage.blow = faults.blow if attempt < 3 else lambda operation, name: None
            try:
                result = take(
                    self.job, self.catalog, run=run_number(number, attempt=attempt), kind=kind
                )
            except BackupError:
                assert attempt < 3
                continue
            finally:
                self.storage.blow = lambda operation, name: None
            self.expected[result.set_id] = told
            return

    def _check(self, set_id: str, told: list[Any]) -> None:
        target = self.place / "restored"
        chain = open_chain(self.storage, Trust(self.job.id), set_id)
        SqliteEngine().restore(chain, target, EngineContext())
        (database,) = target.iterdir()
        with closing(sqlite3.connect(database)) as restored:
            assert told_by(restored) == told, (self.seed, set_id)
            assert restored.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        verifier = Verifier(
            Bare(self.job.id, self.job.repository),
            catalog=None,
            connections=from_environment,
            clock=Clock(),
            storage=self.storage,
        )
        (verified,) = verifier.verify(set_id, VerificationLevel.STANDARD)
        assert verified.outcome is VerificationOutcome.PASSED, (self.seed, verified.reason)
        shutil.rmtree(target)
