"""Which addresses a repository may have."""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow_backup.core.names import quoted

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
    return url
