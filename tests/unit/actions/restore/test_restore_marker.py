"""A source may hold the very names that a restore uses for itself; they come back like any other."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.restore.restore import restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.words import Kind
from airflow_backup.engines.files.engine import FilesEngine
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.shared import restore_marker
from airflow_backup.engines.shared.restore_marker import MARKER
from support.sources import trees
from support.stored.sets import Clock, PlainJob, chain_of, run_number, take


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


def as_file(source: Path) -> None:
    (source / MARKER).write_text("{}")


def as_file_and_stand_in(source: Path) -> None:
    (source / MARKER).write_text("{}")
    (source / f"{MARKER}~").write_text("looks like a stand-in")
    (source / f"{MARKER}~~").write_text("and this one too")
    (source / f"{MARKER}.bak").write_text("not this one")


def as_folder(source: Path) -> None:
    (source / MARKER).mkdir()
    (source / MARKER / MARKER).write_text("below")


def as_first_name(source: Path) -> None:
    (source / MARKER).write_text("{}")
    os.link(source / MARKER, source / "second")


def as_link(source: Path) -> None:
    (source / MARKER).symlink_to(MARKER)


def only_as_stand_in(source: Path) -> None:
    (source / f"{MARKER}~").write_text("{}")


SOURCES = [
    as_file,
    as_file_and_stand_in,
    as_folder,
    as_first_name,
    as_link,
    only_as_stand_in,
]
Make = Callable[[Path], None]


@pytest.fixture(params=SOURCES, ids=lambda make: make.__name__)
def job(request: pytest.FixtureRequest, tmp_path: Path) -> PlainJob:
    source = tmp_path / "source"
    source.mkdir()
    make: Make = request.param
    make(source)
    (source / "plain").write_text("plain")
    return PlainJob(FilesOptions(engine="files", path=str(source)), f"file://{tmp_path}/repository")


def back(job: PlainJob, target: Path, **more: Any) -> None:
    restore(
        Trust.of(job),
        repository=job.repository,
        target=target,
        connections=from_environment,
        clock=Clock(),
        **more,
    )


def test_a_source_with_the_name_of_the_marker_comes_back(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    full = take(job, catalog, run=run_number(1))
    (tmp_path / "source" / "plain").write_text("changed")
    take(job, catalog, run=run_number(2), kind=Kind.INCREMENTAL)
    back(job, tmp_path / "back")
    assert trees.tree_at(tmp_path / "back") == trees.tree_at(tmp_path / "source")
    report = FilesEngine().try_restore(chain_of(job, full), EngineContext())
    assert report.inconclusive is None


def test_a_restore_that_was_killed_goes_on_with_the_name_of_the_marker(
    job: PlainJob, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(job, catalog)

    def die(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("airflow_backup.actions.restore.carry_out.end_marker", die)
    with pytest.raises(KeyboardInterrupt):
        back(job, tmp_path / "back")
    monkeypatch.undo()
    back(job, tmp_path / "back")
    assert trees.tree_at(tmp_path / "back") == trees.tree_at(tmp_path / "source")


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_kill_around_the_end_of_the_marker_keeps_the_file_of_its_name(
    job: PlainJob, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    take(job, catalog)
    target = tmp_path / "back"
    target.mkdir()
    (target / "live").write_text("live")
    real = restore_marker.put_right

    def die(folder: Path) -> None:
        if done:
            real(folder)
        raise KeyboardInterrupt

    monkeypatch.setattr("airflow_backup.actions.restore.marking.put_right", die)
    with pytest.raises(KeyboardInterrupt):
        back(job, target, replace=True)
    monkeypatch.undo()
    back(job, target, replace=True)
    found, wanted = trees.tree_at(target), trees.tree_at(tmp_path / "source")
    if done:  # the time of the folder itself is set after that
        del found[b"."], wanted[b"."]
    assert found == wanted


def test_the_name_of_the_marker_is_restored_alone(catalog: Catalog, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / MARKER).write_text("{}")
    (source / "other").write_text("other")
    job = PlainJob(FilesOptions(engine="files", path=str(source)), f"file://{tmp_path}/repository")
    take(job, catalog)
    back(job, tmp_path / "back", only=[MARKER])
    assert {each.name: each.read_text() for each in (tmp_path / "back").iterdir()} == {MARKER: "{}"}


END = "import sys, pathlib; from airflow_backup.actions.restore.marking import end_marker; "
END += "end_marker(pathlib.Path(sys.argv[1]), {})"
ROOT_AS_ANYBODY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
ROOT_AS_ANYBODY += ["--inh-caps=-dac_override,-dac_read_search"]


@pytest.mark.parametrize("mode", [0o000, 0o100, 0o300, 0o400, 0o2555])
def test_a_folder_that_its_owner_may_not_enter_loses_its_marker_and_keeps_its_mode(
    tmp_path: Path, mode: int
) -> None:
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root may enter every folder")
    target = tmp_path / "target"
    target.mkdir()
    (target / MARKER).write_text(json.dumps({}))
    target.chmod(mode)
    os.utime(target, (1_000_000_000, 1_000_000_000))
    command = [*(ROOT_AS_ANYBODY if os.geteuid() == 0 else []), sys.executable, "-c", END]
    subprocess.run([*command, str(target)], check=True)
    found = target.stat()
    target.chmod(0o755)
    assert (stat.S_IMODE(found.st_mode), found.st_mtime) == (mode, 1_000_000_000)
    assert list(target.iterdir()) == []
