"""What is left out: the patterns of other tools, as ours, which are those of gitignore and begin at the source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from airflow_backup.core.errors import ConfigError
from airflow_backup.core.paths.patterns import Patterns

_SPECIAL = re.compile(r"([\\*?\[])")


def escaped(path: str) -> str:
    r"""
    Write a name so that nothing in it is a pattern.

    >>> print(escaped("a[1]*"))
    a\[1]\*
    """
    return _SPECIAL.sub(r"\\\1", path)


def rewritten(pattern: str, root: str) -> str | None:
    """
    Write a pattern for one source; None where it cannot match anything there.

    Others match a relative pattern anywhere, and an absolute one against the whole path.

    >>> rewritten("/home/*/.cache", "/home"), rewritten("/srv/x", "/home"), rewritten("a/b", "/home")
    ('/*/.cache', None, '**/a/b')
    >>> rewritten("*.tmp", "/home"), rewritten("*/cache/*", "/home"), rewritten("!keep", "/home")
    ('*.tmp', '**/cache/*', '!keep')
    >>> rewritten("./cache", "/home")
    '/cache'
    """
    back = "!" if pattern.startswith("!") else ""
    body = pattern[len(back) :]
    if body.startswith("./"):  # where the source begins, and nowhere below
        return back + body[1:]
    if body.startswith("/"):
        inside = _below(body, root)
        return None if inside is None else back + inside
    if body.startswith("*/"):
        body = f"*{body}"
    if "/" in body.rstrip("/") and not body.startswith("**/"):
        body = "**/" + body
    return back + body


def _below(pattern: str, root: str) -> str | None:
    """Take the source off the beginning of an absolute pattern."""
    parts, above = pattern.split("/")[1:], [part for part in root.split("/") if part]
    for position, name in enumerate(above):
        part = parts[position] if position < len(parts) else ""
        if part == "**":
            return "/" + "/".join(parts[position:])
        if (
            not Patterns(exclude=[f"/{part}"]).skips(name.encode(), is_folder=True)
            if part
            else True
        ):
            return None
    inside = "/".join(parts[len(above) :])
    return f"/{inside}" if inside.strip("/") else None


def from_names(pattern: str, root: str, names: Sequence[str]) -> str | None:
    """
    Write a relative pattern that begins with the last of a source's own ``names``, as one below it; None for others.

    >>> from_names("wiki/cache", "/srv/wiki", ["srv", "wiki"]), from_names("cache", "/srv/wiki", ["wiki"])
    ('/srv/wiki/cache', None)
    """
    end = "/" if pattern.endswith("/") else ""
    parts = pattern.rstrip("/").split("/")
    for count in range(len(parts) - 1, 0, -1):
        if parts[:count] == list(names[-count:]):
            return "/".join([escaped(root.rstrip("/")), *parts[count:]]) + end
    return None


def for_root(given: Iterable[str], root: str) -> tuple[list[str], int]:
    """Return the patterns for one source, and how many could not be written."""
    found: list[str] = []
    left = 0
    for pattern in given:
        try:
            new = rewritten(pattern.rstrip("\n"), root)
            if new is not None:
                Patterns(exclude=[*found[-1:], new])
        except ConfigError:
            left += 1
            continue
        if new is not None and new not in found:
            found.append(new)
    return found, left


def is_absolute(patterns: Iterable[str]) -> bool:
    """Whether one of the patterns is about a place, not about names."""
    return any(each.removeprefix("!").startswith("/") for each in patterns)


def glob_root(path: str) -> tuple[str, str | None]:
    """
    Divide a path with a star into the folder above it and what is taken of that.

    >>> glob_root("/var/log/sys*"), glob_root("/srv/*/data/"), glob_root("/etc")
    (('/var/log', '/sys*'), ('/srv', '/*/data'), ('/etc', None))
    """
    parts = path.rstrip("/").split("/")
    for position, part in enumerate(parts):
        if re.search(r"[*?\[]", part):
            return "/".join(parts[:position]) or "/", "/" + "/".join(parts[position:])
    return path.rstrip("/") or "/", None


def without_nested(roots: Sequence[str]) -> tuple[list[str], list[str]]:
    """
    Leave out what lies inside another one; return also what was left out.

    >>> without_nested(["/home/me", "/home", "/etc", "/etc"])
    (['/home', '/etc'], ['/home/me'])
    """
    distinct = list(dict.fromkeys(roots))
    inner = [
        each
        for each in distinct
        if any(each != other and each.startswith(other.rstrip("/") + "/") for other in distinct)
    ]
    return [each for each in distinct if each not in inner], inner
