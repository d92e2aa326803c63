"""A folder tree is removed whatever its depth and its rights, and a link in it is not followed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from airflow_backup.core.paths.removal import remove_tree
from airflow_backup.engines.shared.scratch import scratch_folder, sweep


def dig(folder: Path, depth: int) -> None:
    """Make folders deeper than any path may be long."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(b"d" * 20, dir_fd=here)
        below = os.open(b"d" * 20, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open(b"file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def test_a_tree_that_is_thousands_deep_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    dig(folder, 3000)
    remove_tree(folder)
    assert not folder.exists()


def test_what_a_killed_restore_left_in_the_scratch_folder_costs_no_later_run(
    tmp_path: Path,
) -> None:
    left = tmp_path / "airflow-backup-abcdefgh"
    (left / "work").mkdir(parents=True)
    (left / ".owner").touch()
    dig(left / "work", 2000)
    os.utime(left, (0, 0))
    with scratch_folder(tmp_path):
        assert not left.exists()
    assert sweep(tmp_path) == []


def test_links_lead_nowhere_and_rights_do_not_matter(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    folder = tmp_path / "tree"
    (folder / "closed" / "within").mkdir(parents=True)
    (folder / "closed" / "link").symlink_to(outside)
    (folder / "closed").chmod(0o000)
    (folder / "more").mkdir()
    subprocess.run(["touch", *(str(folder / "more" / str(n)) for n in range(50))], check=True)
    remove_tree(folder)
    assert not folder.exists()
    assert (outside / "precious").exists()
