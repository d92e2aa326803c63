"""
Which addresses a repository or a message may lead to: an endpoint of one's own must not reach the machine's metadata.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from airflow_backup.core.errors import ConfigError, StorageUnavailable

_METADATA = frozenset({"metadata", "metadata.google.internal", "instance-data"})
_METADATA_ADDRESSES = frozenset(
    {ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")}
)


def check_endpoint(url: str) -> str:
    """
    Return ``url``, or raise ConfigError: http or https, no user or query, and no address of a cloud's
    metadata service, which would hand the worker's own credentials to whoever reads the answers.

    >>> check_endpoint("http://127.0.0.1:9000")
    'http://127.0.0.1:9000'
    >>> check_endpoint("http://169.254.169.254/latest")
    Traceback (most recent call last):
    airflow_backup.core.errors.ConfigError: the endpoint '169.254.169.254' is a link-local or metadata address
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("the endpoint is not an http or https address", hint="see `endpoint_url`")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError("the endpoint has more than a host, a port and a path")
    check_host(parts.hostname)
    return url


def check_host(host: str) -> str:
    """Return ``host``, or raise ConfigError when any of its addresses is link-local or serves metadata."""
    name = host.strip("[]").rstrip(".").lower()
    if name in _METADATA or any(_forbidden(address) for address in _addresses(name)):
        raise ConfigError(f"the endpoint '{host}' is a link-local or metadata address")
    return host


def check_peer(peer: str) -> None:
    """
    Raise ConfigError when what answers at the other end of a connection is link-local or serves metadata, whatever
    its name said.
    """
    if _forbidden(peer):
        raise ConfigError(f"'{peer}' is a link-local or metadata address")


def _addresses(host: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except OSError as error:
        raise StorageUnavailable(
            f"the host '{host}' has no address: {error.strerror}", hint="is its name spelled right?"
        ) from error


def _forbidden(text: str) -> bool:
    address = ipaddress.ip_address(text.split("%", 1)[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_link_local or mapped.is_multicast or mapped in _METADATA_ADDRESSES
