"""A process that ends with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_backup.core.process.orphan import end_with_parent

_CHILD = """
import os, signal, sys, time
from pathlib import Path
from airflow_backup.core.process.orphan import end_with_parent
place = Path(sys.argv[1])
def asked(number, frame):
    place.with_suffix(".asked").touch()
    os._exit(0)
if sys.argv[2] == "handled":
    signal.signal(signal.SIGTERM, asked)
answer = end_with_parent()
place.with_suffix(".new").write_text(f"{os.getpid()} {answer}")
place.with_suffix(".new").rename(place)
time.sleep(60)
"""
_PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a dead parent")


def started(place: Path, how: str) -> tuple[subprocess.Popen[bytes], int, str]:
    """Start a process with a child; return the number of the child, and what it was answered."""
    # Who measures what these run would handle their end, too.
    environment = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    command = [sys.executable, "-c", _PARENT, _CHILD, str(place), how]
    parent = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 60
    while not place.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    number, answer = place.read_text().split()
    return parent, int(number), answer


def test_it_is_asked_to_end_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent, child, answer = started(tmp_path / "told", "handled")
    assert answer == "True"
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while not (tmp_path / "told.asked").exists():
        assert time.monotonic() < deadline, "works on although its parent is dead"
        time.sleep(0.05)
    assert child > 0


def test_who_would_not_know_what_to_do_is_left_alone(tmp_path: Path) -> None:
    parent, child, answer = started(tmp_path / "told", "plain")
    try:
        assert answer == "False"
        parent.kill()
        parent.wait()
        time.sleep(0.5)
        os.kill(child, 0)
    finally:
        os.kill(child, signal.SIGKILL)
        parent.kill()
        parent.wait()


def test_nothing_changes_for_a_process_that_handles_no_end() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        assert end_with_parent() is False
    finally:
        signal.signal(signal.SIGTERM, before)
