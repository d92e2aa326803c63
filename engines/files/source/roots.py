"""The folders and files that a set is made of: opened, and refused where they cannot be what is meant."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from airflow_backup.core.errors import BackupError, SourceDenied, SourceError, SourceUnavailable
from airflow_backup.core.paths.roots import open_real, real_path

_ROOT_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def open_root(root: str, within: Sequence[str] | None, *, allow_empty: bool) -> int:
    """Return a descriptor of a root; SourceError where it cannot be read, or is a folder with nothing in it."""
    # The root itself may be a link that the user wrote into the schedule; below it, none is
    # followed.
    try:
        if within is None:
            _check_kind(root)
            descriptor = os.open(root, _ROOT_FLAGS)
        else:
            real = real_path(root, within, what="the source")
            _check_kind(os.fspath(real))
            descriptor = open_real(real, _ROOT_FLAGS)
    except PermissionError as error:
        raise SourceDenied(f"may not read '{root}'", hint=f"ls -ld {root}") from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise SourceError(f"cannot read '{root}': {why}", hint=f"ls -ld {root}") from error
    if not allow_empty and _is_empty_folder(descriptor):
        os.close(descriptor)
        raise SourceUnavailable(
            f"there is nothing in '{root}'",
            hint="is its disk mounted? where it may be empty: `allow_empty: true`",
        )
    return descriptor


def _check_kind(root: str) -> None:
    """Refuse what is no folder and no file before it is opened: a program may wait at the other end of a pipe."""
    mode = os.stat(root).st_mode
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise SourceError(f"'{root}' is neither a folder nor a file", hint=f"ls -ld {root}")


def _is_empty_folder(descriptor: int) -> bool:
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        return False
    try:
        with os.scandir(descriptor) as entries:
            return next(entries, None) is None
    except OSError:
        return False  # the walk says what is wrong


def nested(roots: list[str]) -> list[BackupError]:
    """Return a problem for each root that lies inside another one."""
    clean = ["/" + os.path.normpath(root).lstrip("/") for root in roots]
    return [
        SourceError(f"'{inner}' lies inside '{outer}', and would be stored twice")
        for position, inner in enumerate(clean)
        for other, outer in enumerate(clean)
        if position != other and (inner + "/").startswith(outer.rstrip("/") + "/")
    ]
