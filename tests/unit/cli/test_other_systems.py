"""The shell on systems that lack what Linux has: the modules and functions are taken away, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WINDOWS = """
import os, sys
MISSING = {"fcntl", "grp", "pwd", "resource", "termios"}
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Finder())
for name in MISSING:
    sys.modules.pop(name, None)
for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "fork", "geteuid", "getuid", "killpg", "setsid", "chown",
             "fchmod", "listxattr", "sched_getaffinity", "posix_fadvise"):
    delattr(os, name)
"""
MACOS = """
import os, sys
for name in ("O_NOATIME", "O_PATH", "O_TMPFILE", "posix_fadvise", "posix_fallocate", "copy_file_range", "listxattr", "getxattr",
             "setxattr", "removexattr", "splice", "pidfd_open", "memfd_create", "sched_getaffinity", "setns", "unshare"):
    if hasattr(os, name):
        delattr(os, name)
"""
MAIN = "from airflow_backup.cli.main import main\nsys.exit(main(sys.argv[1:]))\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("hello")
    os.setxattr(tmp_path / "data" / "a.txt", "user.note", b"kept")
    (tmp_path / "schedules.yaml").write_text(
        f"version: 1\ndefaults: {{repository: 'file://{tmp_path}/repository', preset: daily}}\nschedules:\n"
        f"  - {{id: wiki, source: {{engine: files, path: {tmp_path}/data}}}}\n"
    )
    return tmp_path


def shell(folder: Path, system: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import sys\n{system}\n{MAIN}", *words],
        cwd=folder,
        env={**os.environ, "AIRFLOW_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        "validate",
        "validate --warnings",
        "next",
        "diff schedules.yaml",
        "schema",
        "list",
        "show wiki",
        "export",
        "status",
        "report",
    ],
)
def test_what_reads_configuration_works_on_windows(folder: Path, command: str) -> None:
    done = shell(folder, WINDOWS, *command.split())
    assert done.returncode == 0, done.stderr
    assert done.stdout == shell(folder, "", *command.split()).stdout


def test_the_first_files_are_written_on_windows(folder: Path) -> None:
    done = shell(folder, WINDOWS, "setup", "--files", str(folder / "data"), "--to", "made")
    assert done.returncode == 0, done.stderr
    assert (folder / "made" / "schedules.yaml").exists()


@pytest.mark.parametrize(
    "command", ["run wiki", "restore wiki --to back", "verify wiki", "sync", "init"]
)
def test_what_cannot_work_on_windows_says_so(folder: Path, command: str) -> None:
    shell(folder, "", "run", "wiki")
    done = shell(folder, WINDOWS, *command.split())
    assert done.returncode == 1
    assert done.stderr.startswith(
        "airflow-backup: this command does not work on this system\nHINT: "
    )


def test_files_are_restored_on_macos(folder: Path) -> None:
    assert shell(folder, "", "run", "wiki").returncode == 0
    assert shell(folder, MACOS, "verify", "wiki", "--level", "full").returncode == 0
    tried = shell(folder, MACOS, "verify", "wiki", "--level", "restore_test")
    assert tried.returncode == 5, "it cannot be told there"
    done = shell(folder, MACOS, "restore", "wiki", "--to", "back", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert (folder / "back" / "a.txt").read_text() == "hello"
    assert "attribute user.note was not restored" in str(json.loads(done.stdout)["warnings"])


def test_a_backup_that_would_lose_attributes_is_refused_on_macos(folder: Path) -> None:
    done = shell(folder, MACOS, "run", "wiki")
    assert done.returncode == 1
    assert "Python cannot read extended attributes on this system" in done.stderr
    assert not list(folder.rglob("manifest.json"))
