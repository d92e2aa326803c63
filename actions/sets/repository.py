"""
A repository is made once, and is then known by its marker: ``airflow-backup.json`` at its top, with an id.

A disk that is not mounted looks like an empty folder, and another disk like a repository without our sets. So
nothing is written to, removed from or forgotten of a repository that is known and whose marker is not there, or is
another one. The first run at an address that nobody knows makes the repository, and so does ``airflow-backup init``.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from airflow_backup.catalog import Catalog
from airflow_backup.core.clock import utc_now
from airflow_backup.core.errors import (
    BackupError,
    FormatError,
    NameTaken,
    NotFound,
    RepositoryMissing,
    StorageError,
    VerifyError,
)
from airflow_backup.core.format.manifest import FORMAT_VERSION, MOST_BYTES, hash_of, manifest_name
from airflow_backup.core.format.plain_json import read_json
from airflow_backup.storage.protocol import Storage

MARKER_NAME = "airflow-backup.json"
_ID = re.compile(r"[0-9a-f]{32}")


def ensure(storage: Storage, url: str, catalog: Catalog) -> str:
    """
    Return the id of the repository at ``url``, made when nobody knows of one there.

    RepositoryMissing when it is known, and what is there now is not it.
    """
    found = read_marker(storage)
    if found is None:
        if _is_known(url, catalog) and not _holds_what_is_known(storage, url, catalog):
            raise _missing(storage, "its marker is not there, and the catalog knows sets in it")
        found = make(storage)
    _compare(storage, url, found, catalog)
    catalog.repositories.record(url, found)
    return found


def check(storage: Storage, url: str, catalog: Catalog) -> str | None:
    """
    Return the id of the repository at ``url``, None where it has no marker.

    RepositoryMissing when it is known, and what is there now is not it.
    """
    found = read_marker(storage)
    if found is not None:
        _compare(storage, url, found, catalog)
    elif _is_known(url, catalog) and not _holds_what_is_known(storage, url, catalog):
        raise _missing(storage, "its marker is not there, and the catalog knows sets in it")
    return found


def check_same(storage: Storage, repository_id: str) -> None:
    """Raise RepositoryMissing when the repository is not the one that it was a moment ago."""
    if read_marker(storage) != repository_id:
        raise _gone(storage)


@contextlib.contextmanager
def saying_when_gone(storage: Storage, repository_id: str | None) -> Iterator[None]:
    """
    Let a failure be RepositoryMissing where the repository is not there any more, whatever was met first.

    A folder that is gone looks, piece by piece, like a storage that does not answer, like a name that is not
    found, and like damage; only the first of these would mend itself, and none is what a person must hear.
    """
    try:
        yield
    except (StorageError, NotFound, VerifyError) as error:
        if not isinstance(error, RepositoryMissing) and is_gone(storage, repository_id):
            raise _gone(storage) from error
        raise


def id_of(storage: Storage) -> str | None:
    """Return the repository's id; None also where it cannot be read, which whoever reads the sets will say."""
    try:
        return read_marker(storage)
    except (StorageError, VerifyError, FormatError):
        return None


def is_gone(storage: Storage, repository_id: str | None) -> bool:
    """Whether what is there now is not that repository; what does not answer, or was never marked, is not gone."""
    try:
        return repository_id is not None and read_marker(storage) != repository_id
    except (StorageError, VerifyError, FormatError):
        return False


class Presence:
    """Whether a repository is the one that it was when somebody began to read it, and that the catalog knows."""

    def __init__(self, storage: Storage, url: str, catalog: Catalog | None) -> None:
        self._storage, self._url, self._catalog = storage, url, catalog
        self._before = id_of(storage)

    def is_lost(self) -> bool:
        """Look now; what does not answer is not lost."""
        if is_gone(self._storage, self._before):
            return True
        try:
            if self._catalog is not None:
                check(self._storage, self._url, self._catalog)
        except RepositoryMissing:
            return True
        except (StorageError, VerifyError, FormatError):
            return False
        return False


