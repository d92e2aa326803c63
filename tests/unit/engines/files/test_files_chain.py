"""What an incremental of a file tree stores, and that every link of its chain comes back."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import BackupResult
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import EngineError, NotFound, VerifyError
from airflow_backup.core.words import Kind
from airflow_backup.engines.files.engine import FilesEngine
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import EngineContext
from support.sources import trees
from support.stored.sets import PlainJob, chain_of, run_number, stored, take

INCREMENTAL, DIFFERENTIAL = Kind.INCREMENTAL, Kind.DIFFERENTIAL
OLD_ENOUGH = 0.06
"""Seconds after which a file's times are trusted."""


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    root.mkdir()
    return root


def job_of(root: Path, **options: Any) -> PlainJob:
    source = FilesOptions(engine="files", path=str(root), **options)
    return PlainJob(source, f"file://{root.parent}/repository")


def counts(job: PlainJob, result: BackupResult) -> dict[str, int]:
    return stored(job, result).manifest.counts


def back(job: PlainJob, result: BackupResult, target: Path, *only: str) -> Path:
    FilesEngine().restore(chain_of(job, result), target, EngineContext(), only=only)
    return target


@pytest.mark.parametrize("compare", ["metadata", "content"])
def test_every_link_of_a_chain_is_the_tree_of_its_moment(
    tmp_path: Path, catalog: Catalog, compare: str
) -> None:
    root = tmp_path / "source"
    trees.make_tree(root)
    job = job_of(root, compare=compare)
    kinds = [Kind.FULL, INCREMENTAL, INCREMENTAL, DIFFERENTIAL, INCREMENTAL, INCREMENTAL]
    moments: list[tuple[BackupResult, trees.Tree]] = []
    for number, kind in enumerate(kinds):
        if number:
            trees.change_tree(root, number)
        result = take(job, catalog, run=run_number(number), kind=kind)
        assert (result.kind, result.reason) == (kind, None)
        moments.append((result, trees.tree_at(root)))
    for number, (result, expected) in enumerate(moments):
        assert trees.tree_at(back(job, result, tmp_path / f"restored-{number}")) == expected
    assert [len(chain_of(job, result)) for result, _ in moments] == [1, 2, 3, 2, 3, 4]


def test_what_did_not_change_is_not_stored_again(root: Path, catalog: Catalog) -> None:
    (root / "folder").mkdir()
    for number in range(100):
        (root / "folder" / f"file-{number}").write_bytes(os.urandom(1000))
    os.link(root / "folder" / "file-1", root / "second-name")
    (root / "link").symlink_to("folder")
    job = job_of(root)
    time.sleep(OLD_ENOUGH)
    take(job, catalog, run=run_number(1))
    result = take(job, catalog, run=run_number(2), kind=INCREMENTAL)
    assert counts(job, result) == {"stored": 1, "removed": 0}, "only the second name, a header"
    assert result.files == 104
    assert result.bytes_read == 0
    assert result.bytes_stored < 20_000


def test_what_is_gone_is_recorded_and_not_restored(
    root: Path, catalog: Catalog, tmp_path: Path
) -> None:
    for name in ("stays", "goes", "goes.too"):
        (root / name).mkdir()
        (root / name / "file").write_bytes(b"x")
    job = job_of(root)
    take(job, catalog, run=run_number(1))
    (root / "goes" / "file").unlink()
    (root / "goes").rmdir()
    (root / "goes.too" / "file").unlink()
    result = take(job, catalog, run=run_number(2), kind=INCREMENTAL)
    lines = b"".join(stored(job, result).blocks("index")).splitlines()
    assert [line for line in lines if line.startswith(b"-")] == [
        b"- goes",
        b"- goes/file",
        b"- goes.too/file",
    ]
    assert trees.tree_at(back(job, result, tmp_path / "x")) == trees.tree_at(root)


def test_a_change_right_after_the_dump_within_one_tick_of_the_clock_is_seen(
    root: Path, catalog: Catalog
) -> None:
    file = root / "young"
    file.write_bytes(b"one")
    look = file.stat()
    job = job_of(root)
    take(job, catalog, run=run_number(1))
    index = b"".join(stored(job, take(job, catalog, run=run_number(2))).blocks("index"))
    if time.time_ns() - look.st_ctime_ns > 50_000_000:
        pytest.skip("the machine was too slow for this")
    assert b" 3 %d 0 %d " % (look.st_mtime_ns, look.st_ino) in index


def test_content_that_changed_behind_the_same_times_is_found_when_told(
    root: Path, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "small").write_bytes(b"before")
    (root / "large").write_bytes(b"x" * 3_000_000)
    (root / "same").write_bytes(b"same")
    job = job_of(root, compare="content")
    take(job, catalog, run=run_number(1))
    (root / "small").write_bytes(b"after!")
    with (root / "large").open("r+b") as file:
        file.seek(1_500_000)
        file.write(b"y")
    os.utime(root / "same")
    result = take(job, catalog, run=run_number(2), kind=INCREMENTAL)
    patches = [piece for piece in stored(job, result).manifest.pieces if "patches" in piece.name]
    assert 1_000_000 < sum(piece.raw_size for piece in patches) < 1_100_000
    assert trees.tree_at(back(job, result, tmp_path / "x")) == trees.tree_at(root)


def test_of_a_large_file_only_the_changed_blocks_are_stored(
    root: Path, catalog: Catalog, tmp_path: Path
) -> None:
    large = root / "large"
    large.write_bytes(os.urandom(50_000_000))
    job = job_of(root)
    full = take(job, catalog, run=run_number(1))
    with large.open("r+b") as file:
        for at in (0, 20_000_000, 49_999_999):
            file.seek(at)
            file.write(b"!")
    result = take(job, catalog, run=run_number(2), kind=INCREMENTAL)
    assert result.bytes_stored < 3_100_000 < full.bytes_stored
    large.chmod(0o600)
    again = take(job, catalog, run=run_number(3), kind=INCREMENTAL)
    assert again.bytes_stored < 20_000
    assert trees.tree_at(back(job, again, tmp_path / "x")) == trees.tree_at(root)


