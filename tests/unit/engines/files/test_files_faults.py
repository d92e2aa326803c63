"""A file that cannot be read, wherever in it: never half of it as if it were whole, and never the others with it."""

from __future__ import annotations

import errno
import io
import os
import random
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_backup.actions.backup.backup import BackupResult
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import (
    NotFound,
    SourceDenied,
    SourceError,
    SourceUnavailable,
    StorageError,
)
from airflow_backup.core.paths.removal import remove_tree
from airflow_backup.core.words import Kind
from airflow_backup.engines.files.engine import FilesEngine
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import EngineContext, RestoreReport
from support.sources.source_faults import Strike, read_error, struck
from support.stored.sets import PlainJob, chain_of, run_number, take

MIB = 1024 * 1024


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    root.mkdir()
    rng = random.Random(1)
    for number in range(40):
        (root / f"{number:02}").write_bytes(rng.randbytes(rng.randrange(5000)))
    (root / "10-large").write_bytes(rng.randbytes(5 * MIB + 77))
    (root / "20-small").write_bytes(rng.randbytes(300_000))
    return root


def job_of(root: Path, tmp_path: Path, *, on_unreadable: str = "warn") -> PlainJob:
    source = FilesOptions.model_validate(
        {"engine": "files", "path": str(root), "on_unreadable": on_unreadable}
    )
    return PlainJob(source, f"file://{tmp_path}/repository")


def restored(job: PlainJob, result: BackupResult, target: Path) -> RestoreReport:
    return FilesEngine().restore(chain_of(job, result), target, EngineContext())


