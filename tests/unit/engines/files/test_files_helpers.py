"""The processes that make the small files of a restore: used, right, and never silent."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import BackupError, EngineError, VerifyError
from airflow_backup.core.process.process import Process
from airflow_backup.core.progress import Progress, Reporter
from airflow_backup.core.words import Kind
from airflow_backup.engines.files.engine import FilesEngine
from airflow_backup.engines.files.helpers import helpers as files_helpers
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.files.restore import restore_archive
from airflow_backup.engines.protocol import EngineContext
from support.sources import trees
from support.stored.sets import PlainJob, chain_of, run_number, take

Started = list[Process]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """Helpers from the first file on; those that were started."""
    monkeypatch.setattr(files_helpers, "_BEFORE", 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    found: Started = []
    real = files_helpers._start

    def start(target: int) -> Process:
        found.append(real(target))
        return found[-1]

    monkeypatch.setattr(files_helpers, "_start", start)
    return found


def archive(names: list[str], *, link_every: int = 0, size: int = 10) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number, name in enumerate(names):
            found = tarfile.TarInfo(name)
            if name.endswith("/"):
                found.type, found.mode = tarfile.DIRTYPE, 0o755
            elif link_every and number % link_every == 2:
                found.type, found.linkname = tarfile.LNKTYPE, names[number - 1]
            else:
                found.size = size
            tar.addfile(found, io.BytesIO(b"x" * found.size))
    return out.getvalue()


def unpack(data: bytes, target: Path, reporter: Reporter | None = None) -> None:
    restore_archive(iter([data]), target, reporter or Reporter())


def test_a_tree_is_the_same_at_every_link_of_a_chain(tmp_path: Path, started: Started) -> None:
    root = tmp_path / "source"
    trees.make_tree(root)
    for number in range(2000):
        folder = root / "many" / str(number % 7) / "below"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / f"{number}.txt").write_bytes(b"%d" % number * (number % 100))
        (folder / f"{number}.txt").write_bytes(b"%d" % number)
    for number in range(7):
        os.utime(root / "many" / str(number), ns=(number, 10**18 + number))
    job = PlainJob(FilesOptions(engine="files", path=str(root)), f"file://{tmp_path}/repository")
    with Catalog.open("sqlite://") as catalog:
        for step in range(3):
            kind = Kind.INCREMENTAL if step else Kind.FULL
            result = take(job, catalog, run=run_number(step), kind=kind)
            target = tmp_path / f"restored-{step}"
            FilesEngine().restore(chain_of(job, result), target, EngineContext())
            assert trees.tree_at(target) == trees.tree_at(root)
            trees.change_tree(root, step + 1)
    assert len(started) == 6


def test_few_files_start_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_helpers, "_start", lambda target: pytest.fail("started"))
    unpack(archive([f"{number}" for number in range(200)]), tmp_path / "target")
    assert len(list((tmp_path / "target").iterdir())) == 200


def test_a_time_far_ahead_is_kept(tmp_path: Path, started: Started) -> None:
    far = 10_413_792_000  # 2300-01-01: more nanoseconds than 63 bits hold
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind in (("f", tarfile.DIRTYPE), ("f/now", b"0"), ("f/far", b"0")):
            found = tarfile.TarInfo(name)
            found.type, found.mode = kind, 0o755
            found.mtime = 1 if name == "f/now" else far
            tar.addfile(found)
    unpack(out.getvalue(), tmp_path / "target")
    assert len(started) == 2
    (tmp_path / "other").touch()
    os.utime(tmp_path / "other", (far, far))
    kept = (tmp_path / "other").stat().st_mtime  # not every file system knows that year
    for name in ("f", "f/far"):
        assert (tmp_path / "target" / name).stat().st_mtime == kept


def test_where_no_process_may_be_started_it_goes_on_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(target: int) -> Process:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(files_helpers, "_start", refuse)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    unpack(archive([f"{number}" for number in range(600)]), tmp_path / "target")
    assert len(list((tmp_path / "target").iterdir())) == 600


def test_what_fails_in_a_helper_fails_the_restore(tmp_path: Path, started: Started) -> None:
    names = [f"{number}" for number in range(1000)]
    with pytest.raises(VerifyError, match="'7' is in the archive twice"):
        unpack(archive([*names, "7"]), tmp_path / "target")
    assert started
    assert not any(process.is_running for process in started)


def test_a_helper_that_is_killed_fails_the_restore(tmp_path: Path, started: Started) -> None:
    def kill(progress: Progress) -> None:
        for process in started:
            os.killpg(process._child.pid, signal.SIGKILL)

    names = [f"{number}" for number in range(5000)]
    with pytest.raises(EngineError, match=r"was ended by SIGKILL|ended before its time"):
        unpack(archive(names, size=1000), tmp_path / "target", Reporter(kill, interval=0))
    assert not any(process.is_running for process in started)


def test_nothing_is_left_of_a_restore_that_failed_elsewhere(
    tmp_path: Path, started: Started
) -> None:
    names = [f"{number}" for number in range(1000)]
    with pytest.raises(BackupError, match="the archive ends"):
        unpack(archive(names, size=1000)[:-12_000], tmp_path / "target")
    assert started
    assert not any(process.is_running for process in started)


@pytest.mark.parametrize("links", [3, 300])
def test_a_hard_link_waits_for_its_file(tmp_path: Path, started: Started, links: int) -> None:
    names = [f"{number:04}" for number in range(3 * links)]
    unpack(archive(names, link_every=3), tmp_path / "target")
    for number in range(2, len(names), 3):
        first, second = (tmp_path / "target" / names[number - back] for back in (1, 0))
        assert first.samefile(second)


HELD_TO_THE_MODES = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
RESTORE = """
import os, sys
from pathlib import Path
from airflow_backup.core.progress import Reporter
from airflow_backup.engines.files.helpers import helpers
from airflow_backup.engines.files.restore import restore_archive
helpers._BEFORE = 0
os.sched_getaffinity = lambda pid: {0, 1}
restore_archive(iter([Path(sys.argv[1]).read_bytes()]), Path(sys.argv[2]), Reporter())
"""


def test_a_folder_is_closed_only_behind_its_content(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in ("closed", "closed/below", "read-only", "read-only/below"):
            found = tarfile.TarInfo(folder)
            found.type, found.mode = tarfile.DIRTYPE, 0o000 if "closed" in folder else 0o555
            tar.addfile(found)
            for number in range(500):
                found = tarfile.TarInfo(f"{folder}/{number}")
                found.size = 2000
                tar.addfile(found, io.BytesIO(bytes(2000)))
    (tmp_path / "a.tar").write_bytes(out.getvalue())
    target = tmp_path / "target"
    program = [sys.executable, "-c", RESTORE, str(tmp_path / "a.tar"), str(target)]
    # Root may enter everything, and would not notice.
    subprocess.run([*(HELD_TO_THE_MODES if os.geteuid() == 0 else ()), *program], check=True)
    modes = {path.name: path.stat().st_mode & 0o777 for path in target.iterdir()}
    assert modes == {"closed": 0, "read-only": 0o555}
    for folder in ("closed", "read-only", "closed/below"):
        (target / folder).chmod(0o755)
    assert sum(path.is_file() for path in target.rglob("*")) == 2000


def test_what_lies_where_the_command_is_given_is_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: Started
) -> None:
    source, here = tmp_path / "source", tmp_path / "uploads"
    source.mkdir()
    (source / "one").write_text("content")
    here.mkdir()
    for name in ("json", "struct", "os", "airflow_backup"):
        (here / f"{name}.py").write_text(f"open({str(tmp_path / 'planted')!r}, 'w').close()")
    job = PlainJob(FilesOptions(engine="files", path=str(source)), f"file://{tmp_path}/repository")
    with Catalog.open("sqlite://") as catalog:
        chain = chain_of(job, take(job, catalog))
    monkeypatch.chdir(here)
    FilesEngine().restore(chain, tmp_path / "target", EngineContext())
    assert started
    assert (tmp_path / "target" / "one").read_text() == "content"
    assert not (tmp_path / "planted").exists()
