"""What another user puts beside a restore's target, under the names of our own files: not believed, not followed."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_backup.actions.restore.carry_out import carry_out
from airflow_backup.actions.restore.marking import marked
from airflow_backup.actions.restore.restore import plan
from airflow_backup.actions.restore.swap import Swap
from airflow_backup.actions.restore.target import target_of
from airflow_backup.actions.sets.trust import Trust
from airflow_backup.catalog import Catalog
from airflow_backup.core.errors import ConfigError, Refused
from airflow_backup.core.paths.own_files import write_own
from airflow_backup.engines.files.options import FilesOptions
from airflow_backup.engines.protocol import EngineContext
from airflow_backup.engines.shared.restore_marker import MARKER
from airflow_backup.storage.open import open_storage
from support.stored.sets import Clock, PlainJob, take

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes files that belong to another user")


@pytest.fixture
def job(tmp_path: Path) -> PlainJob:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(b"restored")
    job = PlainJob(FilesOptions(engine="files", path=str(source)), f"file://{tmp_path}/repository")
    with Catalog.open("sqlite://") as catalog:
        take(job, catalog)
    return job


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A folder with something in it, which a restore may replace."""
    (tmp_path / "way" / "live").mkdir(parents=True)
    (tmp_path / "way" / "live" / "old").write_bytes(b"old")
    return tmp_path / "way" / "live"


def replace(job: PlainJob, target: Path) -> None:
    what = plan(open_storage(job.repository), Trust.of(job), target=target, replace=True)
    carry_out(what, EngineContext(clock=Clock()))


def ended(work: Callable[[], None]) -> Exception | None:
    """Do something that might wait for ever, and return what it raised."""
    raised: list[Exception | None] = []

    def run() -> None:
        try:
            work()
            raised.append(None)
        except (Refused, OSError, ValueError, MemoryError) as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert raised, "it hangs"
    return raised[0]


