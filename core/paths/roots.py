"""
Paths that must lie within folders which an administrator named.

A path is judged by where it really is, its links followed. What is then opened is opened by that name, each folder
on the way without following links, so nobody can lead it elsewhere between the look and the use.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from airflow_backup.core.errors import Refused, SourceUnavailable
from airflow_backup.core.paths.holding import PASS


def is_within(path: str, roots: Sequence[str]) -> bool:
    """
    Whether ``path``, as it is written, lies within one of ``roots``; nothing is looked up.

    >>> is_within("/srv/wiki/../../etc", ["/srv"]), is_within("/srv", ["/srv/"]), is_within("/srvx", ["/srv"])
    (False, True, False)
    """
    return _is_below(os.path.normpath(path), [os.path.normpath(root) for root in roots])


def real_path(path: str, roots: Sequence[str] | None, *, what: str) -> str:
    """Return where ``path`` really is; Refused when that is not within ``roots``, unless they are None."""
    found = os.path.realpath(path)
    if roots is None or _is_below(found, [os.path.realpath(root) for root in roots]):
        return found
    raise Refused(
        f"{what} '{path}' does not lie within {', '.join(roots) or 'any allowed folder'}",
        hint="an administrator names folders in [backup] source_roots and repository_roots",
    )


def open_real(path: str, flags: int) -> int:
    """Open a path that has no links in it; SourceUnavailable when it has got one meanwhile."""
    *folders, last = [part for part in path.split("/") if part] or ["."]
    here = os.open("/", PASS)
    try:
        for folder in folders:
            below = os.open(folder, PASS, dir_fd=here)
            os.close(here)
            here = below
        return os.open(last, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise SourceUnavailable(f"'{path}' became a link while it was looked at") from error
        raise
    finally:
        os.close(here)


def _is_below(path: str, roots: Sequence[str]) -> bool:
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)
