"""
Names of what schedules read: two that read the same one have the same, and two that do not never do.

``engine://server/database`` is a database, ``engine://server/*`` all of a server, ``machine:/path`` a file or a folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from airflow_backup.core.errors import ConfigError
from airflow_backup.core.text.names import quoted
from airflow_backup.core.worker import this_host

ALL = "*"
"""Stands for all databases of a server; a database of that name is quoted."""


def local_places(paths: Sequence[str]) -> tuple[str, ...]:
    """Name paths as this machine reads them; another machine's are others. ConfigError for what can be no path."""
    return tuple(f"{this_host()}:{_real(path)}" for path in paths)


def holders(place: str) -> Iterator[str]:
    """
    Name the place, and each that would hold it: all of its server, the folders above it.

    >>> list(holders("postgres://db:5432/shop"))
    ['postgres://db:5432/shop', 'postgres://db:5432/*']
    >>> list(holders("nas1:/srv/wiki"))
    ['nas1:/srv/wiki', 'nas1:/srv', 'nas1:/']
    """
    yield place
    if "://" in place:
        server = place.rpartition("/")[0]
        yield f"{server}/{ALL}"
        return
    machine, _, path = place.partition(":/")
    while path:
        path = path.rpartition("/")[0]
        yield f"{machine}:/{path}"


def _real(path: str) -> str:
    try:
        found = os.path.realpath(path)
    except ValueError as error:  # no system can store such a name
        raise ConfigError(f"{quoted(path)} can be no path: {error}") from None
    return f"/{found.lstrip('/')}"  # POSIX lets two slashes at the beginning be another place; Linux does not
