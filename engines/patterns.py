"""
Which files a schedule takes: ``include`` and ``exclude`` patterns, in the manner of gitignore.

* ``*`` and ``?`` match within one name, ``[abc]`` one character, ``**`` any number of folders.
* A pattern without a slash matches a name anywhere: ``*.tmp``, ``node_modules``.
* A pattern with a slash is anchored to the root: ``/cache``, ``var/log/*.gz``.
* A slash at the end matches folders only: ``cache/``.
* What is excluded is not entered. What lies below an included folder is included.
* ``exclude`` wins over ``include``. Without ``include``, everything is included.

What a star took is never given back, so no pattern can take exponential time on any name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airflow_backup.core.errors import ConfigError


class Patterns:
    """
    A compiled pair of include and exclude lists.

    >>> patterns = Patterns(include=["*.sql", "/keep/"], exclude=["tmp/", "**/old/*.sql"])
    >>> patterns.takes(b"a/b.sql"), patterns.takes(b"a/b.txt"), patterns.takes(b"keep/x.txt")
    (True, False, True)
    >>> patterns.skips(b"a/tmp", is_folder=True), patterns.skips(b"a/tmp", is_folder=False)
    (True, False)
    >>> patterns.skips(b"a/old/b.sql", is_folder=False)
    True
    """

    def __init__(self, *, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._include = _compile(include)
        self._exclude = _compile(exclude)

    @property
    def takes_everything(self) -> bool:
        """Whether no question needs to be asked."""
        return self._include is None and self._exclude is None

    @property
    def is_selective(self) -> bool:
        """Whether there is an include list, so that a folder is taken only for its content."""
        return self._include is not None

    def skips(self, path: bytes, *, is_folder: bool) -> bool:
        """Whether the exclude list matches; a skipped folder is not entered."""
        return self._exclude is not None and _matches(self._exclude, path, is_folder=is_folder)

    def takes(self, path: bytes, *, is_folder: bool = False) -> bool:
        """Whether the include list matches the path or a folder above it."""
        if self._include is None or _matches(self._include, path, is_folder=is_folder):
            return True
        above = path.rpartition(b"/")[0]
        while above:
            if _matches(self._include, above, is_folder=True):
                return True
            above = above.rpartition(b"/")[0]
        return False


def _matches(pattern: re.Pattern[bytes], path: bytes, *, is_folder: bool) -> bool:
    return pattern.fullmatch(path + b"/" if is_folder else path) is not None


def _compile(patterns: Sequence[str]) -> re.Pattern[bytes] | None:
    if not patterns:
        return None
    return re.compile(b"|".join(_translate(pattern) for pattern in patterns), re.DOTALL)


def _translate(pattern: str) -> bytes:
    text = pattern.encode("utf-8", "surrogateescape")
    body = text.strip(b"/")
    if not body:
        raise ConfigError(
            f"the pattern '{pattern}' matches nothing", hint="write for example *.tmp"
        )
    segments = body.split(b"/")
    if b"/" not in text.rstrip(b"/"):
        segments.insert(0, b"**")
    return b"(?:" + _joined(segments) + (b"/" if text.endswith(b"/") else b"/?") + b")"


def _joined(segments: list[bytes]) -> bytes:
    groups: list[list[bytes]] = [[]]
    for segment in segments:
        if segment == b"**":
            groups.append([])
        else:
            groups[-1].append(_segment(segment))
    first, *rest = (b"/".join(group) for group in groups)
    if not rest:
        return first
    *middle, last = rest
    # As with stars: every group but the last is taken where it first fits, and never given back.
    lazy = (b"(?>(?:[^/]*/)*?" + group + b"/)" for group in middle if group)
    head = first + b"/" if first else b""
    return head + b"".join(lazy) + (b"(?:[^/]*/)*" + last if last else b".+")


def _segment(segment: bytes) -> bytes:
    pieces = [_fixed(piece) for piece in re.split(rb"\*+", segment)]
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    # Each star but the last takes as little as it can and never gives any of it back.
    lazy = (b"(?>[^/]*?" + piece + b")" for piece in middle)
    return first + b"".join(lazy) + b"[^/]*" + last


def _fixed(text: bytes) -> bytes:
    out: list[bytes] = []
    for token in re.findall(rb"\[!?\]?[^\]]*\]|.", text, re.DOTALL):
        if token == b"?":
            out.append(b"[^/]")
        elif len(token) > 2:
            negated = token[1:2] == b"!"
            inner = re.escape(token[2 if negated else 1 : -1]).replace(rb"\-", b"-")
            out.append(b"[" + (b"^/" if negated else b"") + inner + b"]")
        else:
            out.append(re.escape(token))
    return b"".join(out)