PLACES = {
    "the journal": ".live.restoring.json",
    "the marker beside": f"live.restoring/{MARKER}",
    "the marker": f"live/{MARKER}",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("kind", ["pipe", "link", "large"])
def test_what_is_no_file_of_ours_is_waited_for_by_nobody(
    job: PlainJob, live: Path, place: str, kind: str
) -> None:
    planted = live.parent / place
    planted.parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(planted)
    elif kind == "link":
        planted.symlink_to("/dev/zero")
    else:
        with planted.open("wb") as file:
            file.truncate(2**40)
    error = ended(lambda: replace(job, live))
    assert error is None or isinstance(error, Refused)
    kept = [each for each in live.parent.iterdir() if (each / "old").exists()]
    assert len(kept) == 1
    assert (error is None) == (place == f"live/{MARKER}")


@as_root
def test_a_planted_link_of_the_journals_name_is_not_written_through(
    job: PlainJob, live: Path, tmp_path: Path
) -> None:
    victim = tmp_path / "passwd"
    victim.write_bytes(b"precious")
    os.chown(live.parent, NOBODY, NOBODY)
    (live.parent / ".live.restoring.json.part").symlink_to(victim)
    replace(job, live)
    assert victim.read_bytes() == b"precious"
    assert (live / "a").read_bytes() == b"restored"


@as_root
def test_a_planted_restore_that_says_it_is_whole_is_not_swapped_in(
    job: PlainJob, live: Path
) -> None:
    what = plan(open_storage(job.repository), Trust.of(job), target=live, replace=True)
    os.chmod(live.parent, 0o1777)  # noqa: S103  # as /tmp
    planted = live.with_name("live.restoring")
    planted.mkdir()
    (planted / "a").write_bytes(b"a lie")
    journal = live.with_name(".live.restoring.json")
    journal.write_text(json.dumps({"marker": what.marker(), "kept": "live.before"}))
    for each in (planted, journal):
        os.chown(each, NOBODY, NOBODY)
    with pytest.raises(Refused, match="another user may have put it there"):
        carry_out(what, EngineContext(clock=Clock()))
    assert (live / "old").read_bytes() == b"old"


@as_root
@pytest.mark.parametrize("is_ours", [False, True])
def test_only_an_unfinished_restore_of_ours_is_gone_on_with(
    job: PlainJob, tmp_path: Path, *, is_ours: bool
) -> None:
    target = tmp_path / "new"
    what = plan(open_storage(job.repository), Trust.of(job), target=target)
    target.mkdir()
    (target / MARKER).write_text(json.dumps(what.marker()))
    os.chown(target / MARKER, 0 if is_ours else NOBODY, 0)
    again = plan(open_storage(job.repository), Trust.of(job), target=target)
    assert again.resumes is is_ours
    assert (again.refused is None) is is_ours


def test_a_folder_that_fills_after_the_look_gets_no_marker(tmp_path: Path) -> None:
    (tmp_path / "neighbour").write_bytes(b"x")
    with pytest.raises(Refused, match="is not empty"), marked(tmp_path, {}):
        pass
    assert os.listdir(tmp_path) == ["neighbour"]


def test_a_marker_with_a_second_name_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    target = tmp_path / "target"
    target.mkdir()
    os.link(tmp_path / "precious", target / MARKER)
    with pytest.raises(Refused, match="another user may have put"), marked(target, {}):
        pass
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_another_restore_that_is_at_work_beside_is_not_removed(job: PlainJob, live: Path) -> None:
    beside = live.with_name("live.restoring")
    beside.mkdir()
    (beside / "half").write_bytes(b"half")
    with (beside / MARKER).open("w") as file:
        json.dump({"sets": "others"}, file)
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(Refused, match="is under way"):
            replace(job, live)
    assert (beside / "half").read_bytes() == b"half"
    replace(job, live)
    assert (live / "a").read_bytes() == b"restored"


def test_only_the_folder_that_was_restored_is_swapped_in(live: Path) -> None:
    swap = Swap(live, {"sets": []})
    swap.beside.mkdir()
    swap.is_ready("live.before")
    swap.beside.rename(swap.beside.with_name("aside"))
    swap.beside.mkdir()
    (swap.beside / "half").write_bytes(b"of another restore")
    for each in (swap, Swap(live, {"sets": []})):
        with pytest.raises(Refused, match="another folder than the one that was restored"):
            each.carry_out()
    assert os.listdir(live) == ["old"]


def test_two_dots_behind_a_link_are_those_of_the_system(
    job: PlainJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`current/../back` lies beside what `current` is, also where another `back` lies beside the link."""
    (tmp_path / "releases" / "3").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/3")
    for folder in (tmp_path / "back", tmp_path / "releases" / "back"):
        folder.mkdir()
        (folder / "of").write_text(folder.parent.name)
    monkeypatch.chdir(tmp_path)
    replace(job, Path("current/../back"))
    assert (tmp_path / "releases" / "back" / "a").read_bytes() == b"restored"
    assert os.listdir(tmp_path / "back") == ["of"]
    assert not list(tmp_path.glob("back.*"))


def test_a_target_without_a_name_is_not_the_folder_that_we_are_in() -> None:
    with pytest.raises(ConfigError, match="has no name"):
        target_of("")


@pytest.mark.parametrize("name", ["n" * 300, "x/" * 2500])
def test_a_target_that_cannot_be_looked_at_is_refused(
    job: PlainJob, tmp_path: Path, name: str
) -> None:
    found = plan(open_storage(job.repository), Trust.of(job), target=tmp_path / name)
    assert found.refused is not None
    assert "name too long" in found.refused


def test_our_small_files_are_written_through_no_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    write_own(tmp_path / "link", b"x")
    assert not (tmp_path / "victim").exists()
    assert (tmp_path / "link").read_bytes() == b"x"


ASK = (
    "import sys; from pathlib import Path; from airflow_backup.actions.restore.replaceable import "
)
ASK += "what_keeps_from_swapping; print(what_keeps_from_swapping(Path(sys.argv[1]))[0])"


@as_root
def test_a_file_system_that_is_mounted_below_a_target_does_not_go_along(live: Path) -> None:
    (live / "disk").mkdir()
    script = 'mount -t tmpfs none "$1/disk" || exit 77; exec "$2" -c "$3" "$1"'
    told = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", str(live), sys.executable, ASK],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "Operation not permitted" in told.stderr or told.returncode == 77:
        pytest.skip("nothing can be mounted here")
    assert f"a file system is mounted at '{live}/disk'" in told.stdout
