"""Whether a server still works on something, or waits for what never comes."""

from __future__ import annotations

import os
import time
from pathlib import Path

from airflow_backup.core.errors import Inconclusive

_STILL = 300.0
"""Seconds without any sign of work after which a server is not waited for any more."""

_LOOK = 5.0
"""Seconds between two looks."""

_WORKED = 1024**2
"""Bytes read or written between two looks that count as work."""


class ActivityCheck:
    """Looks whether a server still works on something, by the time and the bytes that Linux counts for it."""

    def __init__(self, data: Path) -> None:
        self._data, self._last = data, (0.0, 0)
        self._looked = self._moved = time.monotonic()

    def check(self, told: str) -> None:
        """Raise Inconclusive when nothing has moved for a long time."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        seconds, read = self._work()
        busy = seconds - self._last[0] > (now - self._looked) / 50
        if busy or read - self._last[1] > _WORKED:
            self._moved = now
        self._last, self._looked = (seconds, read), now
        if now - self._moved > _STILL:
            raise Inconclusive(
                f"the server that was started on it has done nothing for {_STILL:.0f} seconds "
                f"and does not answer: {told}"
            )

    def _work(self) -> tuple[float, int]:
        """Return the seconds of processor time and the bytes read and written by the server's processes."""
        seconds, count = 0.0, 0
        try:
            own = (self._data / "postmaster.pid").read_text().split()[0]
        except (OSError, IndexError):
            return seconds, count
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if own not in (folder.name, fields[1]):  # the server, and those it started
                    continue
                seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                lines = (folder / "io").read_text().splitlines()
                count += sum(int(line.split(":")[1]) for line in lines if line[1:5] == "char")
            except (OSError, ValueError, IndexError):
                continue  # it ended meanwhile
        return seconds, count
