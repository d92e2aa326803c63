"""How a backup keeps to its `throttle`: rates while it runs, and its place behind others on the machine."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from airflow_backup.actions.backup.limits.rate_limit import RateLimit
from airflow_backup.core.errors import BackupError
from airflow_backup.core.process import commands
from airflow_backup.schedules.model.limits import Throttle

logger = logging.getLogger(__name__)

_Item = TypeVar("_Item")
_TURN = 0.5
"""Seconds after which a waiting engine looks whether it has to go on at all."""

_IO_CLASSES = {"low": ("-c", "best-effort", "-n", "7"), "idle": ("-c", "idle")}
_WITH_LEVEL = ("realtime", "best-effort")


@dataclass(frozen=True, slots=True)
class RunningThrottle:
    """
    The rates that one run keeps to, over all of its streams; None for no limit at any time.

    ``meanwhile`` is called about twice a second by an engine that has to wait; it may raise.
    """

    upload: RateLimit | None = None
    read: RateLimit | None = None
    meanwhile: Callable[[], None] = lambda: None

    @classmethod
    def of(
        cls,
        throttle: Throttle,
        *,
        timezone: str,
        clock: Callable[[], datetime],
        meanwhile: Callable[[], None],
    ) -> RunningThrottle:
        """Return the rates of a schedule, asked anew as time goes on."""

        def upload() -> int | None:
            return throttle.rates_at(clock(), timezone=timezone).upload

        def read() -> int | None:
            return throttle.rates_at(clock(), timezone=timezone).read

        return cls(
            RateLimit(upload) if throttle.limits_upload else None,
            RateLimit(read) if throttle.limits_reading else None,
            meanwhile,
        )

    def before_reading(self, size: int) -> None:
        """Wait until ``size`` more bytes of the source may be read."""
        if self.read is not None:
            self.read.take(size, self.meanwhile)

    def put(self, waiting: queue.Queue[_Item], item: _Item) -> None:
        """Give something to a thread that uploads, which may be held back."""
        while self._is_held_back:
            try:
                return waiting.put(item, timeout=_TURN)
            except queue.Full:
                self.meanwhile()
        return waiting.put(item)

    def join(self, uploading: threading.Thread) -> None:
        """Wait for the end of a thread that uploads, which may be held back."""
        while self._is_held_back and uploading.is_alive():
            uploading.join(_TURN)
            self.meanwhile()
        uploading.join()

    @property
    def _is_held_back(self) -> bool:
        return self.upload is not None and not self.upload.is_over

    def end(self) -> None:
        """Hold nothing back any more: the run ends."""
        for each in (self.upload, self.read):
            if each is not None:
                each.end()


@contextmanager
def standing_back(throttle: Throttle) -> Iterator[None]:
    """
    Let this thread, and all threads and programs that it starts, stand back for other work on the machine.

    ToolMissing: `io_class` is given and there is no `ionice` (util-linux).
    """
    with ExitStack() as after:
        if throttle.nice is not None:
            before = os.getpriority(os.PRIO_PROCESS, 0)  # of this thread, on Linux
            os.setpriority(os.PRIO_PROCESS, 0, max(before, throttle.nice))
            after.callback(_come_back, before)
        if throttle.io_class is not None:
            after.callback(_set_io_again, _ionice())
            _ionice(*_IO_CLASSES[throttle.io_class])
        yield


def _come_back(nice: int) -> None:
    with contextlib.suppress(PermissionError):  # an ordinary user never does
        os.setpriority(os.PRIO_PROCESS, 0, nice)


def _set_io_again(told: str) -> None:
    """
    Set what ``ionice`` told: ``idle``, ``none: prio 4`` or ``best-effort: prio 7``; a set that is stored fails by
    nothing of it.
    """
    name, _, level = told.partition(": prio ")
    try:
        _ionice("-c", name, *(("-n", level) if name in _WITH_LEVEL else ()))
    except BackupError as error:
        logger.warning("what ran here goes on with another I/O class than before: %s", error)


def _ionice(*how: str) -> str:
    """Set the I/O class of this thread; return what it is told, where nothing is set the class it has."""
    command = ["ionice", *how, "-p", str(threading.get_native_id())]
    # In other languages it tells them in other words, which nobody could set again.
    return commands.run(command, environment={"LC_ALL": "C"}).output.decode().strip()