class StillThere:
    """
    Looks now and then, when it is called, whether a repository is the one that it was; RepositoryMissing when it is
    not.

    A disk that goes in the middle of a long run would else let the rest of it be written to the disk below.
    """

    def __init__(
        self,
        storage: Storage,
        repository_id: str | None,
        *,
        every: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage, self._id = storage, repository_id
        self._every, self._monotonic = every, monotonic
        self._asked = monotonic()

    def __call__(self) -> None:
        """Look, unless the last look was a moment ago; streams that begin at once may each look."""
        if self._id is not None and self._monotonic() - self._asked >= self._every:
            check_same(self._storage, self._id)
            self._asked = self._monotonic()


def make(storage: Storage, *, clock: Callable[[], datetime] = utc_now) -> str:
    """Make a repository, or return the id of the one that is there."""
    told = {
        "format_version": FORMAT_VERSION,
        "id": _id_in_sets(storage) or secrets.token_hex(16),
        "made_at": clock().isoformat(),
    }
    with contextlib.suppress(NameTaken):  # somebody else was faster: theirs counts
        storage.put(MARKER_NAME, json.dumps(told, sort_keys=True).encode() + b"\n")
    found = read_marker(storage)
    if found is None:
        raise _missing(storage, "its marker was written and is not there")
    return found


def _id_in_sets(storage: Storage) -> str | None:
    """Return the id that signed sets name: a repository whose marker was lost is still the one of its sets."""
    for schedule_id in storage.folders():
        for head in storage.list(f"{schedule_id}/heads/"):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                found = read_json(storage.read(head.name, length=65536))["repository"]
                if _ID.fullmatch(found):
                    return str(found)
    return None


def read_marker(storage: Storage) -> str | None:
    """Return the repository's id, None where there is no marker; VerifyError when it is not one."""
    try:
        data = storage.read(MARKER_NAME, length=65536)
    except NotFound:
        return None
    try:
        told = read_json(data)
        version, found = told["format_version"], told["id"]
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(storage) from error
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise FormatError(
            f"{storage.url} has format version {version}, and this release reads {FORMAT_VERSION}",
            hint="which release made it? install that one or a newer one",
        )
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise _unreadable(storage)
    return found


def _compare(storage: Storage, url: str, found: str, catalog: Catalog) -> None:
    known = catalog.repositories.get(url)
    if known is not None and known != found:
        raise _missing(storage, f"another one is there: its id is {found[:8]}, not {known[:8]}")


def _is_known(url: str, catalog: Catalog) -> bool:
    return catalog.repositories.get(url) is not None or bool(catalog.sets.schedules_in(url))


def _holds_what_is_known(storage: Storage, url: str, catalog: Catalog) -> bool:
    """Whether one of the newest known sets lies there as it was: a repository of before markers."""
    if catalog.repositories.get(url) is not None:
        return False
    for schedule_id in catalog.sets.schedules_in(url):
        rows = (row for row in catalog.sets.of(schedule_id) if row.repository == url)
        for row in list(rows)[-3:]:
            with contextlib.suppress(NotFound):
                data = storage.read(
                    manifest_name(row.schedule_id, row.set_id), length=MOST_BYTES + 1
                )
                if hash_of(data) == row.manifest_hash:
                    return True
    return False


def _missing(storage: Storage, why: str) -> BackupError:
    return RepositoryMissing(
        f"the repository {storage.url} is not there: {why}",
        hint="is the disk mounted, and is it the right one? a new one: airflow-backup init --repository URL",
    )


def _gone(storage: Storage) -> BackupError:
    return _missing(storage, "it was there when the run began, and is not any more")


def _unreadable(storage: Storage) -> BackupError:
    return VerifyError(
        f"'{MARKER_NAME}' in {storage.url} is not the marker of a repository",
        hint="was it edited by hand? an old copy serves, or without it: airflow-backup init",
    )
