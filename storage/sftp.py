"""
A repository on another machine, by SFTP.

The connection is of Airflow's type ``sftp`` or ``ssh``: login, password, port, and in the extra ``key_file`` or
``private_key`` (with ``private_key_passphrase``) and ``host_key`` (``ssh-ed25519 AAAA...``). Without ``host_key`` the
worker's ``known_hosts`` decides. A machine that neither of them knows is refused: a backup sent to
whoever answers is a leak.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.endpoints import check_host
from airflow_backup.core.errors import ConfigError, StorageDenied, StorageUnavailable, ToolMissing
from airflow_backup.storage.remote import RemoteStorage
from airflow_backup.storage.remote_writer import Remote

_TIMEOUT = 20.0
"""Seconds in which the far side must let us in."""


def open_sftp(url: str, connections: Connections, connection: str | None) -> RemoteStorage:
    """Open ``sftp://host/absolute/path``."""
    parts = urlsplit(url)
    root = unquote(parts.path).rstrip("/")
    if not parts.hostname or not root or parts.username or parts.query or parts.fragment:
        raise ConfigError(
            f"'sftp://{parts.hostname or ''}{parts.path}' is not sftp://host/path",
            hint="login and keys belong into the connection",
        )
    if ".." in root.split("/") or "\0" in root:
        raise ConfigError(f"'sftp://{parts.hostname}{parts.path}' does not name a folder")
    found = None if connection is None else connections(connection)
    if found is not None and found.type not in ("sftp", "ssh", "generic", ""):
        raise ConfigError(
            f"connection '{connection}' is of type '{found.type}', and the repository needs 'sftp'"
        )
    options = _options(found, parts.port)
    return RemoteStorage(_connect(check_host(parts.hostname), options), root, url)


def _options(found: Connection | None, port: int | None) -> dict[str, Any]:
    options: dict[str, Any] = {"port": port or 22, "known_hosts": ()}
    if found is None:
        return options
    extra = found.extra
    options["port"] = port or found.port or 22
    given = {
        "username": found.login,
        "password": found.password,
        "client_keys": _keys(found),
    }
    if extra.get("host_key"):
        options["known_hosts"] = _trusted(found, str(extra["host_key"]))
    return options | {key: value for key, value in given.items() if value}


def _keys(found: Connection) -> list[Any]:
    import asyncssh

    extra, phrase = found.extra, found.extra.get("private_key_passphrase")
    try:
        if extra.get("private_key"):
            return [asyncssh.import_private_key(str(extra["private_key"]), phrase)]
        if extra.get("key_file"):
            return [asyncssh.read_private_key(str(extra["key_file"]), phrase)]
    except (OSError, asyncssh.KeyImportError) as error:
        raise ConfigError(
            f"the private key of connection '{found.id}' cannot be read: {type(error).__name__}",
            hint="is `private_key_passphrase` right?",
        ) from None
    return []


def _trusted(found: Connection, text: str) -> tuple[list[Any], list[Any], list[Any]]:
    import asyncssh

    try:
        return ([asyncssh.import_public_key(text)], [], [])
    except asyncssh.KeyImportError as error:
        raise ConfigError(
            f"the `host_key` of connection '{found.id}' is not a public key",
            hint="it looks like: ssh-ed25519 AAAA...; ssh-keyscan prints it",
        ) from error


def _connect(host: str, options: dict[str, Any]) -> Remote:
    try:
        import asyncssh
        from fsspec.asyn import sync
        from sshfs import SSHFileSystem
    except ImportError as error:
        raise ToolMissing(
            "repositories at sftp:// need sshfs", hint="pip install 'airflow-backup[sftp]'"
        ) from error
    try:
        files = SSHFileSystem(
            host,
            connect_timeout=_TIMEOUT,
            keepalive_interval=30,
            skip_instance_cache=True,
            **options,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise StorageDenied(
            f"nobody vouches for the host key of '{host}'",
            hint="put it into the connection's extra as `host_key`, or into known_hosts",
        ) from error
    except (asyncssh.PermissionDenied, PermissionError) as error:
        raise StorageDenied(f"'{host}' lets nobody in with these credentials") from error
    except (OSError, asyncssh.Error, TimeoutError) as error:
        raise StorageUnavailable(
            f"'{host}' cannot be reached: {error}", hint="is it up?"
        ) from error

    async def rename(path: str, name: str) -> None:
        # The plain rename of the protocol refuses a name that is taken; the one of POSIX would replace it.
        async with files._pool.get() as channel:
            try:
                await channel.rename(path, name)
            except asyncssh.SFTPError as error:
                if await channel.exists(name):
                    raise FileExistsError(name) from error
                raise

    def publish(path: str, name: str) -> None:
        sync(files.loop, rename, path, name)

    lost = (
        asyncssh.DisconnectError,
        asyncssh.ChannelOpenError,
        asyncssh.SFTPConnectionLost,
        asyncssh.SFTPNoConnection,
        OSError,
    )
    return Remote(files, publish, lost=lost)
