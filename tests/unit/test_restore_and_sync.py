"""A repository alone is enough: to restore from, and to rebuild the catalog from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_backup.actions.restore import RestoreResult, restore
from airflow_backup.actions.sync import sync
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import FormatError, NotFound, VerifyError
from airflow_backup.schedules.sources import FilesSource
from airflow_backup.storage.folder import FolderStorage
from support.sets import Clock, PlainJob, run_number, take


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def job(tmp_path: Path) -> PlainJob:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_bytes(b"first")
    source = FilesSource(engine="files", path=str(tmp_path / "source"))
    return PlainJob(source, f"file://{tmp_path}/repository")


def back(job: PlainJob, target: Path, *, set_id: str | None = None) -> RestoreResult:
    return restore(
        job.id,
        repository=job.repository,
        target=target,
        connections=from_environment,
        clock=Clock(),
        set_id=set_id,
    )


def test_the_newest_set_is_restored_unless_another_is_named(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    first = take(job, catalog, run=run_number(1))
    (tmp_path / "source" / "a").write_bytes(b"second")
    second = take(job, catalog, run=run_number(2))
    (tmp_path / "repository/wiki/sets/29990101T000000Z-0123456789").mkdir()
    assert back(job, tmp_path / "new").set_ids == (second.set_id,)
    assert (tmp_path / "new" / "a").read_bytes() == b"second"
    result = back(job, tmp_path / "old", set_id=first.set_id)
    assert (tmp_path / "old" / "a").read_bytes() == b"first"
    assert result.as_dict()["files"] == 2


def test_a_set_that_does_not_exist_is_named(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    take(job, catalog)
    with pytest.raises(NotFound, match="no set of 'gone' in file://"):
        restore(
            "gone",
            repository=job.repository,
            target=tmp_path / "x",
            connections=from_environment,
            clock=Clock(),
        )
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("damage", ["lost", "cut"])
def test_a_lost_or_cut_piece_is_found_before_anything_is_written(
    job: PlainJob, catalog: Catalog, tmp_path: Path, damage: str
) -> None:
    take(job, catalog)
    piece = next(tmp_path.rglob("files.tar.*"))
    data = piece.read_bytes()
    piece.unlink()
    if damage == "cut":
        piece.write_bytes(data[:-1])
    with pytest.raises(VerifyError, match=r"has lost its piece|and its manifest says"):
        back(job, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_set_of_a_newer_layout_is_refused(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    take(job, catalog)
    manifest = next(tmp_path.rglob("manifest.json"))
    text = manifest.read_text().replace('"engine_version":"1"', '"engine_version":"9"')
    manifest.write_text(text)
    with pytest.raises(FormatError, match="has the layout 9 of the files engine"):
        back(job, tmp_path / "x")


def test_a_lost_catalog_is_rebuilt_from_the_manifests(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    for number in range(3):
        take(job, catalog, run=run_number(number))
    storage = FolderStorage(tmp_path / "repository")
    with Catalog.open("sqlite://") as fresh:
        result = sync(storage, job.repository, fresh)
        assert (result.recorded, result.forgotten, result.problems) == (3, 0, ())
        assert fresh.sets.of("wiki") == catalog.sets.of("wiki")
        for row in fresh.sets.of("wiki"):
            assert fresh.sets.pieces(row.set_id) == catalog.sets.pieces(row.set_id)
        assert sync(storage, job.repository, fresh).recorded == 3


def test_a_set_that_is_gone_is_forgotten_and_one_that_cannot_be_read_is_not(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    gone, damaged = (take(job, catalog, run=run_number(number)) for number in (1, 2))
    sets = tmp_path / "repository/wiki/sets"
    (sets / gone.set_id / "manifest.json").unlink()
    (sets / damaged.set_id / "manifest.json").write_text("{")
    result = sync(FolderStorage(tmp_path / "repository"), job.repository, catalog)
    assert (result.recorded, result.forgotten) == (0, 1)
    assert result.unfinished == (f"wiki/sets/{gone.set_id}",)
    assert result.problems == (f"'wiki/sets/{damaged.set_id}/manifest.json' is not JSON",)
    assert [row.set_id for row in catalog.sets.of("wiki")] == [damaged.set_id]
