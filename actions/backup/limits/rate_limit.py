"""Lets bytes pass no faster than a rate that may change with the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_STEP = 0.5
"""Seconds after which the rate, and whether it is over, is asked again."""


class RateLimit:
    """
    Lets no more than ``rate()`` bytes a second pass, over all threads that ask it; None is no limit.

    What was not used is not saved up: after a pause it goes on at the same rate.
    """

    def __init__(
        self,
        rate: Callable[[], int | None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate, self._monotonic = rate, monotonic
        self._free_at = 0.0
        self._lock = threading.Lock()
        self._is_over = threading.Event()

    def take(self, size: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until ``size`` more bytes may pass; ``meanwhile`` is called about twice a second, and may raise."""
        while size > 0 and not self._is_over.is_set():
            rate = self._rate()
            if rate is None:
                return
            part = min(size, max(1, int(rate * _STEP)))
            with self._lock:
                self._free_at = max(self._free_at, self._monotonic()) + part / rate
                wait = self._free_at - self._monotonic()
            self._is_over.wait(wait)
            size -= part
            meanwhile()

    @property
    def is_over(self) -> bool:
        """Whether everything passes, because the work ends."""
        return self._is_over.is_set()

    def end(self) -> None:
        """Let everything pass from now on: nobody waits any more."""
        self._is_over.set()
