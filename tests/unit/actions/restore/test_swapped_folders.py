"""Another user swaps a folder above a restore's target for a link, again and again: the neighbour stays as it is."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.restore.carry_out import carry_out
from airflow_backup.actions.restore.restore import plan, restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import BackupError, Refused
from airflow_backup.core.paths.holding import open_held
from airflow_backup.engines.files.engine import FilesEngine
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.sqlite.options import SqliteOptions
from airflow_backup.storage.open import open_storage
from support.stored.sets import Clock, PlainJob, take

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes links that belong to another user")

NOBODY = 65534
TRIES = 60


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder of another user, with one in it into which we restore, and a neighbour that nobody may touch."""
    shared = tmp_path / "shared"
    (shared / "way").mkdir(parents=True)
    os.chown(shared, NOBODY, NOBODY)
    neighbour = tmp_path / "neighbour"
    for name in ("live", "live.restoring"):
        (neighbour / name).mkdir(parents=True)
        (neighbour / name / "precious").write_bytes(b"of the neighbour")
    (neighbour / "empty").mkdir()
    return shared


def job_of(kind: str, folder: Path) -> PlainJob:
    source = folder / "source"
    source.mkdir()
    repository = f"file://{folder}/repository"
    if kind == "files":
        for number in range(20):
            (source / f"d{number}").mkdir()
            (source / f"d{number}" / "file").write_bytes(b"restored")
        return PlainJob(FilesOptions(engine="files", path=str(source)), repository)
    with closing(sqlite3.connect(source / "shop.db")) as database:
        database.execute("CREATE TABLE goods (name)")
        database.commit()
    return PlainJob(SqliteOptions(engine="sqlite", path=str(source / "shop.db")), repository)


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    found = {}
    for each in sorted([folder, *folder.rglob("*")]):
        status = each.lstat()
        content = each.read_bytes() if each.is_file() else b""
        found[str(each)] = (status.st_mode, status.st_mtime_ns, content)
    return found


def turn(way: Path, neighbour: Path, *, lead_away: bool) -> None:
    aside = way.with_name("aside")
    if lead_away:
        way.rename(aside)
        way.symlink_to(neighbour)
        os.lchown(way, NOBODY, NOBODY)
    else:
        way.unlink()
        aside.rename(way)


@contextmanager
def swapping(way: Path, neighbour: Path) -> Iterator[None]:
    done = threading.Event()

    def loop() -> None:
        while not done.is_set():
            turn(way, neighbour, lead_away=True)
            done.wait(0.001)
            turn(way, neighbour, lead_away=False)
            done.wait(0.002)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("kind", ["files", "sqlite"])
def test_a_link_that_comes_and_goes_above_a_target_leads_nowhere(
    tmp_path: Path, shared: Path, kind: str, *, replace: bool
) -> None:
    job = job_of(kind, tmp_path)
    with Catalog.open("sqlite://") as catalog:
        take(job, catalog)
    neighbour = tmp_path / "neighbour"
    before = tree(neighbour)
    outcomes = set()
    with swapping(shared / "way", neighbour):
        for number in range(TRIES):
            target = shared / "way" / ("live" if replace else f"live{number}")
            try:
                restore(
                    Trust.of(job),
                    repository=job.repository,
                    target=target,
                    connections=from_environment,
                    clock=Clock(),
                    replace=replace,
                )
                outcomes.add("restored")
            except (BackupError, OSError) as error:
                outcomes.add(type(error).__name__)
    assert tree(neighbour) == before
    assert "Refused" in outcomes


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("name", ["live", "empty", "new"])
def test_a_folder_swapped_while_the_engine_works_leads_nowhere(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, fails: bool
) -> None:
    """At the worst moment: the marker was written, and what ends the restore is still to be done."""
    job = job_of("files", tmp_path)
    with Catalog.open("sqlite://") as catalog:
        take(job, catalog)
    way, neighbour = shared / "way", tmp_path / "neighbour"
    before = tree(neighbour)
    what = plan(open_storage(job.repository), Trust.of(job), target=way / name)
    whole = FilesEngine.restore

    def cut(self: FilesEngine, *given: Any, **more: Any) -> Any:
        report = None if fails else whole(self, *given, **more)
        turn(way, neighbour, lead_away=True)
        if fails:
            raise KeyboardInterrupt
        return report

    monkeypatch.setattr(FilesEngine, "restore", cut)
    monkeypatch.setattr(FilesEngine, "resume", None)
    context = EngineContext(clock=Clock())
    if fails:
        with pytest.raises((KeyboardInterrupt, Refused)):
            carry_out(what, context)
    else:
        carry_out(what, context)
        assert (shared / "aside" / name / "d0" / "file").read_bytes() == b"restored"
    assert tree(neighbour) == before


def test_only_links_of_ours_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "absolute").symlink_to(tmp_path / "link")
    (tmp_path / "round").symlink_to("round")
    os.close(open_held(tmp_path / "absolute" / "below" / ".." / "below"))
    with pytest.raises(OSError, match="symbolic links"):
        open_held(tmp_path / "round")
    os.lchown(tmp_path / "link", NOBODY, NOBODY)
    with pytest.raises(Refused, match=r"'link' on the way to .* is a link that another user"):
        open_held(tmp_path / "absolute" / "below")
    os.lchown(tmp_path / "link", 0, 0)
    os.chmod(tmp_path, 0o777)  # noqa: S103  # that is the case
    with pytest.raises(Refused, match="another user may have made"):
        open_held(tmp_path / "link")
    os.chmod(tmp_path, 0o1777)  # noqa: S103  # as /tmp
    os.close(open_held(tmp_path / "link"))
