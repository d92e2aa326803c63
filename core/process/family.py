"""The processes below a process: let all of them stand still, and know them again."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable

from airflow_backup.core.process.containment import descendants

_TURNS = 20
"""How often a family is looked at again because it had children meanwhile."""


def suspend(root: int, *, itself: bool) -> list[int]:
    """
    Stop a process and all below it until they are told to go on; return their numbers.

    A program may start another one while we look, so it is looked again until nobody new is found. ``itself``
    False: the root goes on. Only Linux tells who is below; elsewhere the root alone stops.
    """
    stopped: list[int] = []
    for _ in range(_TURNS):
        members = [*([root] if itself else []), *_below(root)]
        new = [number for number in members if number not in stopped]
        if not new:
            break
        signal_each(new, signal.SIGSTOP)
        stopped += new
    return stopped


def signal_each(numbers: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each process that is still there."""
    for each in numbers:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(each, number)


def begun(number: int) -> int | None:
    """Return when a process began (clock ticks since the machine's start), so that its number is known again."""
    try:
        with open(f"/proc/{number}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _below(root: int) -> list[int]:
    try:
        return descendants(root)
    except OSError:
        return []


def signal_name(number: int) -> str:
    """Return what a signal is called."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
