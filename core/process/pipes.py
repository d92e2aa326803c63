"""The pipes to a program: waited for by the second, read at their tail, and never for ever."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import threading
from collections import deque
from typing import IO

CHUNK = 1024 * 1024
_LINE = 8192
"""Bytes after which a line of errors is cut: not every program ends its lines."""


class Tail:
    """Reads a program's errors in a thread of its own and keeps the last lines."""

    def __init__(self, pipe: IO[bytes], *, lines: int) -> None:
        """Begin to read."""
        self._pipe, self._is_deaf = pipe, False
        self._lines: deque[str] = deque(maxlen=lines)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def text(self) -> str:
        """The last lines that the program wrote to its standard error."""
        return "\n".join(self._lines)

    def ended_within(self, seconds: float) -> bool:
        """Wait for the end of what is said, at most so long; whether it came."""
        self._listener.join(seconds)
        return not self._listener.is_alive()

    def stop(self, seconds: float) -> None:
        """Listen no more, though somebody may still hold the other end."""
        self._is_deaf = True
        self._listener.join(seconds)

    def _listen(self) -> None:
        number, rest = self._pipe.fileno(), b""
        while not self._is_deaf:
            if not is_ready(number, select.POLLIN, 0.2):
                continue
            chunk = os.read(number, _LINE)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._keep(line)
            if len(rest) >= _LINE:
                self._keep(rest)
                rest = b""
        if rest:
            self._keep(rest)

    def _keep(self, line: bytes) -> None:
        self._lines.append(line.decode("utf-8", "backslashreplace").rstrip())


def is_ready(number: int, event: int, seconds: float) -> bool:
    """Whether a pipe can be read or written, or its other end is gone; waits at most ``seconds``."""
    poll = select.poll()  # select() knows only the first 1,024 descriptors
    poll.register(number, event)
    return bool(poll.poll(seconds * 1000))


def is_hung_up(number: int) -> bool:
    """Whether nobody holds the other end of a pipe, and nothing is left in it."""
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return any(events & select.POLLHUP and not events & select.POLLIN for _, events in poll.poll(0))


def widen(pipe: IO[bytes] | None) -> None:
    """Let the program write a whole chunk before it waits: a pipe's usual 64 KiB are sixteen times as many turns."""
    change = getattr(fcntl, "F_SETPIPE_SZ", None)
    if pipe is not None and change is not None:
        with contextlib.suppress(
            OSError
        ):  # a machine may allow less, and the usual size serves too
            fcntl.fcntl(pipe.fileno(), change, CHUNK)
