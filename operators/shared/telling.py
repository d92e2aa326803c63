"""Shows how far a restore or a verification has come, where it can be shown; none waits or fails because of that."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow.sdk import Context

from airflow_backup.core.progress import Listener, Progress
from airflow_backup.operators.shared.control import publisher_of

logger = logging.getLogger(__name__)

_INTERVAL = 1.0
_LEAVE = 5.0
"""Seconds that the thread is waited for when the work is over: its answer may not come."""


@contextmanager
def telling(
    context: Context, *, check: Callable[[], None] = lambda: None, interval: float = _INTERVAL
) -> Iterator[Listener]:
    """
    Give a listener whose news a thread of its own takes to Airflow: its API may refuse, or not answer for minutes.

    ``check`` is called in the thread of the work, and may raise why that has to end.
    """
    publish, is_over = publisher_of(context), threading.Event()
    latest: list[Progress] = []

    def show() -> None:
        shown = None
        while True:
            over = is_over.wait(interval)
            if latest and latest[-1] != shown:
                shown = latest[-1]
                try:
                    publish(shown.as_dict())
                except Exception as error:  # noqa: BLE001 -- Airflow's may be any
                    logger.warning("nobody can be told how far it is, and it goes on: %s", error)
            if over:
                return

    def listen(progress: Progress) -> None:
        check()
        latest[:] = [progress]

    thread = threading.Thread(target=show, name="telling", daemon=True)
    thread.start()
    try:
        yield listen
    finally:
        is_over.set()
        thread.join(_LEAVE)
