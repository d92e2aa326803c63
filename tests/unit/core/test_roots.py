"""Paths that must lie within folders: judged by where they really are, opened so that nobody leads them elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_backup.core.errors import Refused, SourceUnavailable
from airflow_backup.core.paths.roots import is_within, open_real, real_path


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/srv", True),
        ("/srv/wiki", True),
        ("/srv/../etc", False),
        ("/srv/wiki/../../etc/passwd", False),
        ("/srvx", False),
        ("/", False),
        ("//srv/wiki", False),
        ("/srv/./wiki//x", True),
    ],
)
def test_a_path_is_judged_by_what_it_means(path: str, *, allowed: bool) -> None:
    assert is_within(path, ["/srv/"]) is allowed


def test_without_roots_nothing_is_within(tmp_path: Path) -> None:
    assert not is_within("/srv", [])
    with pytest.raises(Refused, match="does not lie within any allowed folder"):
        real_path(str(tmp_path), [], what="the source")
    assert real_path(str(tmp_path), None, what="the source") == os.path.realpath(tmp_path)


def test_links_are_followed_before_a_path_is_judged(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (outside / "below").mkdir(parents=True)
    root.mkdir()
    (root / "out").symlink_to(outside)
    (tmp_path / "in").symlink_to(root)
    for inside in (root, tmp_path / "in", root / "missing"):
        assert real_path(str(inside), [str(root)], what="x").startswith(os.path.realpath(root))
    for beyond in (root / "out", root / "out" / "below", tmp_path / "in" / "out", tmp_path):
        with pytest.raises(Refused):
            real_path(str(beyond), [str(root)], what="x")
    assert real_path(str(root), [str(tmp_path / "in")], what="x") == os.path.realpath(root)


def test_a_folder_that_becomes_a_link_is_not_walked_through(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("mine")
    real = os.path.realpath(tmp_path / "a" / "b" / "file")
    os.close(open_real(real, os.O_RDONLY))
    (tmp_path / "a").rename(tmp_path / "was")
    (tmp_path / "a").symlink_to(tmp_path / "was")
    with pytest.raises(SourceUnavailable, match="became a link"):
        open_real(real, os.O_RDONLY)
    with pytest.raises(FileNotFoundError):
        open_real(os.path.realpath(tmp_path / "was" / "gone"), os.O_RDONLY)
