"""What the operating system said about a file of the repository, in words for the person on call."""

from __future__ import annotations

import errno

from airflow_backup.core.errors import (
    NotFound,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageUnavailable,
)

_FULL = (errno.ENOSPC, errno.EDQUOT)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_MAY_COME_BACK = (errno.ETIMEDOUT, errno.ESTALE, errno.EIO, errno.ENETDOWN, errno.EHOSTDOWN)


def storage_error(error: OSError, *, doing: str, name: str, url: str) -> StorageError | NotFound:
    """
    Translate ``error``; ``doing`` is a verb such as ``write``.

    >>> full = OSError(errno.ENOSPC, "No space left on device")
    >>> print(storage_error(full, doing="write", name="wiki/x", url="file:///backups"))
    no room left to write 'wiki/x' in file:///backups
    HINT: df -h /backups
    """
    path = url.removeprefix("file://")
    what = f"cannot {doing} '{name}' in {url}"
    if error.errno in _FULL:
        return StorageFull(f"no room left to {doing} '{name}' in {url}", hint=f"df -h {path}")
    if error.errno == errno.EROFS:
        return StorageDenied(f"{what}: the file system is read-only", hint=f"findmnt -T {path}")
    if error.errno in _DENIED:
        return StorageDenied(f"{what}: permission denied", hint=f"may this user? ls -ld {path}")
    if error.errno in (errno.ENOTDIR, errno.ELOOP):
        return StorageDenied(
            f"{what}: there is a link or a file where a folder belongs", hint=f"ls -l {path}"
        )
    if error.errno == errno.ENOENT:
        return _missing(doing, name, url, path)
    if error.errno in _MAY_COME_BACK:
        return StorageUnavailable(f"{what}: {_reason(error)}", hint=f"findmnt -T {path}")
    return StorageError(f"{what}: {_reason(error)}")


def _missing(doing: str, name: str, url: str, path: str) -> StorageError | NotFound:
    if doing in ("write", "list"):
        return StorageUnavailable(
            f"cannot {doing} '{name}' in {url}: the folder above it does not exist",
            hint=f"is the disk mounted? if it is: mkdir -p {path}",
        )
    return NotFound(f"no object '{name}' in {url}")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
