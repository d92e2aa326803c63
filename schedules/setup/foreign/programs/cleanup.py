"""``find FOLDER -mtime +14 -delete``: how long copies are kept, and which."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_OLDER = re.compile(r"\+?(\d{1,5})")


@dataclass(frozen=True)
class Cleanup:
    """A folder in which ``find`` removes what is older than so many days, and which names."""

    folder: str
    days: int
    name: str
    deepest: int = 1000
    highest: int = 0

    def removes(self, target: str) -> bool:
        """
        Whether it removes what a dump writes.

        >>> both = Cleanup("/backup", 14, "*.sql")
        >>> both.removes("/backup/db/a.sql"), both.removes("/backup/a.tgz"), both.removes("/backup2/a.sql")
        (True, False, False)
        """
        is_below = target.startswith(f"{self.folder}/")
        depth = target.removeprefix(f"{self.folder}/").rstrip("/").count("/") + 1
        is_below = is_below and self.highest <= depth <= self.deepest
        return is_below and fnmatch.fnmatchcase(target.rpartition("/")[2], self.name)


def cleanup_of(words: Sequence[str]) -> Cleanup | None:
    """Return what is removed; None where the conditions say more than names and days."""
    given = dict(pairwise(words))
    days = _OLDER.fullmatch(given.get("-mtime", ""))
    conditions = {each for each in words if re.fullmatch(r"-[a-z]+|!", each)}
    if days is None or not words[0].startswith("/") or conditions - _SIMPLE:
        return None
    depths = given.get("-maxdepth", "1000"), given.get("-mindepth", "0")
    if not all(map(str.isdecimal, depths)) or given.get("-type", "f") not in ("f", "d"):
        return None
    deepest, highest = map(int, depths)
    name = given.get("-name", "*")
    return Cleanup(words[0].rstrip("/"), int(days[1]), name, deepest, highest)


_SIMPLE = {
    *("-mtime", "-name", "-type", "-delete", "-exec", "-maxdepth", "-mindepth", "-f", "-rf"),
    *("-print", "-xdev"),
}
