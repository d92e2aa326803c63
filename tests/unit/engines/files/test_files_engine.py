"""What the files engine takes, leaves out and warns of."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import BackupResult
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import SourceDenied, SourceError, SourceUnavailable
from airflow_backup.core.paths.patterns import Patterns
from airflow_backup.core.words import Kind
from airflow_backup.engines.files.engine import FilesEngine
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.files.source.reader import CHUNK
from airflow_backup.engines.files.source.walk import Walk
from airflow_backup.engines.protocol import EngineContext
from support.sources import trees
from support.stored.sets import PlainJob, run_number, stored, take


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    for folder in ("a/b", "a/cache", "empty", "docs/deep"):
        (root / folder).mkdir(parents=True)
    for file in ("a/one.txt", "a/b/two.tmp", "a/cache/x", "docs/deep/three.sql", "top.sql"):
        (root / file).write_bytes(file.encode())
    return root


def back(tmp_path: Path, catalog: Catalog, **source: Any) -> tuple[BackupResult, Path]:
    job = PlainJob(FilesOptions(engine="files", **source), f"file://{tmp_path}/repository")
    result = take(job, catalog)
    FilesEngine().restore([stored(job, result)], tmp_path / "restored", EngineContext())
    return result, tmp_path / "restored"


def stored_counts(tmp_path: Path) -> dict[str, int]:
    manifest = json.loads(next(tmp_path.rglob("manifest.json")).read_bytes())
    counts: dict[str, int] = manifest["counts"]
    return counts


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_what_is_excluded_is_not_there(root: Path, tmp_path: Path, catalog: Catalog) -> None:
    _, restored = back(tmp_path, catalog, path=str(root), exclude=["*.tmp", "cache/"])
    assert files(restored) == [
        "a",
        "a/b",
        "a/one.txt",
        "docs",
        "docs/deep",
        "docs/deep/three.sql",
        "empty",
        "top.sql",
    ]


def test_only_what_is_included_is_there_with_the_folders_above_it(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    (root / "docs").chmod(0o711)
    _, restored = back(tmp_path, catalog, path=str(root), include=["*.sql"])
    assert files(restored) == ["docs", "docs/deep", "docs/deep/three.sql", "top.sql"]
    assert trees.tree_at(restored)[b"docs"] == trees.tree_at(root)[b"docs"]


def test_what_lies_below_an_included_folder_is_included_empty_folders_too(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    (root / "docs/hollow/within").mkdir(parents=True)
    _, restored = back(tmp_path, catalog, path=str(root), include=["/docs/", "/empty/"])
    assert files(restored) == [
        "docs",
        "docs/deep",
        "docs/deep/three.sql",
        "docs/hollow",
        "docs/hollow/within",
        "empty",
    ]


def test_several_paths_keep_their_whole_names(root: Path, tmp_path: Path, catalog: Catalog) -> None:
    paths = [str(root / "a"), str(root / "top.sql")]
    _, restored = back(tmp_path, catalog, paths=paths)
    below = str(root).lstrip("/")
    assert trees.tree_at(restored / below / "a") == trees.tree_at(root / "a")
    assert (restored / below / "top.sql").read_bytes() == b"top.sql"


def test_a_path_may_be_one_file(root: Path, tmp_path: Path, catalog: Catalog) -> None:
    _, restored = back(tmp_path, catalog, path=str(root / "top.sql"))
    assert files(restored) == ["top.sql"]


def test_a_root_may_be_a_link_but_links_below_are_only_stored(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    (root / "out").symlink_to(tmp_path)
    (tmp_path / "way-in").symlink_to(root)
    _, restored = back(tmp_path, catalog, path=str(tmp_path / "way-in"))
    assert trees.tree_at(restored) == trees.tree_at(root)


def test_paths_inside_each_other_are_a_problem(root: Path) -> None:
    source = FilesOptions(engine="files", paths=[str(root), str(root / "a")])
    problems = FilesEngine().check(source, EngineContext())
    assert [problem.message for problem in problems] == [
        f"'{root}/a' lies inside '{root}', and would be stored twice"
    ]


def test_a_file_that_vanishes_is_left_out_and_told(
    root: Path, tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked = Walk.__iter__

    def vanish(self: Walk) -> Iterator[Any]:
        for entry in walked(self):
            if entry.name == b"one.txt":
                (root / "a/one.txt").unlink()
            yield entry

    monkeypatch.setattr(Walk, "__iter__", vanish)
    result, restored = back(tmp_path, catalog, path=str(root))
    assert result.warnings == ("'a/one.txt' vanished while the tree was read",)
    assert "a/one.txt" not in files(restored)
    execution = catalog.executions.last()["wiki"]
    assert execution.warnings == 1


def refuse_to_open(name: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refuse(path: Any, *given: Any, **named: Any) -> int:
        if path == name:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, *given, **named)

    monkeypatch.setattr(os, "open", refuse)


def test_a_file_that_may_not_be_read_fails_the_run(
    root: Path, tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_open(b"one.txt", monkeypatch)
    with pytest.raises(SourceDenied, match=r"^cannot read 'a/one.txt': permission denied"):
        back(tmp_path, catalog, path=str(root))
    assert not list(tmp_path.rglob("manifest.json"))


def test_a_file_that_may_not_be_read_is_left_out_and_listed_when_the_schedule_says_so(
    root: Path, tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_open(b"one.txt", monkeypatch)
    result, restored = back(tmp_path, catalog, path=str(root), on_unreadable="warn")
    assert result.warnings == ("left out 'a/one.txt': permission denied",)
    manifest = next(tmp_path.rglob("manifest.json")).read_text()
    assert '"counts":{"unread":1}' in manifest
    assert "a/one.txt" not in files(restored)
    execution = catalog.executions.last()["wiki"]
    assert execution.reason == "1 entry could not be read, and is not in the set"


@pytest.mark.parametrize("size", [5_000, 3_000_000])
@pytest.mark.parametrize("change", ["grows", "shrinks"])
def test_a_file_that_changes_while_it_is_read_is_told_and_the_rest_is_whole(
    root: Path,
    tmp_path: Path,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    change: str,
) -> None:
    busy = root / "a/busy"
    busy.write_bytes(b"x" * size)
    real = os.read
    changed: list[bool] = []

    def read(descriptor: int, count: int) -> bytes:
        if not changed and os.fstat(descriptor).st_ino == busy.stat().st_ino:
            changed.append(True)
            os.truncate(busy, size * 2 if change == "grows" else size // 2)
        return real(descriptor, count)

    monkeypatch.setattr(os, "read", read)
    result, restored = back(tmp_path, catalog, path=str(root))
    cut = change == "shrinks" and size > CHUNK
    told = "was cut while it was read, and ends in zeros" if cut else "changed while it was read"
    assert result.warnings == (f"'a/busy' {told}",)
    assert stored_counts(tmp_path) == {"changed": 1}
    assert (restored / "a/busy").read_bytes()[: size // 2] == b"x" * (size // 2)
    assert (restored / "top.sql").read_bytes() == b"top.sql"


def test_a_root_that_is_only_one_unreadable_file_is_a_failure(
    tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only").write_bytes(b"x")
    refuse_to_open(b"only", monkeypatch)
    with pytest.raises(SourceError, match=r"cannot read .*only"):
        back(tmp_path, catalog, path=str(tmp_path / "only"))


def test_a_sparse_file_stays_sparse_and_stores_only_its_data(
    tmp_path: Path, catalog: Catalog
) -> None:
    root = tmp_path / "source"
    root.mkdir()
    with (root / "disk.img").open("wb") as file:
        file.seek(3_000_000_000)
        file.write(b"end")
    if (root / "disk.img").stat().st_blocks > 10_000:
        pytest.skip("this file system has no holes")
    result, restored = back(tmp_path, catalog, path=str(root))
    look = (restored / "disk.img").stat()
    assert result.bytes_read < 100_000
    assert look.st_size == 3_000_000_003
    assert look.st_blocks < 1000


def test_the_index_says_where_each_member_lies(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    (root / "odd\n\\name").write_bytes(b"content")
    job = PlainJob(FilesOptions(engine="files", path=str(root)), f"file://{tmp_path}/repository")
    opened = stored(job, take(job, catalog))
    lines = b"".join(opened.blocks("index")).decode().splitlines()
    line = next(each.split(" ", 10) for each in lines if "odd" in each)
    assert (line[0], line[1], line[3], line[10]) == ("0", "f0", "7", "odd\\n\\\\name")
    offset = int(line[2])
    part = b"".join(opened.blocks("files.tar", offset, offset + 2048))
    listed = subprocess.run(["tar", "-t"], input=part, capture_output=True, check=False).stdout
    assert listed == b"odd\\n\\\\name\n"
    assert b"content" in part


def test_the_walk_closes_what_it_opened(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    walk = Walk(
        os.open(root, os.O_RDONLY),
        prefix=b"",
        patterns=Patterns(),
        warn=lambda path, error, is_gone: None,
    )
    entries = iter(walk)
    for _ in range(4):
        next(entries)
    del walk, entries
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("kind", [Kind.FULL, Kind.INCREMENTAL])
def test_a_source_that_is_not_mounted_makes_no_set(
    root: Path, tmp_path: Path, catalog: Catalog, kind: Kind
) -> None:
    job = PlainJob(FilesOptions(engine="files", path=str(root)), f"file://{tmp_path}/repository")
    take(job, catalog, run=run_number(1))
    root.rename(tmp_path / "elsewhere")
    root.mkdir()
    with pytest.raises(SourceUnavailable, match="there is nothing in") as caught:
        take(job, catalog, run=run_number(2), kind=kind)
    assert caught.value.failure_class.retryable
    assert len(catalog.sets.of("wiki")) == 1


def test_one_of_several_sources_that_is_not_mounted_makes_no_set(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    (tmp_path / "second").mkdir()
    paths = [str(root), str(tmp_path / "second")]
    source = FilesOptions(engine="files", paths=paths)
    job = PlainJob(source, f"file://{tmp_path}/repository")
    with pytest.raises(SourceUnavailable, match="second"):
        take(job, catalog)
    allowed = FilesOptions(engine="files", paths=paths, allow_empty=True)
    result = take(PlainJob(allowed, f"file://{tmp_path}/repository"), catalog)
    assert result.files > 2


def test_a_source_that_may_be_empty_is_a_set_of_its_folder(
    tmp_path: Path, catalog: Catalog
) -> None:
    (tmp_path / "empty").mkdir()
    source = FilesOptions(engine="files", path=str(tmp_path / "empty"), allow_empty=True)
    job = PlainJob(source, f"file://{tmp_path}/repository")
    assert take(job, catalog).files == 1
