"""
A source that lies in local paths is a place: the host and the paths.

The same path on two machines holds different data, as a rule. So an incremental never builds upon a set of another
machine; where ``host`` is written, a run on another machine is refused, and ``host: any`` says that the path is the
same one everywhere.
"""

from __future__ import annotations

from airflow_backup.actions.backup.result import Job
from airflow_backup.core.errors import (
    BackupError,
    ConfigError,
    ParentUnusable,
    RepositoryMissing,
    SourceError,
    rebuilt,
)
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.core.worker import Worker

ANY = "any"


def check_host(job: Job, worker: Worker | None) -> None:
    """Refuse, as ConfigError, to read on another machine than the one that is written."""
    if worker is None or job.host in (None, ANY, worker.host):
        return
    came = "" if worker.queue is None else f" of queue '{worker.queue}'"
    raise ConfigError(
        f"schedule '{job.id}' is to be read on host '{job.host}', and this is '{worker.host}'{came}",
        hint="name a `queue` that only that host serves; or `[backup] host_name` there",
    )


def check_same_host(manifest: Manifest, job: Job, worker: Worker | None) -> None:
    """Raise ParentUnusable for a set that was read on another machine; where nobody knows, it is taken."""
    there = manifest.worker
    if not job.source.local_paths or job.host == ANY or worker is None or there is None:
        return
    if worker.is_lasting and there.host != worker.host:
        raise ParentUnusable(
            f"set '{manifest.set_id}' was read on host '{there.host}', and this is '{worker.host}'"
        )


def with_host(error: BaseException, job: Job, worker: Worker | None) -> BaseException:
    """Return the error with the machine that it is about, where Airflow chose that and the reader cannot know it."""
    if worker is None or worker.executor is None:
        return error
    at_source = isinstance(error, SourceError) and job.source.local_paths
    at_repository = isinstance(error, RepositoryMissing) and job.repository.startswith("file:")
    if not isinstance(error, BackupError) or not (at_source or at_repository):
        return error
    return rebuilt(error, f"{error.message} (on host '{worker.host}')")
