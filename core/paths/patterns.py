r"""
Which files a schedule takes: ``include`` and ``exclude`` patterns, in the manner of gitignore.

* ``*`` and ``?`` match within one name, ``[abc]``, ``[!a-z]`` and ``[[:digit:]]`` one character, ``**`` any number of
  folders.
* A pattern without a slash matches a name anywhere: ``*.tmp``, ``node_modules``.
* A pattern with a slash is anchored to the root: ``/cache``, ``var/log/*.gz``.
* A slash at the end matches folders only: ``cache/``.
* A pattern that begins with ``!`` takes back what an earlier one said; the last that matches decides.
* A backslash makes the next character stand for itself: ``\!important``, ``\*``. Spaces at the end are dropped,
  but for one after a backslash.
* What is excluded is not entered, so nothing below it can be taken back. What lies below an included folder is
  included.
* ``exclude`` wins over ``include``. Without ``include``, everything is included.

What a star took is never given back, so no pattern can take exponential time on any name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airflow_backup.core.errors import ConfigError

_CLASSES = {
    b"alnum": rb"0-9A-Za-z",
    b"alpha": rb"A-Za-z",
    b"blank": rb" \t",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9",
    b"graph": rb"!-.0-~",
    b"lower": rb"a-z",
    b"print": rb" -.0-~",
    b"punct": rb"!-.:-@\[-`{-~",
    b"space": rb" \t\n\r\f\v",
    b"upper": rb"A-Z",
    b"xdigit": rb"0-9A-Fa-f",
}
_STAR = b"*"
_PLAIN = re.compile(rb"[^*?\[\\]+")
"""Characters that stand for themselves: taken together, for a schedule may have 10,000 patterns."""

_Rules = list[tuple[bool, re.Pattern[bytes]]]


class Patterns:
    """
    A compiled pair of include and exclude lists.

    >>> patterns = Patterns(include=["*.sql", "/keep/"], exclude=["tmp/", "**/old/*.sql", "!new.sql"])
    >>> patterns.takes(b"a/b.sql"), patterns.takes(b"a/b.txt"), patterns.takes(b"keep/x.txt")
    (True, False, True)
    >>> patterns.skips(b"a/tmp", is_folder=True), patterns.skips(b"a/tmp", is_folder=False)
    (True, False)
    >>> patterns.skips(b"a/old/b.sql", is_folder=False), patterns.skips(b"a/old/new.sql", is_folder=False)
    (True, False)
    """

    def __init__(self, *, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._include = _compile(include)
        self._exclude = _compile(exclude)

    @property
    def takes_everything(self) -> bool:
        """Whether no question needs to be asked."""
        return not self._include and not self._exclude

    @property
    def is_selective(self) -> bool:
        """Whether there is an include list, so that a folder is taken only for its content."""
        return bool(self._include)

    def skips(self, path: bytes, *, is_folder: bool) -> bool:
        """Whether the exclude list matches; a skipped folder is not entered."""
        return bool(self._exclude) and _decide(self._exclude, path, is_folder=is_folder) is True

    def takes(self, path: bytes, *, is_folder: bool = False) -> bool:
        """Whether the include list matches the path, or else the nearest folder above it of which it says anything."""
        if not self._include:
            return True
        while path:
            said = _decide(self._include, path, is_folder=is_folder)
            if said is not None:
                return said
            path, is_folder = path.rpartition(b"/")[0], True
        return False


def _decide(rules: _Rules, path: bytes, *, is_folder: bool) -> bool | None:
    """Return what the last rule that matches says; None where none does."""
    text = path + b"/" if is_folder else path
    for said, rule in rules:
        if rule.fullmatch(text) is not None:
            return said
    return None


def _compile(patterns: Sequence[str]) -> _Rules:
    """Return the rules, the last one first; neighbours that say the same are one."""
    groups: list[tuple[bool, list[bytes]]] = []
    for pattern in reversed(patterns):
        said = not pattern.startswith("!")
        if not groups or groups[-1][0] != said:
            groups.append((said, []))
        groups[-1][1].append(_translate(pattern))
    rules = [(said, re.compile(b"|".join(group), re.DOTALL)) for said, group in groups]
    if rules and not any(said for said, _ in rules):
        raise ConfigError(
            f"'{patterns[0]}' takes back what no pattern before it said",
            hint=f"a name that begins with an exclamation mark is written \\{patterns[0]}",
        )
    return rules


def _translate(pattern: str) -> bytes:
    text = _trimmed(pattern.removeprefix("!").encode("utf-8", "surrogateescape"))
    body = text.strip(b"/")
    if not body:
        raise ConfigError(
            f"the pattern '{pattern}' matches nothing", hint="write for example *.tmp"
        )
    segments = body.split(b"/")
    if b"" in segments:
        raise ConfigError(f"the pattern '{pattern}' matches nothing: it has two slashes in a row")
    if b"/" not in text.rstrip(b"/"):
        segments.insert(0, b"**")
    try:
        joined = _joined(segments)
    except ValueError as error:
        raise ConfigError(f"the pattern '{pattern}' matches nothing: {error}") from None
    return b"(?:" + joined + (b"/" if text.endswith(b"/") else b"/?") + b")"


def _trimmed(text: bytes) -> bytes:
    r"""
    Drop spaces at the end that no backslash keeps.

    >>> _trimmed(b"a  "), _trimmed(b"a\\  ")
    (b'a', b'a\\ ')
    """
    kept = text.rstrip(b" ")
    backslashes = len(kept) - len(kept.rstrip(b"\\"))
    return kept + b" " if backslashes % 2 and len(kept) < len(text) else kept


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
    return head + b"".join(lazy) + (b"(?:[^/]*/)*" + last if last else b"[^/].*")


def _segment(segment: bytes) -> bytes:
    pieces: list[list[bytes]] = [[]]
    for token in _tokens(segment):
        if token is _STAR:
            pieces.append([])
        else:
            pieces[-1].append(token)
    first, *middle = (b"".join(piece) for piece in pieces)
    if not middle:
        return first
    *middle, last = middle
    # Each star but the last takes as little as it can and never gives any of it back.
    lazy = (b"(?>[^/]*?" + piece + b")" for piece in middle if piece)
    # A name has at least one character, also where stars alone are said.
    some = b"(?=[^/])" if not first else b""
    return some + first + b"".join(lazy) + b"[^/]*" + last


def _tokens(segment: bytes) -> list[bytes]:
    """Return what each part of a name's pattern is as a regular expression; ``_STAR`` stands for itself."""
    found: list[bytes] = []
    place = 0
    while place < len(segment):
        plain = _PLAIN.match(segment, place)
        if plain is not None:
            found.append(re.escape(plain[0]))
            place = plain.end()
            continue
        character = segment[place : place + 1]
        place += 1
        if character == b"*":
            found.append(_STAR)
        elif character == b"?":
            found.append(b"[^/]")
        elif character == b"[":
            token, place = _bracket(segment, place)
            found.append(token)
        else:  # a backslash
            if place == len(segment):
                raise ValueError("a backslash at the end stands before nothing")
            found.append(re.escape(segment[place : place + 1]))
            place += 1
    return found


