"""Temporary folders: removed by who made them, and swept when that one was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_backup.engines.shared.scratch import scratch_folder, sweep

OWNER = """
import sys, time
from pathlib import Path
from airflow_backup.engines.shared.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    Path(folder, "copy.sqlite").write_bytes(b"x" * 1000)
    print("there", flush=True)
    time.sleep(60)
"""


def make_old(base: Path) -> None:
    """Let every folder look as if it was made two minutes ago."""
    for folder in base.iterdir():
        os.utime(folder, (time.time() - 120, time.time() - 120))


def start_owner(base: Path) -> subprocess.Popen[str]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(base)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "there\n"
    return owner


def test_a_folder_is_empty_and_goes_with_its_block(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        assert os.listdir(folder) == []
        assert Path(folder).stat().st_mode & 0o077 == 0
        Path(folder, "deep").mkdir()
    assert os.listdir(tmp_path) == []


def test_an_error_leaves_nothing_either(tmp_path: Path) -> None:
    def fail() -> None:
        with scratch_folder(tmp_path) as folder:
            Path(folder, "copy").write_text("x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert os.listdir(tmp_path) == []


def test_what_a_killed_owner_left_is_swept_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    dead, alive = start_owner(tmp_path), start_owner(tmp_path)
    try:
        dead.send_signal(signal.SIGKILL)
        dead.communicate()
        assert len(os.listdir(tmp_path)) == 2
        assert sweep(tmp_path) == []  # both are too young to tell
        make_old(tmp_path)
        with scratch_folder(tmp_path):
            left = {each.name for each in tmp_path.iterdir()}
        assert len(left) == 2  # the living one's, and the new one
        assert [each.name for each in tmp_path.rglob("copy.sqlite")] == ["copy.sqlite"]
    finally:
        alive.kill()
        alive.communicate()


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "airflow-backup-notes").mkdir()  # without an owner's mark
    (tmp_path / "airflow-backup-file").write_text("x")
    os.symlink("/etc", tmp_path / "airflow-backup-link")
    make_old(tmp_path)
    assert sweep(tmp_path) == []
    assert len(os.listdir(tmp_path)) == 3