def content(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def fails_in(name: str, at: int, number: int = errno.EIO) -> Strike:
    def strike(call: str, path: str, offset: int) -> None:
        if path == name and call in ("read", "preadv") and offset >= at:
            raise read_error(number)

    return strike


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
@pytest.mark.parametrize("name", ["10-large", "20-small"])
def test_a_file_that_cannot_be_read_costs_no_other_file(
    root: Path, tmp_path: Path, catalog: Catalog, name: str, number: int
) -> None:
    job = job_of(root, tmp_path)
    with struck(root, fails_in(name, 2 * MIB if name == "10-large" else 0, number)):
        result = take(job, catalog)
    report = restored(job, result, tmp_path / "restored")
    expected = content(root)
    del expected[name]
    assert content(tmp_path / "restored") == expected
    assert report.warnings == (f"'{name}' is not in the set: it could not be read",)
    FilesEngine().decode(chain_of(job, result), EngineContext())


def test_plain_tar_reads_on_behind_a_file_that_could_not_be_read_whole(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    job = job_of(root, tmp_path)
    with struck(root, fails_in("10-large", 2 * MIB)):
        result = take(job, catalog)
    archive = b"".join(chain_of(job, result)[-1].blocks("files.tar"))
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        assert len(found.getnames()) == len(content(root)) + 1


def test_an_unreadable_file_fails_the_run_unless_the_schedule_says_otherwise(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    job = job_of(root, tmp_path, on_unreadable="fail")
    with (
        struck(root, fails_in("10-large", 2 * MIB)),
        pytest.raises(SourceUnavailable, match=r"cannot read '10-large': input/output error"),
    ):
        take(job, catalog)
    assert not list((tmp_path / "repository").rglob("manifest.json"))


def test_a_run_that_cannot_read_much_does_not_read_on(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    opened: list[str] = []

    def strike(call: str, path: str, offset: int) -> None:
        if call == "open" and path != ".":
            opened.append(path)
            raise read_error(errno.EACCES)

    job = job_of(root, tmp_path, on_unreadable="fail")
    with struck(root, strike), pytest.raises(SourceDenied, match=r"'00': .*, and 19 more"):
        take(job, catalog)
    assert len(opened) == 20


def test_a_half_read_file_is_not_what_the_next_set_compares_with(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    job = job_of(root, tmp_path)
    take(job, catalog, run=run_number(1))
    with (root / "10-large").open("r+b") as file:  # every block is new
        file.write(random.Random(2).randbytes(5 * MIB))
    with struck(root, fails_in("10-large", 2 * MIB)):
        take(job, catalog, run=run_number(2), kind=Kind.INCREMENTAL)
    third = take(job, catalog, run=run_number(3), kind=Kind.INCREMENTAL)
    report = restored(job, third, tmp_path / "restored")
    assert content(tmp_path / "restored") == content(root)
    assert not report.warnings


def test_a_half_read_file_of_a_full_set_is_read_again_although_nothing_changed(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    job = job_of(root, tmp_path)
    with struck(root, fails_in("10-large", 2 * MIB)):
        take(job, catalog, run=run_number(1))
    second = take(job, catalog, run=run_number(2), kind=Kind.INCREMENTAL)
    restored(job, second, tmp_path / "restored")
    assert content(tmp_path / "restored") == content(root)


def test_a_folder_that_cannot_be_listed_is_told_and_not_taken_for_emptied(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    (root / "05-folder").mkdir()
    (root / "05-folder" / "inside").write_bytes(b"x")
    job = job_of(root, tmp_path)
    take(job, catalog, run=run_number(1))

    def strike(call: str, path: str, offset: int) -> None:
        if call == "scandir" and path == "05-folder":
            raise read_error()

    with struck(root, strike):
        second = take(job, catalog, run=run_number(2), kind=Kind.INCREMENTAL)
    manifest = chain_of(job, second)[-1].manifest
    assert (manifest.counts["unread"], manifest.counts["removed"]) == (1, 0)
    assert manifest.warnings == ("left out '05-folder': input/output error",)
    third = take(job, catalog, run=run_number(3), kind=Kind.INCREMENTAL)
    restored(job, third, tmp_path / "restored")
    assert (tmp_path / "restored/05-folder/inside").read_bytes() == b"x"


@pytest.mark.parametrize("size", [100_000, 3 * MIB])
def test_a_second_name_stands_alone_when_the_first_cannot_be_read(
    root: Path, tmp_path: Path, catalog: Catalog, size: int
) -> None:
    (root / "a-first").write_bytes(os.urandom(size))
    os.link(root / "a-first", root / "b-second")
    job = job_of(root, tmp_path)
    with struck(root, fails_in("a-first", 0)):
        result = take(job, catalog)
    restored(job, result, tmp_path / "restored")
    assert (tmp_path / "restored/b-second").read_bytes() == (root / "a-first").read_bytes()
    assert not (tmp_path / "restored/a-first").exists()


def test_a_read_that_comes_short_is_no_end_of_a_file(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    job = job_of(root, tmp_path)

    def strike(call: str, path: str, offset: int) -> int:
        return 1000

    with struck(root, strike):
        result = take(job, catalog)
    restored(job, result, tmp_path / "restored")
    assert content(tmp_path / "restored") == content(root)
    assert not result.warnings


def test_a_path_that_could_not_be_read_is_not_found_when_it_is_asked_for(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    job = job_of(root, tmp_path)
    with struck(root, fails_in("10-large", 2 * MIB)):
        result = take(job, catalog)
    with pytest.raises(NotFound, match=r"'10-large' is not in the set: it could not be read"):
        FilesEngine().restore(
            chain_of(job, result), tmp_path / "restored", EngineContext(), only=["10-large"]
        )


def test_a_file_written_again_in_the_same_tick_is_stored_however_long_the_storage_waited(
    root: Path, tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that ticks once a second: the second write leaves size and times as they were."""
    job = job_of(root, tmp_path)
    file = root / "20-small"
    coarse = int(time.time()) * 10**9
    os.utime(file, ns=(coarse, coarse))
    fstat, stat = os.fstat, os.stat
    waited: list[int] = []

    def ticking(found: os.stat_result) -> Any:
        return _Coarse(found, coarse) if found.st_ino == file_number else found

    file_number = stat(file).st_ino
    monkeypatch.setattr(os, "fstat", lambda fd: ticking(fstat(fd)))
    monkeypatch.setattr(os, "stat", lambda *given, **named: ticking(stat(*given, **named)))
    now = time.time_ns

    def later() -> int:  # each look at the clock after the file was read is seconds later
        return now() + (5 * 10**9 if waited else 0)

    read = os.read

    def reading(descriptor: int, size: int) -> bytes:
        data = read(descriptor, size)
        if fstat(descriptor).st_ino == file_number:
            waited.append(1)
        return data

    monkeypatch.setattr(time, "time_ns", later)
    monkeypatch.setattr(os, "read", reading)
    take(job, catalog, run=run_number(1))
    waited.clear()
    content_now = b"y" * file.stat().st_size
    file.write_bytes(content_now)
    os.utime(file, ns=(coarse, coarse))
    second = take(job, catalog, run=run_number(2), kind=Kind.INCREMENTAL)
    monkeypatch.undo()
    restored(job, second, tmp_path / "restored")
    assert (tmp_path / "restored/20-small").read_bytes() == content_now


class _Coarse:
    """What stat says on a file system that keeps whole seconds."""

    def __init__(self, found: os.stat_result, tick: int) -> None:
        self._found, self.st_ctime_ns = found, tick

    def __getattr__(self, name: str) -> object:
        return getattr(self._found, name)


def test_an_error_of_the_repository_is_not_taken_for_an_unreadable_file(
    root: Path, tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_backup.storage.folder_writer import FolderWriter

    def write(self: FolderWriter, data: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    job = job_of(root, tmp_path)
    take(job, catalog, run=run_number(1))
    monkeypatch.setattr(FolderWriter, "write", write)
    with pytest.raises(StorageError, match="cannot write"):
        take(job, catalog, run=run_number(2))


@pytest.mark.parametrize(
    "seconds",
    [-(2**31), -1, 0, 999_999_999, 2**31, 2**32, 2**33 - 1, 2**33, 9_999_999_999],
    ids=lambda seconds: f"mtime={seconds}",
)
def test_a_file_of_any_date_is_a_member_that_every_tar_reads(
    tmp_path: Path, catalog: Catalog, seconds: int
) -> None:
    root = tmp_path / "source"
    root.mkdir()
    for name in ("before", "dated", "later"):
        (root / name).write_bytes(name.encode())
    moment = seconds * 1_000_000_000 + 5
    os.utime(root / "dated", ns=(moment, moment))
    if (root / "dated").stat().st_mtime_ns != moment:
        pytest.skip("this file system has no such date")
    job = job_of(root, tmp_path)
    result = take(job, catalog)
    restored(job, result, tmp_path / "restored")
    assert (tmp_path / "restored/dated").stat().st_mtime_ns == moment
    archive = b"".join(chain_of(job, result)[-1].blocks("files.tar"))
    listed = subprocess.run(["tar", "-t"], input=archive, capture_output=True, check=True).stdout
    assert listed.split() == [b"./", b"before", b"dated", b"later"]


@pytest.mark.parametrize("name", ["user.a=b", "user.100%", "user.%3D", "user.=", "user.new\nline"])
def test_an_attribute_keeps_its_name(tmp_path: Path, catalog: Catalog, name: str) -> None:
    root = tmp_path / "source"
    root.mkdir()
    (root / "file").write_bytes(b"x")
    try:
        os.setxattr(root / "file", name, b"v=1\n")
    except OSError:
        pytest.skip("this file system has no such attribute")
    job = job_of(root, tmp_path)
    restored(job, take(job, catalog), tmp_path / "restored")
    back = tmp_path / "restored/file"
    assert {each: os.getxattr(back, each) for each in os.listxattr(back)} == {name: b"v=1\n"}


def test_a_file_with_very_many_holes_comes_back(tmp_path: Path, catalog: Catalog) -> None:
    root = tmp_path / "source"
    root.mkdir()
    step, count = 8192, 30_000
    with (root / "holes").open("wb") as file:
        for number in range(count):
            os.pwrite(file.fileno(), b"%d" % number, number * step)
        file.truncate(count * step + 5)
    job = job_of(root, tmp_path)
    restored(job, take(job, catalog), tmp_path / "restored")
    again = subprocess.run(
        ["cmp", root / "holes", tmp_path / "restored/holes"], capture_output=True, check=False
    )
    assert again.returncode == 0


def test_a_source_that_cannot_be_listed_is_a_failure_whatever_the_schedule_says(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    def strike(call: str, path: str, offset: int) -> None:
        if call == "scandir":
            raise read_error()

    with struck(root, strike), pytest.raises(SourceUnavailable, match="cannot list the source"):
        take(job_of(root, tmp_path), catalog)


def test_a_tree_of_which_nothing_can_be_read_is_a_failure(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    def strike(call: str, path: str, offset: int) -> None:
        if call in ("scandir", "read", "preadv"):
            raise read_error()

    with struck(root, strike), pytest.raises(SourceError):
        take(job_of(root, tmp_path, on_unreadable="fail"), catalog)


def test_a_name_that_would_forge_a_line_is_shown_escaped(tmp_path: Path, catalog: Catalog) -> None:
    root = tmp_path / "source"
    root.mkdir()
    (root / "ok").write_bytes(b"x")
    (root / "a\x1b[31m\nairflow-backup: FORGED").write_bytes(b"x")
    with struck(root, fails_in("a\x1b[31m\nairflow-backup: FORGED", 0)):
        result = take(job_of(root, tmp_path), catalog)
    assert result.warnings == (
        "left out 'a\\x1b[31m\\nairflow-backup: FORGED': input/output error",
    )


def test_a_restore_test_reaches_paths_longer_than_the_system_takes_at_once(
    tmp_path: Path, catalog: Catalog
) -> None:
    root = tmp_path / "source"
    root.mkdir()
    here = os.open(root, os.O_RDONLY)
    for _ in range(25):
        os.mkdir(b"d" * 200, dir_fd=here)
        below = os.open(b"d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open(b"file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    job = job_of(root, tmp_path)
    result = take(job, catalog)
    FilesEngine().try_restore(chain_of(job, result), EngineContext(scratch=tmp_path))
    remove_tree(root)


def grows(file: Path) -> None:
    with file.open("r+b") as open_file:
        open_file.seek(9 * MIB)
        open_file.write(b"x" * 100)


def is_cut(file: Path) -> None:
    os.truncate(file, 0)


@pytest.mark.parametrize("kind", [Kind.FULL, Kind.INCREMENTAL])
@pytest.mark.parametrize("change", [grows, is_cut])
@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_file_with_holes_that_grows_or_is_cut_while_they_are_listed_is_stored(
    root: Path,
    tmp_path: Path,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    moment: int,
    kind: Kind,
) -> None:
    file, job = root / "15-holes", job_of(root, tmp_path, on_unreadable="fail")
    file.write_bytes(b"head" * 2000)
    os.truncate(file, 8 * MIB)
    take(job, catalog, run=run_number(1))
    file.touch()
    real, calls = os.lseek, 0

    def lseek(descriptor: int, at: int, how: int) -> int:
        nonlocal calls
        if how in (os.SEEK_DATA, os.SEEK_HOLE):
            calls += 1
            if calls == moment:
                change(file)
        return real(descriptor, at, how)

    monkeypatch.setattr(os, "lseek", lseek)
    result = take(job, catalog, run=run_number(2), kind=kind)
    monkeypatch.undo()
    assert calls >= moment
    (warning,) = result.warnings
    assert warning.startswith(("'15-holes' changed while", "'15-holes' was cut while"))
    restored(job, result, tmp_path / "restored")
    found = content(tmp_path / "restored")
    assert len(found.pop("15-holes")) == 8 * MIB
    file.unlink()
    assert found == content(root)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENXIO, errno.ELOOP, errno.ENOTDIR])
@pytest.mark.parametrize(("call", "name"), [("open", "20-small"), ("open", "05-folder")])
def test_what_is_there_and_cannot_be_opened_did_not_vanish_whatever_the_error_is(
    root: Path, tmp_path: Path, catalog: Catalog, call: str, name: str, number: int
) -> None:
    (root / "05-folder").mkdir()
    (root / "05-folder" / "inside").write_bytes(b"x")

    def strike(now: str, path: str, offset: int) -> None:
        if (now, path) == (call, name):
            raise read_error(number)

    with struck(root, strike), pytest.raises(SourceUnavailable, match=f"cannot read '{name}'"):
        take(job_of(root, tmp_path, on_unreadable="fail"), catalog)


def test_a_link_that_became_a_file_between_two_looks_vanished(
    root: Path, tmp_path: Path, catalog: Catalog
) -> None:
    (root / "07-link").symlink_to("20-small")

    def strike(call: str, path: str, offset: int) -> None:
        if call == "readlink" and (root / "07-link").is_symlink():
            (root / "07-link").unlink()
            (root / "07-link").write_bytes(b"a file now")

    with struck(root, strike):
        result = take(job_of(root, tmp_path, on_unreadable="fail"), catalog)
    assert result.warnings == ("'07-link' vanished while the tree was read",)
