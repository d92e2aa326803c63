"""A repository alone is enough: to restore from, and to rebuild the catalog from."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.maintain.sync import sync
from airflow_backup.actions.restore.carry_out import RestoreResult
from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import FormatError, NotFound, RepositoryMissing, VerifyError
from airflow_backup.core.ids import set_id
from airflow_backup.core.words import Kind
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.storage.folder import FolderStorage
from support.stored.sets import Clock, PlainJob, run_number, stored, take

MANIFESTS = int(os.environ.get("MANIFESTS", "10000"))


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def job(tmp_path: Path) -> PlainJob:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_bytes(b"first")
    source = FilesOptions(engine="files", path=str(tmp_path / "source"))
    return PlainJob(source, f"file://{tmp_path}/repository")


def back(job: PlainJob, target: Path, *, set_id: str | None = None) -> RestoreResult:
    return restore(
        Trust.of(job),
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
            Trust("gone"),
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
        assert (result.recorded, result.lost, result.problems) == (3, 0, ())
        assert fresh.sets.of("wiki") == catalog.sets.of("wiki")
        for row in fresh.sets.of("wiki"):
            assert fresh.sets.pieces(row.set_id) == catalog.sets.pieces(row.set_id)
        assert sync(storage, job.repository, fresh).recorded == 0, "nothing is new the second time"


def test_a_set_that_is_gone_is_forgotten_and_one_that_cannot_be_read_is_not(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    gone, damaged = (take(job, catalog, run=run_number(number)) for number in (1, 2))
    sets = tmp_path / "repository/wiki/sets"
    (sets / gone.set_id / "manifest.json").unlink()
    (sets / damaged.set_id / "manifest.json").write_text("{")
    result = sync(FolderStorage(tmp_path / "repository"), job.repository, catalog)
    assert (result.recorded, result.lost) == (0, 1)
    assert result.unfinished == (f"wiki/sets/{gone.set_id}",)
    assert result.problems == (
        f"the manifest of set '{damaged.set_id}' is not the one that the catalog knows",
    )
    assert [row.set_id for row in catalog.sets.of("wiki")] == [damaged.set_id]


PLANTED: dict[str, dict[str, Any]] = {
    "the end of time": {"run_at": "9999-12-31T23:59:59-14:00"},
    "a moment that nobody can reckon with": {"consistent_at": "0001-01-01T00:00:00Z"},
    "a size that no catalog can store": {"totals": {"bytes_stored": 10**30}},
    "a text that no catalog can store": {"run_id": "a\0b"},
    "nothing": {},
}


@pytest.mark.parametrize("change", PLANTED.values(), ids=PLANTED)
def test_a_planted_manifest_keeps_no_other_set_out_of_the_catalog(
    job: PlainJob, catalog: Catalog, tmp_path: Path, change: dict[str, Any]
) -> None:
    good = take(job, catalog, run=run_number(1))
    sets = tmp_path / "repository/wiki/sets"
    planted = "20250101T000000Z-0123456789"
    told = json.loads((sets / good.set_id / "manifest.json").read_bytes()) | {"set_id": planted}
    (sets / planted).mkdir()
    data = json.dumps(told | change) if change else '{"a":' * 100_000
    (sets / planted / "manifest.json").write_text(data)
    catalog.sets.forget(good.set_id)
    result = sync(FolderStorage(tmp_path / "repository"), job.repository, catalog)
    assert result.recorded == 1
    assert [planted in problem for problem in result.problems] == [True]
    assert [row.set_id for row in catalog.sets.of("wiki")] == [good.set_id]


def test_a_repository_may_be_a_whole_disk(job: PlainJob, catalog: Catalog, tmp_path: Path) -> None:
    for name in ("lost+found", "System Volume Information", "$RECYCLE.BIN"):
        (tmp_path / "repository" / name).mkdir(parents=True)
    taken = take(job, catalog)
    storage = FolderStorage(tmp_path / "repository")
    assert sync(storage, job.repository, catalog).problems == ()
    assert back(job, tmp_path / "back").set_ids == (taken.set_id,)
    with pytest.raises(NotFound, match=r"there are sets of: wiki$"):
        back(replace(job, id="gone"), tmp_path / "x")


def lay_leftovers(repository: Path, set_id: str) -> list[Path]:
    """Leave what a killed attempt leaves: a piece, half a piece, and a piece beside a good set."""
    dead = repository / "wiki/sets" / "20250101T000000Z-0123456789"
    dead.mkdir(parents=True)
    left = [
        dead / "files.tar.000000.aa.zst",
        dead / ".index.000000.aa.zst.0a0b.part",
        repository / "wiki/sets" / set_id / "files.tar.000000.other.zst",
    ]
    for path in left:
        path.write_bytes(b"left")
    return left


def test_what_a_killed_attempt_left_is_removed_when_it_is_old_enough(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    good = take(job, catalog)
    storage = FolderStorage(tmp_path / "repository")
    left = lay_leftovers(tmp_path / "repository", good.set_id)
    (tmp_path / "repository/wiki/sets/my-notes").mkdir()
    (tmp_path / "repository/wiki/sets/my-notes/file").write_bytes(b"not ours")
    before = sorted(tmp_path.rglob("repository/**/*"))
    now = datetime.now(UTC)
    young = sync(storage, job.repository, catalog, leftovers_before=now - timedelta(days=1))
    assert young.removed == ()
    later = now + timedelta(days=1)
    would = sync(storage, job.repository, catalog, leftovers_before=later, dry_run=True)
    assert sorted(would.removed) == sorted(
        str(path.relative_to(tmp_path / "repository")) for path in left
    )
    assert sorted(tmp_path.rglob("repository/**/*")) == before
    done = sync(storage, job.repository, catalog, leftovers_before=later)
    assert done.removed == would.removed
    assert not [path for path in left if path.exists()]
    assert back(job, tmp_path / "x").set_ids == (good.set_id,)
    assert (tmp_path / "repository/wiki/sets/my-notes/file").exists()
    assert sync(storage, job.repository, catalog, leftovers_before=later).removed == ()


def test_a_run_that_is_active_keeps_its_pieces(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    run, now = run_number(5), datetime.now(UTC)
    catalog.executions.begin("wiki", run.id, run_at=run.at, trigger=run.trigger, at=now)
    folder = tmp_path / "repository/wiki/sets" / set_id("wiki", run.id, run.at)
    folder.mkdir(parents=True)
    piece = folder / "files.tar.000000.aa.zst"
    piece.write_bytes(b"written, and then the source is slow")
    os.utime(piece, (0, 0))
    storage = FolderStorage(tmp_path / "repository")
    for before, removed in ((now - timedelta(days=1), 0), (now + timedelta(days=1), 1)):
        result = sync(storage, job.repository, catalog, leftovers_before=before)
        assert len(result.removed) == removed


def test_a_dry_run_changes_nothing(job: PlainJob, catalog: Catalog, tmp_path: Path) -> None:
    take(job, catalog)
    with Catalog.open("sqlite://") as fresh:
        result = sync(FolderStorage(tmp_path / "repository"), job.repository, fresh, dry_run=True)
        assert result.recorded == 1
        assert fresh.sets.of("wiki") == []


def test_a_repository_that_vanished_is_not_forgotten(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    result = take(job, catalog)
    catalog.sets.mark(result.set_id, "quarantined")
    (tmp_path / "mount-point").mkdir()
    with pytest.raises(RepositoryMissing, match="its marker is not there, and the catalog knows"):
        sync(FolderStorage(tmp_path / "mount-point"), job.repository, catalog)
    assert len(catalog.sets.of("wiki")) == 1


def test_a_schedule_whose_folder_is_gone_is_forgotten(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    other = replace(job, id="other")
    take(job, catalog)
    take(other, catalog)
    shutil.rmtree(tmp_path / "repository/wiki")
    result = sync(FolderStorage(tmp_path / "repository"), job.repository, catalog)
    assert (result.recorded, result.lost) == (0, 1)
    assert catalog.sets.of("wiki") == []


def test_a_set_that_a_run_stores_while_sync_reads_is_not_forgotten(
    job: PlainJob, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(job, catalog, run=run_number(1))
    folders = FolderStorage.folders
    late: list[str] = []

    def listing(self: FolderStorage, prefix: str = "") -> Iterator[str]:
        found = list(folders(self, prefix))
        if prefix.endswith("/sets/") and not late:  # a run ends right after the listing
            late.append(take(job, catalog, run=run_number(2)).set_id)
        yield from found

    monkeypatch.setattr(FolderStorage, "folders", listing)
    assert sync(FolderStorage(tmp_path / "repository"), job.repository, catalog).lost == 0
    assert catalog.sets.get(late[0]) is not None


def test_a_set_that_a_prune_removes_while_sync_reads_does_not_come_back(
    job: PlainJob, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = take(job, catalog, run=run_number(1))
    catalog.sets.forget(result.set_id)
    record = catalog.sets.record_many

    def recording(*given: Any) -> None:
        shutil.rmtree(tmp_path / "repository/wiki/sets" / result.set_id)
        record(*given)

    monkeypatch.setattr(catalog.sets, "record_many", recording)
    sync(FolderStorage(tmp_path / "repository"), job.repository, catalog)
    assert catalog.sets.get(result.set_id) is None


def test_chains_are_rebuilt_from_manifests_alone(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    take(job, catalog, run=run_number(0))
    last = [take(job, catalog, run=run_number(number), kind=Kind.INCREMENTAL) for number in (1, 2)][
        -1
    ]
    with Catalog.open("sqlite://") as fresh:
        sync(FolderStorage(tmp_path / "repository"), job.repository, fresh)
        assert fresh.sets.chain(last.set_id) == catalog.sets.chain(last.set_id)
        following = take(job, fresh, run=run_number(3), kind=Kind.INCREMENTAL)
    assert following.parent == last.set_id


@pytest.mark.slow
def test_many_thousand_manifests_are_taken_over(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    manifest = stored(job, take(job, catalog)).manifest
    repository = tmp_path / "many"
    for number in range(MANIFESTS):
        schedule = f"schedule-{number % 100}"
        run = run_number(number // 100)
        name = set_id(schedule, run.id, run.at)
        folder = repository / schedule / "sets" / name
        folder.mkdir(parents=True)
        data = manifest.model_copy(update={"set_id": name, "schedule_id": schedule}).to_bytes()
        (folder / "manifest.json").write_bytes(data)
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as fresh:
        assert sync(FolderStorage(repository), f"file://{repository}", fresh).recorded == MANIFESTS
        assert len(fresh.sets.latest_of()) == 100


def test_the_only_set_says_why_it_does_not_restore(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    full = take(job, catalog, run=run_number(1))
    above = take(job, catalog, kind=Kind.INCREMENTAL, run=run_number(2))
    (tmp_path / f"repository/wiki/sets/{full.set_id}/manifest.json").unlink()
    with pytest.raises(NotFound, match=rf"has no set that can be restored: set '{above.set_id}': "):
        back(job, tmp_path / "x")
