"""Lets DAG files be parsed as soon as the schedules that they read are others, and not every two seconds."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

_LOOK = 0.25
_AGAIN = (0.0, 2.0, 6.0)
"""Seconds after a change: Airflow forgets what changes while it parses the file, so it is told more than once."""


class Reparse:
    """A thread that touches DAG files when the schedules change."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, schedules: Path) -> None:
        """Touch the DAG files beside `schedules` whenever it is another one; a second start changes nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, args=(schedules,), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self, schedules: Path) -> None:
        seen, due = _identity(schedules), 0.0
        left: list[float] = []
        while not self._ended.wait(_LOOK):
            due += _LOOK
            now = _identity(schedules)
            if now != seen:
                seen, due, left = now, 0.0, list(_AGAIN)
            if left and due >= left[0]:
                left.pop(0)
                for file in schedules.parent.glob("*.py"):
                    with suppress(FileNotFoundError):  # a test has taken it away
                        os.utime(file)


def _identity(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
