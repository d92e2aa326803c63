"""Which paths a pattern means."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from airflow_backup.core.errors import ConfigError
from airflow_backup.core.paths.patterns import Patterns

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
    "a bracket that stands for itself": ("a\\[b", ["a[b"], ["ab"]),
    "a star that stands for itself": ("a\\*", ["a*"], ["ab"]),
    "anything but, as shells write it": ("[^a].txt", ["b.txt"], ["a.txt"]),
    "a name that begins with an exclamation mark": ("\\!a", ["!a"], ["a"]),
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


def ignored_by_git(folder: Path, patterns: list[str], paths: list[str]) -> set[str]:
    (folder / ".git" / "info" / "exclude").write_text("".join(f"{each}\n" for each in patterns))
    done = subprocess.run(
        ["git", "-c", "core.excludesFile=", "check-ignore", "--no-index", "-z", "--stdin"],
        input="".join(f"{path}\0" for path in paths).encode(),
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return {path.decode() for path in done.stdout.split(b"\0") if path}


def ignored_by_us(patterns: Patterns, paths: dict[str, bool]) -> set[str]:
    found = set()
    for path in sorted(paths):  # a folder before what is in it
        above = path.rpartition("/")[0]
        if above in found or patterns.skips(path.encode(), is_folder=paths[path]):
            found.add(path)
    return found


NAMES = (
    "a",
    "b",
    "ab",
    "a.c",
    "!a",
    "#b",
    "a b",
    "a ",
    "*",
    "[a]",
    "a-b",
    "\\a",
    "A",
    "7",
    "]",
    "-",
    "ba",
)
PIECES = (
    "a", "b", ".c", "*", "**", "?", "[ab]", "[!a]", "[^b]", "[a-c]", "[]a]", "[!]a]", "[a\\]]", "\\*", "\\[", "[[:alpha:]]",
    "[[:digit:][:upper:]]", "\\a", "\\\\", " ", "\\ ", "!", "[a-]", "[-a]", "[z-a]", "-", "[!-]", "[\\\\a]", "[a-b-c]",
)  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bool]]:
    """A repository of git's with odd names in it, three folders deep."""
    folder = tmp_path_factory.mktemp("tree")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    chance = random.Random(7)
    paths: dict[str, bool] = {}
    for first in NAMES:
        paths[first] = True
        for second in chance.sample(NAMES, 7):
            paths[f"{first}/{second}"] = chance.random() < 0.5
            if paths[f"{first}/{second}"]:
                for third in chance.sample(NAMES, 4):
                    paths[f"{first}/{second}/{third}"] = False
    for path, is_folder in paths.items():
        if is_folder:
            (folder / path).mkdir(parents=True, exist_ok=True)
        else:
            (folder / path).touch()
    return folder, paths


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the oracle")
@pytest.mark.parametrize("seed", range(60))
def test_a_list_means_what_git_says(tree: tuple[Path, dict[str, bool]], seed: int) -> None:
    folder, paths = tree
    chance = random.Random(seed)
    refused = 0
    for _ in range(12):
        given: list[str] = []
        for _ in range(chance.randint(1, 4)):
            parts = [
                "".join(chance.choices(PIECES, k=chance.choice((1, 1, 2, 3))))
                for _ in range(chance.choice((1, 1, 2, 3)))
            ]
            text = chance.choice(("", "", "/", "**/")) + "/".join(parts)
            text += chance.choice(("", "", "/", "/**", " "))
            given.append(("!" if given and chance.random() < 0.3 else "") + text)
        if any(re.search(r"[^/!]\*\*|\*\*[^/]", each) for each in given):
            continue  # two stars inside a name: git forgets what stands before them
        try:
            patterns = Patterns(exclude=given)
        except ConfigError:
            refused += 1
            continue
        expected = ignored_by_git(folder, given, list(paths))
        assert ignored_by_us(patterns, paths) == expected, given
    assert refused < 12


REFUSED = ("a[b", "[[:nope:]]", "a\\", "!", "a//b", "x[/]y", "!only")


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_can_never_match_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError):
        Patterns(exclude=[pattern])


def test_what_is_excluded_can_be_taken_back() -> None:
    patterns = Patterns(exclude=["*.log", "!audit.log", "/x/audit.log"])
    assert patterns.skips(b"a/b.log", is_folder=False)
    assert not patterns.skips(b"a/audit.log", is_folder=False)
    assert patterns.skips(b"x/audit.log", is_folder=False)


def test_what_is_included_can_be_taken_back() -> None:
    patterns = Patterns(include=["docs/", "!*.tmp"])
    assert patterns.takes(b"docs/a")
    assert not patterns.takes(b"docs/a.tmp")


def test_a_hundred_thousand_paths_are_judged_fast() -> None:
    patterns = Patterns(
        exclude=["*.tmp", "node_modules/", "/var/cache", "**/old/*.sql", "!keep.tmp", "[a-c]*.o"]
    )
    begun = time.monotonic()
    for number in range(100_000):
        patterns.skips(b"some/folder/%d/file-%d.txt" % (number % 100, number), is_folder=False)
    assert time.monotonic() - begun < 5
