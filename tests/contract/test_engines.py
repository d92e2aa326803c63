"""What every engine promises, asked of every engine in every kind it takes."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_backup.actions.backup.backup import BackupResult
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import BackupError, Refused, SourceError, VerifyError
from airflow_backup.core.words import Kind
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.registry import Registry
from airflow_backup.engines.sqlite.options import SqliteOptions
from airflow_backup.schedules.model.sources import EngineOptions
from support.sources import trees
from support.sources.sqlite_writer import writer_at
from support.stored.sets import PlainJob, chain_of, run_number, stored, take


@dataclass(frozen=True)
class Case:
    """One engine: a source, a copy of what is in it, and a look at what was restored."""

    engine: str
    source: EngineOptions
    missing: EngineOptions
    expected: Callable[[], object]
    found: Callable[[Path], object]
    change: Callable[[int], None]
    """Make the n-th change to the source."""


def files_case(folder: Path) -> Iterator[Case]:
    root = folder / "source"
    trees.make_tree(root)
    yield Case(
        "files",
        FilesOptions(engine="files", path=str(root)),
        FilesOptions(engine="files", path=str(folder / "gone")),
        lambda: trees.tree_at(root),
        trees.tree_at,
        lambda step: trees.change_tree(root, step),
    )


def sqlite_case(folder: Path, *, journal: str) -> Iterator[Case]:
    path = folder / "orders.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
        connection.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, balance)")
        connection.execute("CREATE TABLE moves (id INTEGER PRIMARY KEY, note)")
        rows = ((number, 100) for number in range(1000))
        connection.executemany("INSERT INTO account VALUES (?, ?)", rows)
        notes = ((random.randbytes(400),) for _ in range(20_000))
        connection.executemany("INSERT INTO moves (note) VALUES (?)", notes)
        connection.commit()
    with writer_at(path):
        yield Case(
            "sqlite",
            SqliteOptions(engine="sqlite", path=str(path)),
            SqliteOptions(engine="sqlite", path=str(folder / "gone.sqlite")),
            lambda: ("ok", 100_000, True),
            _sqlite_facts,
            lambda step: _sqlite_change(path, step),
        )


def _sqlite_change(path: Path, step: int) -> None:
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        connection.execute(f"CREATE TABLE step_{step} AS SELECT * FROM moves LIMIT 3000")
        if step > 1:
            connection.execute(f"DROP TABLE step_{step - 1}")


def _sqlite_facts(target: Path) -> object:
    with closing(sqlite3.connect(target / "orders.sqlite")) as connection:
        check = connection.execute("PRAGMA integrity_check").fetchone()[0]
        total = connection.execute("SELECT sum(balance) FROM account").fetchone()[0]
        moves = connection.execute("SELECT count(*) FROM moves").fetchone()[0]
    return check, total, moves >= 20_000


CASES: dict[str, Callable[[Path], Iterator[Case]]] = {
    "files": files_case,
    "sqlite-wal": lambda folder: sqlite_case(folder, journal="wal"),
    "sqlite-delete": lambda folder: sqlite_case(folder, journal="delete"),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    yield from CASES[request.param](tmp_path)


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


def repository(tmp_path: Path) -> str:
    return f"file://{tmp_path}/repository"


def test_what_was_dumped_is_restored(case: Case, catalog: Catalog, tmp_path: Path) -> None:
    job = PlainJob(case.source, repository(tmp_path))
    result = take(job, catalog)
    engine = Registry().get(case.engine)
    report = engine.restore([stored(job, result)], tmp_path / "restored", EngineContext())
    assert case.found(tmp_path / "restored") == case.expected()
    assert report.files == result.files
    assert not report.warnings


CHAINS = {
    "incremental": [Kind.FULL, *[Kind.INCREMENTAL] * 5],
    "differential": [Kind.FULL, *[Kind.DIFFERENTIAL] * 3],
    "mixed": [Kind.FULL, Kind.INCREMENTAL, Kind.DIFFERENTIAL, Kind.INCREMENTAL, Kind.INCREMENTAL],
}


@pytest.mark.parametrize("kinds", CHAINS.values(), ids=CHAINS)
def test_every_link_of_a_chain_restores_its_moment(
    case: Case, catalog: Catalog, tmp_path: Path, kinds: list[Kind]
) -> None:
    engine = Registry().get(case.engine)
    if not engine.kinds.issuperset(kinds):
        pytest.skip(f"the {case.engine} engine does not take these kinds")
    job = PlainJob(case.source, repository(tmp_path))
    moments: list[tuple[BackupResult, object]] = []
    for number, kind in enumerate(kinds):
        if number:
            case.change(number)
        result = take(job, catalog, run=run_number(number), kind=kind)
        assert (result.kind, result.reason) == (kind, None)
        moments.append((result, case.expected()))
    for number, (result, expected) in enumerate(moments):
        target = tmp_path / f"restored-{number}"
        report = engine.restore(chain_of(job, result), target, EngineContext())
        assert case.found(target) == expected
        assert not report.warnings


def test_the_check_of_a_good_source_finds_nothing(case: Case) -> None:
    assert Registry().get(case.engine).check(case.source, EngineContext()) == []


def test_a_missing_source_is_found_by_the_check_and_made_by_nobody(
    case: Case, catalog: Catalog, tmp_path: Path
) -> None:
    problems = Registry().get(case.engine).check(case.missing, EngineContext())
    assert [type(problem) for problem in problems] == [SourceError]
    job = PlainJob(case.missing, repository(tmp_path))
    with pytest.raises(SourceError, match=r"cannot read .*gone"):
        take(job, catalog)
    assert not list(tmp_path.rglob("gone*"))
    assert not list(tmp_path.rglob("manifest.json"))


def test_a_target_that_is_not_empty_is_refused(
    case: Case, catalog: Catalog, tmp_path: Path
) -> None:
    job = PlainJob(case.source, repository(tmp_path))
    result = take(job, catalog)
    target = tmp_path / "target"
    target.mkdir()
    (target / "precious").write_bytes(b"keep me")
    with pytest.raises(Refused, match="is not empty"):
        Registry().get(case.engine).restore([stored(job, result)], target, EngineContext())
    assert [path.name for path in target.iterdir()] == ["precious"]


def test_every_flipped_bit_and_every_cut_is_found_and_located(
    case: Case, catalog: Catalog, tmp_path: Path
) -> None:
    job = PlainJob(case.source, repository(tmp_path))
    result = take(job, catalog)
    opened = stored(job, result)
    piece = max(opened.manifest.pieces, key=lambda each: each.size)
    path = next(tmp_path.rglob(piece.name))
    good = path.read_bytes()
    rng = random.Random(7)
    for _ in range(20):
        at = rng.randrange(len(good))
        path.write_bytes(good[:at] + bytes([good[at] ^ (1 << rng.randrange(8))]) + good[at + 1 :])
        with pytest.raises(VerifyError, match=f"'.*{piece.name}' is damaged at bytes") as caught:
            for _block in opened.blocks(piece.stream):
                pass
        low, high = caught.value.message.rsplit("bytes ", 1)[1].split(" to ")
        assert int(low) <= at <= int(high)
        path.write_bytes(good[:at])
        with pytest.raises(BackupError):
            for _block in opened.blocks(piece.stream):
                pass
    path.write_bytes(good)


def test_a_part_of_a_stream_is_read_from_its_frames_alone(
    case: Case, catalog: Catalog, tmp_path: Path
) -> None:
    job = PlainJob(case.source, repository(tmp_path))
    opened = stored(job, take(job, catalog))
    stream = opened.manifest.streams[0]
    whole = b"".join(opened.blocks(stream))
    rng = random.Random(7)
    for _ in range(20):
        begin = rng.randrange(len(whole))
        end = min(len(whole), begin + rng.randrange(3_000_000))
        assert b"".join(opened.blocks(stream, begin, end)) == whole[begin:end]


def test_the_pieces_restore_by_hand_with_zstd_alone(
    case: Case, catalog: Catalog, tmp_path: Path
) -> None:
    job = PlainJob(case.source, repository(tmp_path))
    opened = stored(job, take(job, catalog))
    for stream in opened.manifest.streams:
        names = sorted(str(path) for path in tmp_path.rglob(f"{stream}.*.zst"))
        raw = subprocess.run(
            ["bash", "-c", 'cat "$@" | zstd -d', "-", *names], capture_output=True, check=True
        ).stdout
        assert hashlib.sha256(raw).digest() == _digest(opened.blocks(stream))


def _digest(blocks: Iterator[bytes]) -> bytes:
    running = hashlib.sha256()
    for block in blocks:
        running.update(block)
    return running.digest()


def test_an_archive_unpacks_with_tar_alone(tmp_path: Path, catalog: Catalog) -> None:
    root = tmp_path / "source"
    trees.make_tree(root)
    job = PlainJob(FilesOptions(engine="files", path=str(root)), repository(tmp_path))
    take(job, catalog)
    target = tmp_path / "target"
    target.mkdir()
    command = (
        f"cat {tmp_path}/repository/wiki/sets/*/files.tar.*.zst | zstd -d | "
        f"tar -x -p --xattrs --xattrs-include='*' -C {target}"
    )
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    expected, found = trees.tree_at(root), trees.tree_at(target)
    if os.geteuid():
        expected, found = trees.tree_at(root, owners=False), trees.tree_at(target, owners=False)
    assert found == expected
