"""
The file in a target that says a restore into it is not finished, and the names that it would hit.

A source may hold a file of that name itself: somebody backs up a folder into which a restore never ended. While
the marker is there, such a file stands in the target with a ``~`` behind its name, and so does one that is called
like a stand-in already.
"""

from __future__ import annotations

import os
from pathlib import Path

MARKER = ".airflow-backup-restore.json"
_NAME = os.fsencode(MARKER)


def stand_in(name: bytes) -> bytes:
    """
    Return the name that a member of an archive has while the marker is there.

    >>> stand_in(b"a/b"), stand_in(b".airflow-backup-restore.json")
    (b'a/b', b'.airflow-backup-restore.json~')
    >>> stand_in(b".airflow-backup-restore.json~/x")
    b'.airflow-backup-restore.json~~/x'
    """
    if not name.startswith(_NAME):
        return name
    first, slash, rest = name.partition(b"/")
    if first.rstrip(b"~") != _NAME:
        return name
    return b"%b~%b%b" % (first, slash, rest)


def put_right(target: Path) -> None:
    """Take the marker away, and give what stands in for a name of the source that name."""
    marker = target / MARKER
    names = [name for name in os.listdir(target) if name != MARKER and name.rstrip("~") == MARKER]
    names.sort(key=len)
    # One rename over the marker where that can be, so that a kill leaves no moment without either.
    if not names or names[0] != f"{MARKER}~" or (target / names[0]).is_dir():
        marker.unlink(missing_ok=True)
    for name in names:
        (target / name).rename(target / name[:-1])