def _bracket(segment: bytes, place: int) -> tuple[bytes, int]:
    """Return a set of characters, and where it ends."""
    negated = segment[place : place + 1] in (b"!", b"^")
    place += negated
    items: list[bytes] = []
    before, is_first = b"", True
    while is_first or segment[place : place + 1] != b"]":
        is_first = False
        character, place = _member(segment, place)
        if len(character) > 1:
            items.append(character)
            before = b""
        elif character == b"-" and before and segment[place : place + 1] not in (b"]", b""):
            last, place = _member(segment, place)
            if before <= last:
                items.append(_escaped(before) + b"-" + _escaped(last[:1]))
            before = b""
        else:
            # A dash that was escaped is one, too: git asks for the character alone.
            items.append(_escaped(character))
            before = character
    inner = b"".join(items)
    if negated:
        return b"[^/" + inner + b"]", place + 1
    return (b"(?!/)[" + inner + b"]" if inner else b"(?!)"), place + 1


def _member(segment: bytes, place: int) -> tuple[bytes, int]:
    """Return the next character of a set, or what a named class holds, and where the one after it is."""
    if segment[place : place + 2] == b"[:":
        end = segment.find(b"]", place + 2)
        if end > 0 and segment[end - 1 : end] == b":" and end - 1 >= place + 2:
            name = segment[place + 2 : end - 1]
            if name not in _CLASSES:
                raise ValueError(f"there is no class '[:{name.decode('utf-8', 'replace')}:]'")
            return _CLASSES[name], end + 1
    if segment[place : place + 1] == b"\\":
        place += 1
    character = segment[place : place + 1]
    if not character:
        raise ValueError("a bracket is never closed; write \\[ for the character itself")
    return character, place + 1


def _escaped(character: bytes) -> bytes:
    return b"\\x%02x" % character[0]
