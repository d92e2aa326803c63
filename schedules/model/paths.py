"""The paths of the machine that a schedule names, and which of them lie outside of what it may touch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from airflow_backup.core.paths.roots import is_within
from airflow_backup.schedules.model.schedule import Schedule


class NamedPath(NamedTuple):
    """A path, the key of the schedule that names it, and what it is for."""

    key: str
    path: str
    use: Literal["source", "repository"]


def paths_of(schedule: Schedule) -> Iterator[NamedPath]:
    """Yield every path of the machine that a schedule names."""
    for path in schedule.source.local_paths:
        yield NamedPath("source", path, "source")
    for path in schedule.source.local_places:
        yield NamedPath("source", path, "repository")
    parts = urlsplit(schedule.repository)
    if parts.scheme == "file":
        yield NamedPath("repository", unquote(parts.path), "repository")
    if schedule.verify.scratch is not None:
        yield NamedPath("verify.scratch", schedule.verify.scratch, "repository")
    if schedule.encryption is not None and schedule.encryption.key_file is not None:
        yield NamedPath("encryption.key_file", schedule.encryption.key_file, "source")
    if schedule.signing is not None and schedule.signing.key_file is not None:
        yield NamedPath("signing.key_file", schedule.signing.key_file, "source")


def outside(
    schedule: Schedule, *, source_roots: Sequence[str], repository_roots: Sequence[str]
) -> list[NamedPath]:
    """Return the paths that, as they are written, do not lie within the roots for their use."""
    roots = {"source": source_roots, "repository": repository_roots}
    return [named for named in paths_of(schedule) if not is_within(named.path, roots[named.use])]