def test_a_file_that_became_nothing_but_a_hole_stays_a_file(
    root: Path, catalog: Catalog, tmp_path: Path
) -> None:
    (root / "disk.img").write_bytes(os.urandom(3 * 1024 * 1024))
    job = job_of(root)
    take(job, catalog, run=run_number(0))
    for number, size in ((1, 10 * 1024 * 1024), (2, 12 * 1024 * 1024)):
        os.truncate(root / "disk.img", 0)
        os.truncate(root / "disk.img", size)
        result = take(job, catalog, run=run_number(number), kind=INCREMENTAL)
        assert trees.tree_at(back(job, result, tmp_path / f"x{number}")) == trees.tree_at(root)
        assert FilesEngine().decode(chain_of(job, result), EngineContext()).checks


def test_one_path_is_restored_from_its_own_frames(
    root: Path, catalog: Catalog, tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        (root / name).mkdir()
        (root / name / "big").write_bytes(os.urandom(6_000_000))
    (root / "b" / "wanted").write_bytes(b"one")
    os.link(root / "a" / "big", root / "c" / "link")
    job = job_of(root)
    time.sleep(OLD_ENOUGH)
    full = take(job, catalog, run=run_number(1))
    (root / "b" / "wanted").write_bytes(b"two")
    result = take(job, catalog, run=run_number(2), kind=INCREMENTAL)
    (piece,) = stored(job, full).manifest.pieces_of("files.tar")
    file = next(tmp_path.rglob(piece.name))
    data = bytearray(file.read_bytes())
    for begin, end in ((1_100_000, 5_000_000), (8_000_000, 18_000_000)):
        data[begin:end] = bytes(end - begin)  # most of what is not needed
    file.write_bytes(data)
    target = back(job, result, tmp_path / "x", "b/wanted")
    assert sorted(path.name for path in target.rglob("*")) == ["b", "wanted"]
    assert (target / "b" / "wanted").read_bytes() == b"two"
    with pytest.raises(VerifyError, match="is damaged at bytes"):
        back(job, result, tmp_path / "y", "b/big")
    with pytest.raises(NotFound, match="no 'b/gone' in set"):
        back(job, result, tmp_path / "z", "b/gone")


def test_a_second_name_alone_becomes_the_file(root: Path, catalog: Catalog, tmp_path: Path) -> None:
    (root / "a").write_bytes(os.urandom(2_000_000))
    os.link(root / "a", root / "m")
    os.link(root / "a", root / "n")
    job = job_of(root)
    result = take(job, catalog, run=run_number(1))
    target = back(job, result, tmp_path / "x", "m", "n")
    assert (target / "m").read_bytes() == (root / "a").read_bytes()
    assert (target / "m").stat().st_ino == (target / "n").stat().st_ino


def test_a_chain_without_its_middle_is_refused(
    root: Path, catalog: Catalog, tmp_path: Path
) -> None:
    (root / "a").write_bytes(b"a")
    job = job_of(root)
    take(job, catalog, run=run_number(1))
    take(job, catalog, run=run_number(2), kind=INCREMENTAL)
    result = take(job, catalog, run=run_number(3), kind=INCREMENTAL)
    chain = chain_of(job, result)
    with pytest.raises(EngineError, match="needs the whole chain"):
        FilesEngine().restore([chain[0], chain[2]], tmp_path / "x", EngineContext())


def test_the_patches_unpack_with_tar_into_a_folder_for_each_file(
    root: Path, catalog: Catalog, tmp_path: Path
) -> None:
    (root / "disk").write_bytes(os.urandom(5_000_000))
    job = job_of(root)
    take(job, catalog, run=run_number(1))
    with (root / "disk").open("r+b") as file:
        file.seek(3_000_000)
        file.write(b"changed")
    result = take(job, catalog, run=run_number(2), kind=INCREMENTAL)
    raw = b"".join(stored(job, result).blocks("patches.tar"))
    listed = subprocess.run(["tar", "-t"], input=raw, capture_output=True, check=True).stdout
    assert listed == b"disk/size=5000000\ndisk/2097152\n"


_MANY = """
import re, sys
from pathlib import Path
from airflow_backup.catalog import Catalog
from airflow_backup.core.words import Kind
from airflow_backup.engines.files.options import FilesOptions
sys.path.insert(0, sys.argv[2])
from support.stored.sets import PlainJob, run_number, take
root = Path(sys.argv[1])
job = PlainJob(FilesOptions(engine="files", path=str(root)), f"file://{root.parent}/repository")
with Catalog.open("sqlite://") as catalog:
    take(job, catalog, run=run_number(1))
    take(job, catalog, run=run_number(2), kind=Kind.INCREMENTAL)
print(re.search("VmHWM: *\\t *([0-9]+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_files(root: Path) -> None:
    peaks = []
    for upto in (10_000, 100_000):
        for number in range(len(list(root.iterdir())) * 1000, upto):
            folder = root / f"{number // 1000}"
            folder.mkdir(exist_ok=True)
            (folder / f"{number}").write_bytes(b"x")
        done = subprocess.run(
            [sys.executable, "-c", _MANY, str(root), str(Path(__file__).parents[3])],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(done.stdout) * 1024)
        subprocess.run(["rm", "-rf", str(root.parent / "repository")], check=True)
    assert peaks[1] < 200_000_000
    assert peaks[1] - peaks[0] < 30_000_000
