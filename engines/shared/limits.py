"""Ends a restore test that takes too long, or too much of the disk: what is restored may have been made to."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_backup.core.errors import BackupError, Inconclusive
from airflow_backup.core.process.process import Process
from airflow_backup.core.text.durations import format_size

_LOOK = 10.0
_LEAST_BYTES, _TIMES = 20 * 1024**3, 20
_LEAST_SECONDS, _BYTES_A_SECOND = 6 * 3600.0, 512 * 1024


class LimitGuard:
    """Looks at a folder and at the clock, and ends the program that was given to it."""

    def __init__(self, folder: Path, *, most_bytes: int, most_seconds: float) -> None:
        self.told: str | None = None
        self._folder, self._most_bytes, self._most_seconds = folder, most_bytes, most_seconds
        self._begun = time.monotonic()
        self._children: list[Process] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def add(self, child: Process) -> None:
        """Watch a program too; one that comes too late is ended at once."""
        self._children.append(child)
        if self.told is not None:
            child.ask_to_end()

    def stop(self) -> None:
        """Stop watching time, memory and disk of the guarded programs."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_LOOK):
            self.told = self._judge()
            if self.told is not None:
                for child in self._children:
                    child.ask_to_end()
                return

    def _judge(self) -> str | None:
        if time.monotonic() - self._begun > self._most_seconds:
            hours = f"{self._most_seconds / 3600:.1f} hours"
            return f"the restore test was ended after {hours}: nothing like it takes that long"
        if used(self._folder) > self._most_bytes:
            return (
                f"the restore test was ended when it had taken {format_size(self._most_bytes)} of the disk: "
                "what is restored grows beyond all measure"
            )
        return None


def used(folder: Path) -> int:
    """Return the bytes of the disk that a folder takes; what vanishes meanwhile counts nothing."""
    total, ahead = 0, [str(folder)]
    while ahead:
        try:
            with os.scandir(ahead.pop()) as entries:
                for each in entries:
                    if each.is_dir(follow_symlinks=False):
                        ahead.append(each.path)
                    else:
                        total += each.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return total


@contextmanager
def limited(folder: Path, expected: int) -> Iterator[LimitGuard]:
    """Watch a folder into which ``expected`` bytes are restored; Inconclusive, when it was ended for that."""
    guard = LimitGuard(
        folder,
        most_bytes=_LEAST_BYTES + _TIMES * expected,
        most_seconds=_LEAST_SECONDS + expected / _BYTES_A_SECOND,
    )
    try:
        yield guard
    except BackupError as error:
        guard.stop()
        if guard.told is not None:
            raise Inconclusive(guard.told) from error
        raise
    finally:
        guard.stop()
