"""
Lets programs that stand still go on, and end, when whoever stopped them is gone: a small process of its own.

A stopped program cannot notice that its reader died; it would stand there for ever, with a transaction open on
some server. The first argument is a descriptor: a byte from it says that all is well, its end without one that
nobody is left to let them go on. The others are ``NUMBER:BEGUN`` of each process, so that a number which belongs to
somebody else by then is left alone.

It is run as a file, by a bare interpreter: nothing of this package is imported here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

GRACE = 3.0
"""Seconds from asking to insisting."""


def _is_still(number: int, begun: str) -> bool:
    try:
        with open(f"/proc/{number}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return fields[19].decode() == begun and fields[0] not in (b"Z", b"X")
    except (OSError, IndexError):
        return False


def _leads(number: int, begun: str) -> bool:
    try:
        return _is_still(number, begun) and os.getpgid(number) == number
    except OSError:
        return False


def _signal(members: list[tuple[int, str]], *numbers: signal.Signals) -> None:
    for number, begun in members:
        if _is_still(number, begun):
            for each in numbers:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(number, each)


def main() -> None:
    """Run ``CONTROL NUMBER:BEGUN...``."""
    pairs = (argument.partition(":") for argument in sys.argv[2:])
    members = [(int(number), begun) for number, _, begun in pairs]
    if os.read(int(sys.argv[1]), 1):
        return
    groups = [number for number, begun in members if _leads(number, begun)]
    _signal(members, signal.SIGTERM, signal.SIGCONT)
    time.sleep(GRACE)
    _signal(members, signal.SIGKILL)
    for group in groups:  # what was started while they went on
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
