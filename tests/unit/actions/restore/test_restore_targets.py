"""What stands in the way of a restore is found before the first byte, and whatever ends one loses nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.restore.restore import plan, restore
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.cli.main import main
from airflow_backup.core.connections import from_environment
from airflow_backup.core.errors import ConfigError, NotFound, Refused, VerifyError
from airflow_backup.core.words import Kind
from airflow_backup.engines.files.engine import FilesEngine
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import RestoreReport
from airflow_backup.engines.sqlite.options import SqliteOptions
from airflow_backup.storage.open import open_storage
from support.sources import trees
from support.stored.sets import Clock, PlainJob, run_number, take


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def job(tmp_path: Path) -> PlainJob:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(b"from the backup")
    (source / "b").mkdir()
    (source / "b" / "c").write_bytes(b"below")
    return PlainJob(FilesOptions(engine="files", path=str(source)), f"file://{tmp_path}/repository")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    target = tmp_path / "place" / "live"
    target.mkdir(parents=True)
    (target / "precious").write_bytes(b"live")
    return target


def back(job: PlainJob, target: Path, **more: Any) -> Any:
    return restore(
        Trust.of(job),
        repository=job.repository,
        target=target,
        connections=from_environment,
        clock=Clock(),
        **more,
    )


def planned(job: PlainJob, target: Path, **more: Any) -> Any:
    return plan(open_storage(job.repository), Trust.of(job), target=target, **more)


def is_untouched(target: Path) -> bool:
    return sorted(each.name for each in target.parent.iterdir()) == [target.name] and (
        [each.name for each in target.iterdir()] == ["precious"]
    )


def test_a_link_is_not_replaced_by_a_folder(
    job: PlainJob, catalog: Catalog, target: Path, tmp_path: Path
) -> None:
    take(job, catalog)
    link = tmp_path / "link"
    link.symlink_to(target)
    found = planned(job, link, replace=True)
    assert found.refused == f"'{link}' is a link"
    assert found.hint == f"name the folder itself: --to {target}"
    with pytest.raises(Refused, match="is a link"):
        back(job, link, replace=True)
    assert link.is_symlink()
    assert is_untouched(target)


def test_a_mount_point_is_refused_before_the_first_byte(
    job: PlainJob, catalog: Catalog, target: Path
) -> None:
    take(job, catalog)
    script = (
        "import os, sys\nfrom airflow_backup.cli.main import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    command = f'mount --bind "{target}" "{target}" && exec "$@"'
    ours = [sys.executable, "-c", script, "restore", "wiki", "--repository", job.repository]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command, "sh", *ours, "--to", target, "--replace"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no mount namespace may be made here")
    assert done.returncode != 0
    assert "a file system is mounted at" in done.stderr
    assert is_untouched(target)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_a_parent_that_may_not_be_changed_is_refused(
    job: PlainJob, catalog: Catalog, target: Path
) -> None:
    take(job, catalog)
    target.parent.chmod(0o555)
    try:
        assert "may change" in planned(job, target, replace=True).refused
    finally:
        target.parent.chmod(0o755)


def test_a_target_without_a_folder_above_it_is_refused_in_the_plan(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    take(job, catalog)
    found = planned(job, tmp_path / "no" / "such" / "place")
    assert found.refused == f"there is no folder '{tmp_path}/no/such' to make 'place' in"


@pytest.mark.parametrize("dies_at", ["before any", "first", "second", "after both"])
def test_a_kill_around_the_swap_loses_nothing_and_the_same_command_goes_on(
    job: PlainJob, catalog: Catalog, target: Path, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    take(job, catalog)
    die_at(dies_at, target, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        back(job, target, replace=True)
    monkeypatch.undo()
    everything = [
        (each / "precious").read_bytes()
        for each in target.parent.iterdir()
        if (each / "precious").exists()
    ]
    assert everything == [b"live"]
    found = planned(job, target, replace=True)
    assert found.refused is None
    result = back(job, target, replace=True)
    assert (target / "a").read_bytes() == b"from the backup"
    names = sorted(each.name for each in target.parent.iterdir())
    assert names == ["live", result.kept.name]
    assert (result.kept / "precious").read_bytes() == b"live"


def die_at(moment: str, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Die as a kill does: nothing that would clean up finds anything to clean."""
    rename = os.rename
    calls: list[str] = []

    def dying(old: Any, new: Any, **named: Any) -> None:
        if not Path(old).name.startswith(target.name):
            rename(old, new, **named)
            return
        calls.append("rename")
        if moment == "first" and len(calls) == 1:
            raise KeyboardInterrupt
        if moment == "second" and len(calls) == 2:
            raise KeyboardInterrupt
        rename(old, new, **named)
        if moment == "after both" and len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", dying)
    if moment == "before any":
        from airflow_backup.actions.restore import carry_out

        def end(target: Path, marker: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(carry_out, "end_marker", end)


def test_a_swap_that_was_cut_is_not_forgotten_when_a_newer_set_came(
    job: PlainJob, catalog: Catalog, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = take(job, catalog, run=run_number(1))
    die_at("second", target, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        back(job, target, replace=True)
    monkeypatch.undo()
    take(job, catalog, run=run_number(2))
    found = planned(job, target, replace=True)
    assert "is a finished restore of something else; what was there is in" in found.refused
    assert f"--set {first.set_id} --replace" in found.hint
    back(job, target, replace=True, set_id=first.set_id)
    assert (target / "a").read_bytes() == b"from the backup"


def test_a_rename_that_fails_says_that_the_restore_is_whole_and_goes_on(
    job: PlainJob, catalog: Catalog, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(job, catalog)
    rename = os.rename

    def busy(old: Any, new: Any, **named: Any) -> None:
        if Path(old).name == target.name:
            raise OSError(16, "Device or resource busy")
        rename(old, new, **named)

    monkeypatch.setattr(os, "rename", busy)
    with pytest.raises(Refused, match=r"device or resource busy; the restore is whole in"):
        back(job, target, replace=True)
    monkeypatch.undo()
    assert (target / "precious").read_bytes() == b"live"
    result = back(job, target, replace=True)
    assert (result.kept / "precious").read_bytes() == b"live"


@pytest.mark.parametrize("exists", [True, False])
def test_a_restore_that_fails_does_not_block_its_own_target(
    job: PlainJob, catalog: Catalog, tmp_path: Path, exists: bool
) -> None:
    take(job, catalog)
    target = tmp_path / "back"
    if exists:
        target.mkdir()
    with pytest.raises(NotFound, match="no 'nope' in set"):
        back(job, target, only=["nope"])
    assert target.exists() == exists
    back(job, target)
    assert trees.tree_at(target) == trees.tree_at(tmp_path / "source")


def test_a_dry_run_refuses_what_the_restore_refuses(
    job: PlainJob, catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take(job, catalog)
    bare = ["restore", "wiki", "--repository", job.repository, "--to", str(tmp_path / "back")]
    assert main([*bare, "--path", "nope", "--dry-run"]) == 3
    assert "no 'nope' in set" in capsys.readouterr().err
    assert main([*bare, "--path", "b/c", "--dry-run"]) == 0


def test_parts_of_what_has_none_are_refused_in_the_plan(catalog: Catalog, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as database:
        database.execute("CREATE TABLE t (a)")
    source = SqliteOptions(engine="sqlite", path=str(tmp_path / "a.db"))
    job = PlainJob(source, f"file://{tmp_path}/repository")
    take(job, catalog)
    with pytest.raises(ConfigError, match="the sqlite engine restores all of a set"):
        planned(job, tmp_path / "back", only=["a"])


def test_a_restore_says_that_the_newest_set_was_passed_over(
    job: PlainJob, catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = take(job, catalog, run=run_number(1))
    second = take(job, catalog, run=run_number(2))
    path = tmp_path / "repository/wiki/sets" / second.set_id / "manifest.json"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:100])
    bare = ["restore", "wiki", "--repository", job.repository]
    assert main([*bare, "--to", str(tmp_path / "back")]) == 0
    told = capsys.readouterr().out
    assert f"wiki: set {first.set_id}" in told
    assert "PASSED OVER: 'wiki/sets/" in told
    assert main([*bare, "--to", str(tmp_path / "again"), "--strict", "--format", "json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert facts["set_ids"] == [first.set_id]
    assert len(facts["passed_over"]) == 1
    assert main([*bare, "--to", str(tmp_path / "third"), "--strict", "--dry-run"]) == 1


def test_a_set_of_which_nothing_comes_back_is_no_success(
    job: PlainJob, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(job, catalog)
    monkeypatch.setattr(
        FilesEngine, "restore", lambda *given, **named: RestoreReport(files=0, bytes_written=0)
    )
    with pytest.raises(VerifyError, match="nothing came back of set"):
        back(job, tmp_path / "back")


def test_a_tree_of_which_not_all_came_back_is_no_success(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    result = take(job, catalog)
    path = tmp_path / "repository/wiki/sets" / result.set_id / "manifest.json"
    told = json.loads(path.read_bytes())
    told["totals"]["files"] += 1
    path.chmod(0o600)
    path.write_text(json.dumps(told))
    with pytest.raises(VerifyError, match=r"4 entries of set .* came back, and it holds 5"):
        back(job, tmp_path / "back")


def test_a_leftover_of_something_else_is_cleared_from_beside(
    job: PlainJob, catalog: Catalog, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(job, catalog, run=run_number(1))

    def die(*given: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FilesEngine, "restore", die)
    monkeypatch.setattr(
        "airflow_backup.actions.restore.carry_out.drop_marker", lambda *a, **b: None
    )
    with pytest.raises(KeyboardInterrupt):
        back(job, target, replace=True)
    monkeypatch.undo()
    (target.parent / "live.restoring" / "half").write_bytes(b"half")
    take(job, catalog, run=run_number(2), kind=Kind.INCREMENTAL)
    back(job, target, replace=True)
    assert sorted(each.name for each in target.iterdir()) == ["a", "b"]


def test_dots_behind_a_link_name_the_folder_that_the_system_means(
    job: PlainJob, catalog: Catalog, tmp_path: Path
) -> None:
    take(job, catalog)
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "real" / "keep").write_text("real")
    (tmp_path / "other" / "keep").write_text("other")
    (tmp_path / "other" / "link").symlink_to(tmp_path / "real" / "sub")
    result = back(job, tmp_path / "other" / "link" / "..", replace=True)
    assert (tmp_path / "other" / "keep").read_text() == "other"
    assert (result.kept / "keep").read_text() == "real"
    assert (tmp_path / "real" / "a").exists()


@pytest.mark.parametrize("where", ["repository/wiki", "repository/new", "repository", "."])
def test_nothing_is_restored_into_or_over_the_repository(
    job: PlainJob, catalog: Catalog, tmp_path: Path, where: str
) -> None:
    take(job, catalog)
    before = trees.tree_at(tmp_path)
    with pytest.raises(Refused, match="the repository"):
        back(job, tmp_path / where, replace=True)
    assert trees.tree_at(tmp_path) == before


@pytest.mark.parametrize(("path", "names"), [(".", ["a", "b"]), ("./a", ["a"]), ("b//c", ["b"])])
def test_a_path_may_be_written_in_any_way_that_names_it(
    job: PlainJob, catalog: Catalog, tmp_path: Path, path: str, names: list[str]
) -> None:
    take(job, catalog)
    back(job, tmp_path / "back", only=[path])
    assert sorted(each.name for each in (tmp_path / "back").iterdir()) == names


def test_two_restores_into_one_target_do_not_mix(
    job: PlainJob, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(job, catalog)
    restored = FilesEngine.restore
    target = tmp_path / "back"

    def meeting(self: FilesEngine, *given: Any, **named: Any) -> RestoreReport:
        monkeypatch.undo()
        with pytest.raises(Refused, match="is under way"):
            back(job, target)
        return restored(self, *given, **named)

    monkeypatch.setattr(FilesEngine, "restore", meeting)
    back(job, target)
    assert trees.tree_at(target) == trees.tree_at(tmp_path / "source")
