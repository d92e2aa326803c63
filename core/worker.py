"""Who carries out a run: the machine, and how the run came there."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from ipaddress import ip_address

HOST_VARIABLE = "AIRFLOW__BACKUP__HOST_NAME"
"""How the command line is told what Airflow reads as ``[backup] host_name``."""


_HERE = ("", "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")


@dataclass(frozen=True, slots=True)
class Worker:
    """A machine, and the queue and executor by which Airflow sent a run there; none of these on the command line."""

    host: str
    queue: str | None = None
    executor: str | None = None
    is_lasting: bool = True
    """Whether the next run on this machine finds the name again; that of a pod is new each time."""


def this_host(name: str | None = None) -> str:
    """
    Return the name of this machine: the one that it was given, else the one that it has.

    >>> this_host("nas1")
    'nas1'
    """
    return name or os.environ.get(HOST_VARIABLE, "").strip() or socket.gethostname()


def machine_of(host: str | None) -> str:
    """
    Name the machine that a host is, the same for each way to write it; this one where it names no other.

    >>> machine_of("DB.Example.com."), machine_of("127.0.0.1") == machine_of(None) == this_host()
    ('db.example.com', True)
    """
    name = (host or "").strip().rstrip(".").lower()
    is_here = name in (*_HERE, this_host().rstrip(".").lower()) or name.startswith("/")  # a socket
    return this_host() if is_here or _is_loopback(name) else name


def _is_loopback(name: str) -> bool:
    try:
        address = ip_address(name.strip("[]"))
    except ValueError:
        return False
    inner = getattr(address, "ipv4_mapped", None) or address
    return inner.is_loopback or inner.is_unspecified
