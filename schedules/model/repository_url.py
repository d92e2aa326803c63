"""Which addresses a repository may have."""

from __future__ import annotations

import os
import posixpath
from urllib.parse import unquote, urlsplit

from airflow_backup.core.text.names import quoted
from airflow_backup.core.worker import machine_of

_SFTP_PORT = 22
PROTOCOLS = ("file", "s3", "gs", "az", "sftp")
"""The protocols on the list; everything else is refused."""


def check_repository(url: str) -> str:
    """
    Return ``url``; ValueError when its protocol is not on the list, or it holds credentials.

    >>> check_repository("s3://bucket/backups")
    's3://bucket/backups'
    >>> check_repository("simplecache::s3://bucket")
    Traceback (most recent call last):
    ValueError: a repository is one URL, not a chain of them
    """
    if "::" in url:
        raise ValueError("a repository is one URL, not a chain of them")
    parts = urlsplit(url)
    if parts.scheme not in PROTOCOLS:
        raise ValueError(
            f"no storage {quoted(parts.scheme)}; there are {', '.join(f'{each}://' for each in PROTOCOLS)}"
        )
    if parts.scheme != "file" and (parts.username or parts.password or parts.query):
        raise ValueError("credentials belong into `connection`, not into the URL")
    try:
        parts.port  # noqa: B018  # reading it checks it
    except ValueError:
        # Not quoted: what is no port may be the beginning of a password.
        raise ValueError("the URL has no port that there is; write a number up to 65535") from None
    return url


def same_address(url: str) -> str:
    """
    Write the address of a repository in one way, so that two spellings of it are known to be one.

    >>> same_address("s3://Bucket/a//b/"), same_address("s3://bucket/a/./b")
    ('s3://bucket/a/b', 's3://bucket/a/b')
    >>> same_address("file:///no/such/../place/")
    'file:///no/place'
    >>> same_address("sftp://Vault./a%20b")
    'sftp://vault:22/a b'
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return f"file://{os.path.realpath(unquote(parts.path))}"
    place, path = parts.netloc.lower(), parts.path
    if parts.scheme == "sftp":
        place, path = f"{machine_of(parts.hostname)}:{parts.port or _SFTP_PORT}", unquote(path)
    path = posixpath.normpath(f"/{path}").lstrip("/")
    return f"{parts.scheme}://{place}/{path}".rstrip("/")
