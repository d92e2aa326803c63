"""
Changes the settings that a dump of MariaDB or MySQL is loaded with, so that it brings back what was there.

A dump takes most checks away, and three are left: a date that only a lax server takes becomes zero, a row that does
not fit a CHECK is refused although it was there, and a table that has a folder of its own would be made in that
folder, where the living original is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_MODE = re.compile(
    rb"^(/\*!\d+ SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO)(' \*/;)",
    re.MULTILINE,
)
_OURS = rb"\1,ALLOW_INVALID_DATES,NO_DIR_IN_CREATE\2 /*M!100201 SET check_constraint_checks=0 */;"
_MOST, _LINE = 65536, 4096
_FOLDER = re.compile(
    rb"^(?:\) ENGINE=| *\(?(?:SUB)?PARTITION ).*\b(?:DATA|INDEX) DIRECTORY ?= ?'", re.MULTILINE
)


def tempered(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """
    Yield a dump whose head sets what a restore needs.

    >>> mode = b"/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\\n"
    >>> b"ALLOW_INVALID_DATES" in b"".join(tempered([mode[:60], mode[60:], b"-- and more"]))
    True
    >>> list(tempered([b"SELECT 1;\\n", mode]))[-1].endswith(b"SET check_constraint_checks=0 */;\\n")
    True
    """
    rest, head = iter(blocks), b""
    for block in rest:
        head += block
        if len(head) > _MOST or _MODE.search(head):
            break
    yield _MODE.sub(_OURS, head, count=1)
    yield from rest


class Folders:
    """
    Counts the tables and partitions of a dump that lay in folders of their own, as it passes by.

    >>> folders = Folders()
    >>> line = b") ENGINE=InnoDB DATA DIRECTORY='/disk2/'\\n"
    >>> len([*folders.seen([line[:30], line[30:], b"INSERT ...\\n", line])]), folders.count
    (4, 2)
    """

    def __init__(self) -> None:
        self.count = 0

    def seen(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the blocks; a line may be in two of them."""
        carried = b""
        for block in blocks:
            text = carried + block
            if b" DIRECTORY" in text:
                new = (found for found in _FOLDER.finditer(text) if found.end() > len(carried))
                self.count += sum(1 for _ in new)
            carried = text[-_LINE:]
            yield block

    def warnings(self) -> list[str]:
        """Return what is not as it was."""
        if not self.count:
            return []
        return [
            f"{self.count} tables or partitions had folders of their own (DATA DIRECTORY), and are in the server's now"
        ]
