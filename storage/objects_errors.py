"""What a bucket's service said, in words for the person on call; never a signature or a key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import obstore.exceptions as said

from airflow_backup.core.errors import (
    BackupError,
    NotFound,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageThrottled,
    StorageUnavailable,
)
from airflow_backup.storage.writing import taken

_DENIED = (said.PermissionDeniedError, said.UnauthenticatedError, PermissionError)
_TAKEN = (said.AlreadyExistsError, said.PreconditionError, FileExistsError)
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")
_THROTTLED = re.compile(r"status code: 429|SlowDown|TooManyRequests|ServerBusy|rateLimitExceeded")
_FULL = re.compile(r"status code: 507|QuotaExceeded|InsufficientStorage|XMinioStorageFull")
_AWAY = re.compile(
    r"HTTP error|error sending request|connection|timed? ?out|operation timeout|dns error"
    r"|status code: 5\d\d",
    re.IGNORECASE,
)
_LOCKED = re.compile(r"object ?lock|retention|legal ?hold|immutab", re.IGNORECASE)


@contextmanager
def translated(doing: str, name: str, url: str) -> Iterator[None]:
    """Raise what obstore raises inside as an error of ours; ``doing`` is a verb such as ``write``."""
    try:
        yield
    except BackupError:
        raise
    except (said.BaseError, OSError, ValueError) as error:
        raise _error(error, doing, name, url) from error


def _error(error: Exception, doing: str, name: str, url: str) -> StorageError | NotFound:
    text = str(error).split("\n\nDebug source", 1)[0]
    what = f"cannot {doing} '{name}' in {url}" if name else f"cannot {doing} {url}"
    if any(sign in text for sign in _NO_BUCKET):
        return StorageError(f"{what}: there is no such bucket", hint="is its name spelled right?")
    if isinstance(error, FileNotFoundError):
        return NotFound(f"no object '{name}' in {url}")
    if isinstance(error, _TAKEN):
        return taken(name)
    if isinstance(error, _DENIED):
        if doing == "delete" and _LOCKED.search(text):
            return StorageDenied(
                f"{what}: it is locked", hint="until when? see the bucket's object lock"
            )
        return StorageDenied(
            f"{what}: access denied", hint="which credentials does `connection` name?"
        )
    if _THROTTLED.search(text):
        return StorageThrottled(f"{what}: too many requests")
    if _FULL.search(text):
        return StorageFull(f"{what}: no room left")
    if _AWAY.search(text):
        return StorageUnavailable(f"{what}: {_reason(text)}", hint="is the endpoint up?")
    return StorageError(f"{what}: {_reason(text)}")


def _reason(text: str) -> str:
    """
    Shorten what obstore says, without the query of an address (it may sign) and the XML around it.

    >>> _reason("Error performing GET http://b.example/x?sig=s3cret in 2ms - gone")
    'Error performing GET http://b.example/x?... in 2ms - gone'
    """
    plain = re.sub(r"\?[^\s'\"<]+", "?...", text.split("<?xml", 1)[0]).strip()
    found = re.search(r"<Code>(.*?)</Code>\s*<Message>(.*?)</Message>", text, re.DOTALL)
    told = f" ({found[1]}: {found[2]})" if found else ""
    return " ".join(f"{plain}{told}".split())[:400]
