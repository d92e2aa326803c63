"""A message that did not get there, in words that hold no address and no token."""

from __future__ import annotations

from urllib.error import URLError

from airflow_backup.core.errors import BackupError
from airflow_backup.core.failure_class import FailureClass


class PartlySent(BackupError):
    """A message reached some of the addresses of its receiver; those are not to get it again."""

    failure_class = FailureClass.NETWORK


class SendFailed(BackupError):
    """A message did not reach its receiver; it waits, and is sent again."""

    failure_class = FailureClass.NETWORK


class RefusedForGood(SendFailed):
    """The other side answered that it will never take this message; it is tried for a bounded time only."""


def refused(where: str, answer: str, *, for_good: bool = False) -> SendFailed:
    """Say that the other side answered, and not as it should; ``for_good`` where it would always answer so."""
    kind = RefusedForGood if for_good else SendFailed
    return kind(f"{where} refused the message: {answer}", hint="is the connection right?")


def is_for_good(status: int) -> bool:
    """
    Whether an answer of HTTP would always be that one.

    >>> [status for status in (301, 400, 404, 408, 413, 425, 429, 500, 503) if is_for_good(status)]
    [301, 400, 404, 413]
    """
    return 300 <= status < 500 and status not in (408, 425, 429)


def unreachable(where: str, error: OSError | Exception) -> SendFailed:
    """Say that there was no answer."""
    inner = error.reason if isinstance(error, URLError) else error
    text = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
    reason = text or type(error).__name__
    return SendFailed(
        f"{where} cannot be reached: {reason}", hint="does it answer from this machine?"
    )
