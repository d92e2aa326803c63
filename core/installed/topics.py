"""The pages of the docs that travel with the package: what `airflow-backup help` shows where there is no network."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_PACKAGE = Path(__file__).resolve().parents[2]
PAGES = next(
    (each for each in (_PACKAGE / "docs", _PACKAGE.parents[1] / "docs") if each.is_dir()),
    _PACKAGE / "docs",
)
"""
Beside the rooms: in a checkout by the room's link, in a wheel by its build. An unpacked source distribution has them
at its top.
"""

_FOLDERS = ("", "how-to", "reference")
_SECTION = re.compile(r"^## `(\w+)`: (.*)$", re.MULTILINE)
_BY_CLASS = "troubleshooting"
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Topic:
    """A page, or the section of a class of failures, by its short name."""

    name: str
    title: str
    text: str
    """Markdown, as it is written."""


def topics(pages: Path = PAGES) -> dict[str, Topic]:
    """Return all topics by their names: a page's is that of its file, a failure's that of its class."""
    found = {
        page.stem: _page(page) for folder in _FOLDERS for page in (pages / folder).glob("*.md")
    }
    sections = _sections(found[_BY_CLASS].text) if _BY_CLASS in found else ()
    return {
        each.name: each
        for each in sorted((*found.values(), *sections), key=lambda topic: topic.name)
    }


def readable(text: str) -> str:
    """
    Return Markdown as a terminal shows it: a link to another topic names that, and a picture is its text.

    >>> readable("See [storage](storage.md#s3), [age](https://age-encryption.org) and [a test](../../tests/test_a.py).")
    'See storage (airflow-backup help storage), age (https://age-encryption.org) and a test.'
    """

    def lead(found: re.Match[str]) -> str:
        label, target = found.groups()
        if "://" in target:
            return f"{label} ({target})"
        path = PurePosixPath(os.path.normpath(target.partition("#")[0]))
        outside = {"README", "CHANGELOG", "benchmarks", "decisions"} & {path.stem, *path.parts}
        if path.suffix != ".md" or outside:
            return label
        return f"{label} (airflow-backup help {path.stem})"

    return _LINK.sub(lead, text)


def _page(page: Path) -> Topic:
    text = page.read_text(encoding="utf-8")
    return Topic(page.stem, text.partition("\n")[0].removeprefix("# "), text)


def _sections(text: str) -> Iterator[Topic]:
    for found in _SECTION.finditer(text):
        rest = text[found.end() :]
        body = re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]
        yield Topic(found[1], found[2], f"# {found[2]}{body}")
