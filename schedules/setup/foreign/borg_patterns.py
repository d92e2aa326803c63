"""borg's patterns, as the ones that `patterns.rewritten` takes."""

from __future__ import annotations

from collections.abc import Iterable

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
    while found and found[0] is not None and found[0].startswith("!"):
        found.pop(0)
    return roots, found
