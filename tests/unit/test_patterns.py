"""Which paths a pattern means."""

from __future__ import annotations

import time

import pytest

from airflow_backup.core.errors import ConfigError
from airflow_backup.engines.patterns import Patterns

CASES: dict[str, tuple[str, list[str], list[str]]] = {
    "a name anywhere": ("*.tmp", ["a.tmp", "x/y/a.tmp", ".tmp"], ["a.tmpx", "a.tmp/b", "atmp"]),
    "a whole name": ("cache", ["cache", "x/cache"], ["cached", "x/cache/y", "mycache"]),
    "anchored": ("/cache", ["cache"], ["x/cache"]),
    "anchored by a slash inside": ("var/log", ["var/log"], ["x/var/log", "var/log/x"]),
    "a star stays in its folder": ("a/*.gz", ["a/b.gz"], ["a/b/c.gz"]),
    "two stars in one name": ("a*b*c", ["abc", "axxbyyc"], ["ab", "acb", "a/b/c"]),
    "a question mark is one character": ("a?c", ["abc"], ["ac", "abbc", "a/c"]),
    "a set of characters": ("[ab].txt", ["a.txt", "b.txt"], ["c.txt", "ab.txt"]),
    "a range": ("[0-9]x", ["5x"], ["ax", "-x"]),
    "anything but": ("[!a].txt", ["b.txt"], ["a.txt", "/.txt"]),
    "folders between": ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["a", "z", "b/z"]),
    "folders before": ("**/z", ["z", "a/z", "a/b/z"], ["az"]),
    "several groups": ("a/**/b/**/c", ["a/b/c", "a/x/b/y/b/c"], ["a/c/b", "b/c"]),
    "all below": ("a/**", ["a/b", "a/b/c"], ["a", "b"]),
    "a dot is a dot": ("a.c", ["a.c"], ["abc"]),
    "a bracket that never closes is itself": ("a[b", ["a[b"], ["ab"]),
    "newlines are characters": ("a*b", ["a\nb"], []),
    "beyond ASCII": ("ü*", ["üx"], ["ux"]),
}


@pytest.mark.parametrize(("pattern", "yes", "no"), CASES.values(), ids=CASES)
def test_a_pattern_means(pattern: str, yes: list[str], no: list[str]) -> None:
    patterns = Patterns(exclude=[pattern])
    for path in yes:
        assert patterns.skips(path.encode(), is_folder=False), path
    for path in no:
        assert not patterns.skips(path.encode(), is_folder=False), path


def test_a_slash_at_the_end_means_folders_only() -> None:
    patterns = Patterns(exclude=["tmp/"])
    assert patterns.skips(b"a/tmp", is_folder=True)
    assert not patterns.skips(b"a/tmp", is_folder=False)


def test_what_lies_below_an_included_folder_is_included() -> None:
    patterns = Patterns(include=["docs/"])
    assert patterns.takes(b"docs/a/b")
    assert patterns.takes(b"x/docs/a")
    assert not patterns.takes(b"x/a")


def test_a_pattern_of_nothing_is_refused() -> None:
    for pattern in ("", "/", "//"):
        with pytest.raises(ConfigError, match="matches nothing"):
            Patterns(exclude=[pattern])


def test_no_pattern_takes_long() -> None:
    patterns = Patterns(exclude=["*a" * 30 + "b", "**/" * 10 + "x*y", "**/a/" * 10 + "z"])
    begun = time.monotonic()
    patterns.skips(b"a" * 255, is_folder=False)
    patterns.skips(b"a/" * 500 + b"b", is_folder=False)
    patterns.skips(b"a/" * 500 + b"b", is_folder=True)
    assert time.monotonic() - begun < 20, "backtracking would take longer than the universe is old"
