"""From a repository URL to its storage; only protocols on the list are opened."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

from airflow_backup.core.connections import Connections, from_environment
from airflow_backup.core.errors import ConfigError
from airflow_backup.storage.folder import FolderStorage
from airflow_backup.storage.protocol import Storage

_Opener = Callable[[str, Connections, str | None], Storage]


def open_storage(
    url: str,
    connections: Connections = from_environment,
    *,
    connection: str | None = None,
) -> Storage:
    """
    Open the storage at ``url``; nothing is read or written yet.

    ``connection`` names the credentials, which ``connections`` looks up.

    >>> open_storage("file:///var/backups").url
    'file:///var/backups'
    >>> open_storage("simplecache::s3://bucket")
    Traceback (most recent call last):
    airflow_backup.core.errors.ConfigError: 'simplecache::s3://bucket' is not a repository URL
    HINT: write for example file:///var/backups
    """
    protocol = urlsplit(url).scheme if "::" not in url else ""
    if not protocol:
        raise ConfigError(
            f"'{url}' is not a repository URL", hint="write for example file:///var/backups"
        )
    opener = _OPENERS.get(protocol)
    if opener is None:
        raise ConfigError(
            f"repositories at {protocol}:// are not supported",
            hint=f"use one of {', '.join(f'{name}://' for name in _OPENERS)}",
        )
    return opener(url, connections, connection)


def _open_folder(url: str, connections: Connections, connection: str | None) -> Storage:
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or not path.startswith("/") or "\0" in path:
        raise ConfigError(
            f"'{url}' does not name a folder of this machine",
            hint="with three slashes, as in file:///var/backups?",
        )
    if parts.query or parts.fragment:
        raise ConfigError(f"'{url}' has a ? or # in it", hint="write them as %3F and %23")
    return FolderStorage(Path(path))


def _late(module: str, opener: str) -> _Opener:
    """Import the library of a protocol when it is needed: a task at file:// does not pay for S3."""

    def open_it(url: str, connections: Connections, connection: str | None) -> Storage:
        found: _Opener = getattr(import_module(f"airflow_backup.storage.{module}"), opener)
        return found(url, connections, connection)

    return open_it


_OPENERS: dict[str, _Opener] = {
    "file": _open_folder,
    "s3": _late("objects_open", "open_s3"),
    "gs": _late("objects_open", "open_gs"),
    "az": _late("objects_open", "open_az"),
    "sftp": _late("sftp", "open_sftp"),
}
