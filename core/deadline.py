"""An end for what has none of its own: an answer that comes a byte at a time, for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable


def within(seconds: float, act: Callable[[], None]) -> None:
    """
    Do something, for so long at most; TimeoutError, and it goes on by itself, where it takes longer.

    >>> within(10, lambda: None)
    """
    failures: list[BaseException] = []

    def attempt() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 -- raised below, where somebody waits for it
            failures.append(error)

    thread = threading.Thread(target=attempt, name="deadline", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"no end within {seconds:.0f} seconds")
    if failures:
        raise failures.pop()  # and keep it in no circle, with what it holds open
