"""
Everything this package raises on purpose, and what each failure is worth.

* BackupError
  + ConfigError           what the user wrote is wrong; carries every problem found
  + NotFound              no such schedule, set or piece
  + StaleDefinition       a worker has another definition of a schedule than the one in force
  + Refused               the request makes no sense now (already running, disabled, held)
  + SourceError           the thing to back up is missing, unreadable or changed under us
    - SourceChanged       ... in a way that spoils the set
    - SourceLocked        ... by another process, and may be free in a minute
    - SourceBusy          ... by another schedule, which reads it
    - PlaceFull           ... by as many backups as its repository or host takes at once
    - SourceDenied        ... because we may not read it
  + EngineError           a dump or restore tool failed
    - ToolMissing         ... because it is not installed, or too old
    - ParentUnusable      ... because the set to build upon does not serve
    - ScratchFull         ... because there is no room for a temporary copy
  + StorageError          the place where pieces lie failed
    - StorageUnavailable  ... and may work in a minute
    - StorageThrottled    ... because we asked too often
    - StorageFull         ... because there is no room left
    - StorageDenied       ... because we may not
    - NameTaken           ... because a name is written once, and this one was
    - RepositoryMissing   ... because it is not there: a disk that is not mounted, or another one
  + FormatError           a newer release stored it; this one would misread it
  + CatalogError          the database that indexes everything failed
    - CatalogUnavailable  ... and may work in a minute
  + VerifyError           what was stored is not what was written
    - DamagedBlock        ... at a known place
    - Tampered            ... and somebody changed, moved or replaced it
  + Inconclusive          whether it is could not be told
  + Cancelled             somebody asked the run to stop
  + TooLong               the run took longer than it may
    - WindowClosed        ... or longer than its window is open
  + WorkerStopped         the worker was asked to end the run, by whoever runs workers
"""

from __future__ import annotations

from typing import ClassVar

from airflow_backup.core.failure_class import FailureClass


class BackupError(Exception):
    """
    A failure we foresaw, worded for the person on call.

    The message is lower case, names the thing by its id and ends without a stop;
    the hint is a question or a command to try.

    >>> print(NotFound("no set '20261121T020000Z-5f0c'", hint="airflow-backup show wiki"))
    no set '20261121T020000Z-5f0c'
    HINT: airflow-backup show wiki
    """

    failure_class: ClassVar[FailureClass] = FailureClass.UNKNOWN

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = message
        self.hint = hint
        super().__init__(message if hint is None else f"{message}\nHINT: {hint}")

    def __reduce__(self) -> tuple[object, ...]:
        # Airflow pickles what a task raised; the default would lose the hint.
        return (_rebuild, (type(self), self.message, self.hint))


def rebuilt(error: BackupError, message: str) -> BackupError:
    """Return the same failure, worded with more."""
    again = _rebuild(type(error), message, error.hint)
    again.__cause__ = error.__cause__
    return again


def _rebuild(kind: type[BackupError], message: str, hint: str | None) -> BackupError:
    return kind(message, hint=hint)


class ConfigError(BackupError):
    """What the user wrote is wrong; nothing was started."""

    failure_class = FailureClass.CONFIG


class NotFound(BackupError):
    """No such schedule, set or piece."""

    failure_class = FailureClass.NOT_FOUND


class Refused(BackupError):
    """The request makes no sense now: already running, disabled, held."""

    failure_class = FailureClass.CONFIG


class SourceError(BackupError):
    """The thing to back up is missing or cannot be read."""

    failure_class = FailureClass.NOT_FOUND


class SourceUnavailable(SourceError):
    """The thing to back up does not answer, and may in a minute."""

    failure_class = FailureClass.NETWORK


class SourceChanged(SourceError):
    """The source changed while it was read, and the set would not be one moment of it."""

    failure_class = FailureClass.SOURCE_CHANGED


class StaleDefinition(BackupError):
    """A worker has another definition of a schedule than the one in force, or cannot tell; a retry begins anew."""


class SourceLocked(SourceError):
    """Another process holds the thing to back up."""

    failure_class = FailureClass.LOCKED


class SourceBusy(SourceLocked):
    """Another schedule reads the thing to back up at this moment."""


class PlaceFull(SourceLocked):
    """As many backups work on the repository, or read from the host, as may at the same time."""


class SourceDenied(SourceError):
    """We may not read the thing to back up."""

    failure_class = FailureClass.PERMISSION


class EngineError(BackupError):
    """A dump or restore tool failed."""


class ToolMissing(EngineError):
    """A program that the engine needs is not installed, or too old."""

    failure_class = FailureClass.TOOL


class ParentUnusable(EngineError):
    """The set that an incremental would build upon does not serve; a full set does."""

    failure_class = FailureClass.CORRUPT


class ScratchFull(EngineError):
    """There is no room for a temporary copy."""

    failure_class = FailureClass.SPACE


class StorageError(BackupError):
    """The place where pieces lie failed."""


class StorageUnavailable(StorageError):
    """The place where pieces lie did not answer, and may in a minute."""

    failure_class = FailureClass.NETWORK


class StorageThrottled(StorageError):
    """The place where pieces lie wants to be asked less often."""

    failure_class = FailureClass.THROTTLED


class StorageFull(StorageError):
    """There is no room left where pieces lie."""

    failure_class = FailureClass.SPACE


class StorageDenied(StorageError):
    """We may not read or write where pieces lie."""

    failure_class = FailureClass.PERMISSION


class NameTaken(StorageError):
    """A name is written once, and this one was."""

    failure_class = FailureClass.CONFIG


class RepositoryMissing(StorageError):
    """The repository is known, and is not at its address: a disk is not mounted, or is another one."""

    failure_class = FailureClass.NOT_FOUND


class FormatError(BackupError):
    """A newer release stored it; this one would misread it."""

    failure_class = FailureClass.TOOL


class CatalogError(BackupError):
    """The catalog cannot be opened, read or written."""


class CatalogUnavailable(CatalogError):
    """The catalog does not answer, and may in a minute."""

    failure_class = FailureClass.NETWORK


class VerifyError(BackupError):
    """What was stored is not what was written."""

    failure_class = FailureClass.CORRUPT


class DamagedBlock(VerifyError):
    """Some bytes of a piece are not those that were written; the message says which."""


class Tampered(VerifyError):
    """What is stored is not what we wrote: somebody changed, moved or replaced it."""


class Inconclusive(BackupError):
    """Whether what was stored is what was written could not be told; a later look may."""


class Cancelled(BackupError):
    """Somebody asked the run to stop."""

    failure_class = FailureClass.CANCELLED


class TooLong(BackupError):
    """The run took longer than it may; a retry would take as long."""

    failure_class = FailureClass.TIME


class WindowClosed(TooLong):
    """The run took longer than its window is open."""


class WorkerStopped(BackupError):
    """The worker was asked to end the run, by whoever runs workers; a retry may do better."""
