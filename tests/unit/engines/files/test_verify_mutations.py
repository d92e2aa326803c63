"""
The default verification finds every set that would not restore: sets as a broken writer would have made them.

`MUTATIONS=2000 pytest tests/unit/test_verify_mutations.py` makes as many of each. Only what an engine writes around
the content is changed: the content itself nobody can tell from what was there.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.sets.stored_set import open_chain
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.actions.verify.verify import Bare, Verifier
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import BackupError
from airflow_backup.core.words import Kind, VerificationLevel, VerificationOutcome
from airflow_backup.engines.files.engine import FilesEngine
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import Engine, EngineContext
from airflow_backup.engines.sqlite.engine import SqliteEngine
from airflow_backup.engines.sqlite.options import SqliteOptions
from airflow_backup.storage.memory import MemoryStorage
from support.sources import trees
from support.stored.forged import Forger, streams_of
from support.stored.sets import Clock, PlainJob, chain_of, run_number, take

COUNT = int(os.environ.get("MUTATIONS", "120"))
FIRST = int(os.environ.get("FIRST_MUTATION", "0"))
HEADER = {"name": (0, 14), "rights": (100, 124), "size": (124, 136), "time": (136, 148)}
HEADER |= {"kind": (156, 157), "link": (157, 165), "magic": (257, 265)}

Streams = dict[str, bytes]


@pytest.fixture(scope="module")
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


class Mutated:
    """A chain of sets of which the last one is changed, and what a good restore of it gives."""

    def __init__(
        self,
        engine: Engine[Any],
        job: PlainJob,
        catalog: Catalog,
        changes: list[Callable[[], None]],
    ) -> None:
        self.engine, self.job = engine, job
        result = take(job, catalog, run=run_number(0))
        for number, change in enumerate(changes, start=1):
            change()
            result = take(job, catalog, run=run_number(number), kind=Kind.INCREMENTAL)
        self.path = chain_of(job, result)
        self.below = [streams_of(each) for each in self.path[:-1]]
        self.own = streams_of(self.path[-1])

    def stored(self, streams: Streams) -> MemoryStorage:
        storage = MemoryStorage()
        forger = Forger(storage)
        for each, its_own in zip(self.path, [*self.below, streams], strict=True):
            forger.forge(each, its_own)
        return storage

    def passes(self, storage: MemoryStorage) -> bool:
        verifier = Verifier(
            Bare(self.job.id, "memory://"),
            catalog=None,
            connections=from_environment,
            clock=Clock(),
            storage=storage,
        )
        (found, *_) = verifier.verify(self.path[-1].manifest.set_id, VerificationLevel.STANDARD)
        assert found.outcome is not VerificationOutcome.INCONCLUSIVE, found.reason
        return found.outcome is VerificationOutcome.PASSED

    def restores(self, storage: MemoryStorage, target: Path) -> bool:
        chain = open_chain(storage, Trust(self.job.id), self.path[-1].manifest.set_id)
        try:
            self.engine.restore(chain, target, EngineContext())
        except BackupError:
            return False
        return True


def in_header(rng: random.Random, streams: Streams) -> None:
    name, archive = rng.choice([each for each in streams.items() if each[0].endswith(".tar")])
    at = rng.choice(headers_of(archive))
    begin, end = rng.choice([*HEADER.values()])
    changed = bytearray(archive)
    changed[at + rng.randrange(begin, end)] = rng.choice(b"\0 +-.01789A\xff")
    changed[at + 148 : at + 156] = b" " * 8
    changed[at + 148 : at + 156] = b"%06o\0 " % sum(changed[at : at + 512])
    streams[name] = bytes(changed)


def in_record(rng: random.Random, streams: Streams) -> None:
    name, archive = rng.choice([each for each in streams.items() if each[0].endswith(".tar")])
    extended = [at for at in headers_of(archive) if archive[at + 156 : at + 157] == b"x"]
    if not extended:
        return
    at = rng.choice(extended)
    changed = bytearray(archive)
    place = at + 512 + rng.randrange(int(archive[at + 124 : at + 135], 8))
    changed[place] = rng.choice(b"\0\n +-.0189=A\xff")
    streams[name] = bytes(changed)


def out_of_step(rng: random.Random, streams: Streams) -> None:
    name = rng.choice(list(streams))
    at, length = rng.randrange(len(streams[name])), rng.choice((1, 100, 512, 1024))
    more = bytes(length) if rng.random() < 0.5 else b""
    streams[name] = streams[name][:at] + more + streams[name][at + (0 if more else length) :]


def in_line(rng: random.Random, streams: Streams) -> None:
    lines = streams["index"].split(b"\n")[:-1]
    at = rng.randrange(len(lines))
    line = bytearray(lines[at])
    line[rng.randrange(len(line))] = rng.choice(b"0189 -+!fp/.a\\\0\xff")
    lines[at] = bytes(line)
    streams["index"] = b"\n".join(lines) + b"\n"


def of_lines(rng: random.Random, streams: Streams) -> None:
    lines = streams["index"].split(b"\n")[:-1]
    at = rng.randrange(len(lines))
    if rng.random() < 0.5:
        lines.insert(rng.randrange(len(lines)), lines[at])
    else:
        del lines[at]
    streams["index"] = b"\n".join(lines) + b"\n"


def in_pages(rng: random.Random, streams: Streams) -> None:
    name = rng.choice([each for each in streams if each.startswith("pages.")])
    changed = bytearray(streams[name])
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    streams[name] = bytes(changed)


def headers_of(archive: bytes) -> list[int]:
    return [at for at in range(0, len(archive), 512) if archive[at + 257 : at + 262] == b"ustar"]


@pytest.mark.parametrize("links", [0, 2])
def test_every_set_of_a_tree_that_would_not_restore_is_found(
    tmp_path: Path, catalog: Catalog, links: int
) -> None:
    root = tmp_path / "source"
    make_tree(root)
    job = PlainJob(
        FilesOptions(engine="files", path=str(root)), f"file://{tmp_path}/r", id=f"tree{links}"
    )
    changes: list[Callable[[], None]] = [partial(change_tree, root, n) for n in range(links)]
    mutated = Mutated(FilesEngine(), job, catalog, changes)
    wanted = trees.tree_at(root)
    kinds = (in_header, in_header, in_record, out_of_step, in_line, of_lines)
    found = {"passed": 0, "found": 0}
    for seed in range(FIRST, FIRST + COUNT):
        rng, streams, target = random.Random(seed), dict(mutated.own), tmp_path / "back"
        kind = rng.choice(kinds)
        kind(rng, streams)
        storage = mutated.stored(streams)
        is_good = mutated.restores(storage, target)
        if mutated.passes(storage):
            found["passed"] += 1
            assert is_good, seed
            # What is taken out of the middle of a content may end where the next header begins.
            whole = kind is not out_of_step
            assert shape(trees.tree_at(target), whole=whole) == shape(wanted, whole=whole), seed
        else:
            found["found"] += streams != mutated.own
        shutil.rmtree(target, ignore_errors=True)
    assert min(found.values()) > COUNT // 20, found


def shape(facts: trees.Tree, *, whole: bool) -> dict[bytes, object]:
    """Return what a verification answers for: names, kinds, links between names, and ``whole`` content."""
    return {path: (each[0], each[4], each[6] if whole else None) for path, each in facts.items()}


def make_tree(root: Path) -> None:
    root.mkdir()
    rng = random.Random(1)
    for name in ("plain", "new\nline", "n" * 101, "m" * 255, "empty"):
        (root / name).write_bytes(rng.randbytes(rng.randrange(900)) if name != "empty" else b"")
    (root / "folder" / "deeper").mkdir(parents=True)
    (root / "folder" / "deeper" / "inside").write_bytes(b"inside")
    (root / "large").write_bytes(rng.randbytes(1_300_000))
    with (root / "holes").open("wb") as file:
        file.write(b"head")
        file.seek(3_000_000)
        file.write(b"middle")
        file.truncate(5_000_000)
    os.link(root / "plain", root / "second name")
    (root / "link").symlink_to("plain")
    (root / "long link").symlink_to("x/" * 90)
    os.mkfifo(root / "fifo")
    os.setxattr(root / "plain", "user.comment", b"a comment")
    os.utime(root / "empty", ns=(1, -1_500_000_001))
    os.utime(root / "link", (1e9, 1e9), follow_symlinks=False)


def change_tree(root: Path, step: int) -> None:
    (root / f"new-{step}").write_bytes(b"new")
    (root / "folder" / "deeper" / "inside").write_bytes(b"%d" % step)
    for name, at in (("large", 1_100_000), ("holes", 3_000_001)):
        with (root / name).open("r+b") as file:
            file.seek(at)
            file.write(b"%d" % step)


def test_every_set_of_a_database_that_would_not_restore_is_found(
    tmp_path: Path, catalog: Catalog
) -> None:
    path = tmp_path / "orders.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note)")
        connection.executemany("INSERT INTO orders (note) VALUES (?)", [("x" * 90,)] * 3000)

        def change() -> None:
            connection.execute("UPDATE orders SET note = note || 'y' WHERE id % 700 = 3")

        source = SqliteOptions(engine="sqlite", path=str(path))
        job = PlainJob(source, f"file://{tmp_path}/r", id="orders")
        mutated = Mutated(SqliteEngine(), job, catalog, [change, change])
        expected = list(connection.iterdump())
    for seed in range(FIRST, FIRST + COUNT):
        rng, streams, target = random.Random(seed), dict(mutated.own), tmp_path / "back"
        rng.choice((in_pages, out_of_step))(rng, streams)
        storage = mutated.stored(streams)
        is_good = mutated.restores(storage, target)
        if mutated.passes(storage):
            assert is_good, seed
            with closing(sqlite3.connect(target / "orders.sqlite")) as restored:
                assert list(restored.iterdump()) == expected, seed
        shutil.rmtree(target, ignore_errors=True)
