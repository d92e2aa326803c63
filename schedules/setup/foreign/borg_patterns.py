"""borg's patterns, as the ones that `patterns.rewritten` takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatch

from airflow_backup.schedules.setup.patterns import escaped

_STYLED = ("fm:", "sh:", "pp:", "pf:", "re:")


def ours(pattern: str, style: str = "fm:") -> str | None:
    r"""
    Write one pattern of borg; None for a regular expression.

    >>> ours("/home/*/.cache"), ours("*/.cache"), ours("sh:home/*/tmp"), ours("*.pyc")
    ('/home/**/.cache', '*/.cache', '/home/*/tmp', '*.pyc')
    >>> ours("re:^/x"), ours("pp:/srv/a[1]"), ours("tmp"), ours("sh:*.o")
    (None, '/srv/a\\[1]', '/tmp', '/*.o')
    """
    for each in _STYLED:
        if pattern.startswith(each):
            style, pattern = each, pattern.removeprefix(each)
            break
    if style == "re:":
        return None
    if style in ("pp:", "pf:"):
        pattern = escaped(pattern)
    if style == "fm:" and "/" in pattern:
        # There a star goes past slashes: /home/*/x is found at any depth.
        parts = pattern.split("/")
        inner = [
            "**" if each == "*" and position else each for position, each in enumerate(parts[:-1])
        ]
        pattern = "/".join([*inner, parts[-1]])
    # borg matches the whole path, whose first slash may be missing: `tmp` is /tmp, and nothing else.
    is_anywhere = pattern.startswith("*" if style == "fm:" else "**")
    return pattern if is_anywhere or pattern.startswith("/") else f"/{pattern}"


def of_patterns(lines: Iterable[str]) -> tuple[list[str], list[str | None]]:
    """
    Read borg's list of patterns: the roots, and what is left out.

    There the first match decides, here the last one, so the order is turned round.

    >>> of_patterns(["R /home", "+ /home/susan", "- /home/*"])
    (['/home'], ['/home/*', '!/home/susan'])
    """
    roots: list[str] = []
    found: list[str | None] = []
    style = "sh:"
    for line in lines:
        sign, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if sign == "R":
            roots.append(rest)
        elif sign == "P":
            style = f"{rest}:"
        elif sign in ("-", "!"):
            found.append(ours(rest, style))
        elif sign == "+":
            back = ours(rest, style)
            found.append(None if back is None else f"!{back}")
    found.reverse()
    found = reachable(found)
    first = next((at for at, each in enumerate(found) if each and each[0] != "!"), len(found))
    return roots, [
        each for at, each in enumerate(found) if at > first or not each or each[0] != "!"
    ]


def reachable(patterns: Iterable[str | None]) -> list[str | None]:
    """
    Leave out patterns that would close a folder in which something is taken back: None stands for each.

    borg goes on into what it leaves out, and finds what is kept in it; here a folder that is left out is not entered.

    >>> reachable(["/home/*", "!/home/susan/docs"]), reachable(["/home/*", "!/home/susan"])
    ([None, '!/home/susan/docs'], ['/home/*', '!/home/susan'])
    """
    found = list(patterns)
    for position, back in enumerate(found):
        if back is None or not back.startswith("!"):
            continue
        parts = back.removeprefix("!").strip("/").split("/")
        for before, pattern in enumerate(found[:position]):
            if pattern is not None and not pattern.startswith("!") and _closes(pattern, parts):
                found[before] = None
    return found


def _closes(pattern: str, parts: Sequence[str]) -> bool:
    """Whether a pattern may match a folder above what is taken back."""
    theirs = pattern.strip("/").split("/")
    is_placed = "/" in pattern.rstrip("/") and theirs[0] not in ("*", "**")
    theirs = theirs[1:] if theirs[0] == "**" else theirs
    for length in range(1, len(parts)):
        above = parts[:length]
        if "**" in theirs or "**" in above:
            return True
        ours = above if is_placed else above[-len(theirs) :]
        if len(ours) == len(theirs) and all(map(_may_be, theirs, ours)):
            return True
    return False


def _may_be(one: str, other: str) -> bool:
    has_star = any(letter in one + other for letter in "*?[\\")
    return one == other or (has_star and (fnmatch(other, one) or _is_pattern(other)))


def _is_pattern(name: str) -> bool:
    return any(letter in name for letter in "*?[\\")
