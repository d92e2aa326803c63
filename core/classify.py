"""Which class of failure an error is, ours or the system's."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from airflow_backup.core.errors import BackupError
from airflow_backup.core.failure_class import FailureClass

_OS_CLASSES = {
    errno.ENOSPC: FailureClass.SPACE,
    errno.EDQUOT: FailureClass.SPACE,
    errno.EACCES: FailureClass.PERMISSION,
    errno.EPERM: FailureClass.PERMISSION,
    errno.EROFS: FailureClass.PERMISSION,
    errno.ENOENT: FailureClass.NOT_FOUND,
    errno.ENOTDIR: FailureClass.NOT_FOUND,
    errno.ETIMEDOUT: FailureClass.NETWORK,
    errno.EHOSTUNREACH: FailureClass.NETWORK,
    errno.ENETUNREACH: FailureClass.NETWORK,
    errno.ENETDOWN: FailureClass.NETWORK,
    errno.EAGAIN: FailureClass.LOCKED,
    errno.EBUSY: FailureClass.LOCKED,
}


def classify(error: BaseException) -> FailureClass:
    """
    Name the class of ``error``: its own, or that of the cause it was raised from.

    >>> str(classify(OSError(28, "No space left on device")))
    'space'
    >>> str(classify(ConnectionResetError()))
    'network'
    >>> str(classify(ValueError("a bug")))
    'unknown'
    """
    for link in _causes(error):
        found = _own_class(link)
        if found is not FailureClass.UNKNOWN:
            return found
    return FailureClass.UNKNOWN


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _own_class(error: BaseException) -> FailureClass:
    if isinstance(error, BackupError):
        return error.failure_class
    if isinstance(error, ConnectionError | TimeoutError):
        return FailureClass.NETWORK
    if isinstance(error, OSError) and error.errno is not None:
        return _OS_CLASSES.get(error.errno, FailureClass.UNKNOWN)
    return FailureClass.UNKNOWN
